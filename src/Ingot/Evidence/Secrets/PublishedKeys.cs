using System.Security.Cryptography;
using System.Text;

namespace Ingot.Evidence.Secrets;

/// <summary>Private keys that everybody has: they are printed in the sources of widely used programs,
/// for tests these run on themselves, and open nothing.</summary>
internal static class PublishedKeys
{
    // SHA-256 of the first line of the key's base64.
    private static readonly HashSet<string> s_known = new(StringComparer.Ordinal)
    {
        // GnuTLS 3.7 to 3.8, lib/crypto-selftests-pk.c: compiled into libgnutls, which apt brings into every Debian image.
        "36d32468a4353827c6db9a9477736adf7bb980c50854d0b57257f5132ef32d39",
        "4b86104d3a39ae361925614ff33350c34aa8370b85a3b2e79ee407705a0af571",
        "8dd51545b81e4a0a285630cfc608921c2523171d5cf57a8123116658baa84558",
        "8f642f0351e1761dd3f7d8934a2da0a5eacd7f8a2c0440d8e2bf58ff2a6e847d",
        "c471252232a6e68f793ca59626059f9f33e390b628ab8a8e0188aec275b7fe47",
        "c50f38f5a25dad1abc4c3162635f014f05e857ae7e6b590f66b42793e27f9d37",
        "d76d8725f92d87288e0466d850892bf8dd7f487ad21d40f211612ebec68852a2",
        "e36ff64abc8431d1295824c32f55327df2af968b417a4073cc696a2332d3c370",
    };

    public static bool Contains(string firstLine) =>
        s_known.Contains(Convert.ToHexStringLower(SHA256.HashData(Encoding.ASCII.GetBytes(firstLine))));
}

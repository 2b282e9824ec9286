using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;

namespace Ingot.Builds.Normalisation.Formats;

/// <summary>The packages that <c>apk add --virtual</c> makes up: their version is the time, and their identity is made of it
/// (<see href="https://wiki.alpinelinux.org/wiki/Apk_spec#Install_database">apk's database</see>).</summary>
internal static partial class ApkVirtual
{
    /// <summary>The list of wanted packages, or the database of installed ones,
    /// with version 0 for those and an identity that depends on what they need.</summary>
    public static string Settle(string text, long epoch)
    {
        string settled = World().Replace(text, "$1=0");
        return Version().IsMatch(settled) ? string.Join("\n\n", settled.Split("\n\n").Select(SettleStanza)) : settled;
    }

    // Nothing refers to the identity of such a package: it has no scripts and no triggers.
    private static string SettleStanza(string stanza)
    {
        if (!Name().IsMatch(stanza) || !Version().IsMatch(stanza))
            return stanza;

        string rest = Times().Replace(Version().Replace(stanza, "V:0"), "");
        string identity = Convert.ToBase64String(Hash(Identity().Replace(rest, "")));
        return Identity().Replace(rest, $"C:Q1{identity}\n");
    }

    // Of the length that apk's have.
    private static byte[] Hash(string text) => SHA256.HashData(Encoding.Latin1.GetBytes(text))[..20];

    [GeneratedRegex(@"^(\.[^\s=<>~]+)=[0-9]{8}\.[0-9]{6}$", RegexOptions.Multiline)]
    private static partial Regex World();

    [GeneratedRegex(@"^P:\.", RegexOptions.Multiline)]
    private static partial Regex Name();

    [GeneratedRegex(@"^V:[0-9]{8}\.[0-9]{6}$", RegexOptions.Multiline)]
    private static partial Regex Version();

    [GeneratedRegex(@"^t:[0-9]+\n", RegexOptions.Multiline)]
    private static partial Regex Times();

    [GeneratedRegex(@"^C:Q1[A-Za-z0-9+/=]+\n", RegexOptions.Multiline)]
    private static partial Regex Identity();
}

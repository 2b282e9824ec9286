using System.Text;
using Ingot.Oci.Content;

namespace Ingot.Evidence.Claims;

/// <summary>Which claims can be checked and how, as one name: evidence says by which rules was looked,
/// and what was found by others answers another question.</summary>
public static class ClaimRules
{
    /// <summary>Raised when a claim comes to mean something else, or is looked for in another way.</summary>
    public const int Version = 2;

    /// <summary>The digest of the rules: the version, the claims, and the names and words by which programs are known.</summary>
    public static Digest Digest { get; } = Digest.Of(Encoding.UTF8.GetBytes(
        $"claims {Version}\n{string.Join('\n', ClaimChecker.Names)}\n{Shells.Rules}\n{PackageManagers.Rules}\n"));
}

using System.Globalization;
using Ingot.Oci.Images;
using Ingot.Oci.Tar;

namespace Ingot.Evidence.Claims;

/// <summary>Whether an image's <c>User</c> is somebody else than root, for every runtime alike:
/// what they could read differently does not hold.</summary>
internal static class UserClaim
{
    private const int PasswdFields = 7;

    public static ClaimResult Check(ImageRoot root, ContainerConfig config, string claim)
    {
        string user = config.User ?? "";
        var identity = root.ReadAccounts().Resolve(user, out var unknown);
        var (holds, reason) = identity switch
        {
            _ when user.Length == 0 => (false, "the image names no user: it runs as root"),
            null => (false, $"the image runs as '{user}', and its /etc/passwd or /etc/group has no {unknown}"),
            { UserId: 0 } => (false, $"the image runs as '{user}', which is root"),
            _ when Doubt(root, user, identity) is { } doubt => (false, $"the image runs as '{user}', {doubt}"),
            _ => (true, $"the image runs as '{user}', user {identity.UserId}"),
        };
        return new ClaimResult { Claim = claim, Holds = holds, Reason = reason };
    }

    private static string? Doubt(ImageRoot root, string specification, ProcessIdentity identity)
    {
        var parts = specification.Split(':');
        if (parts.Length > 2 || !parts.All(IsPlain))
            return "which runtimes do not read alike: write a name or a number, and a group after a colon at most";

        string user = parts[0];
        bool isNumber = user.All(char.IsAsciiDigit);
        if (identity.UserId > int.MaxValue || (isNumber && !IsPlainNumber(user)))
            return "a number that runtimes do not read alike: write it without leading zeros, at most 2147483647";

        var lines = Lines(root).Where(line => NameOf(line) == user).ToList();
        return isNumber
            ? lines.All(l => IsWhole(l, user) && l.Split(':')[2] == user)
                ? null
                : "a number that a line of /etc/passwd has as the name of somebody else"
            : lines.Count == 1 && IsWhole(lines[0], user) ? null
            : "whose line in /etc/passwd is not whole, or not the only one: runtimes do not read it alike";
    }

    // A character that some reader trims, splits at or takes for a sign is not plain.
    private static bool IsPlain(string name) =>
        name.Length > 0
            && (char.IsAsciiLetterOrDigit(name[0]) || name[0] == '_')
            && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-' or '.' or '@' or '$');

    private static bool IsPlainNumber(string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number)
            && number.ToString(CultureInfo.InvariantCulture) == text;

    // As the C library would have it: all fields, and numbers that are numbers.
    private static bool IsWhole(string line, string name)
    {
        var fields = line.Split(':');
        return fields.Length == PasswdFields && fields[0] == name && IsPlainNumber(fields[2]) && IsPlainNumber(fields[3]);
    }

    private static IEnumerable<string> Lines(ImageRoot root) => TarPath.Decode(root.ReadFile("etc/passwd") ?? []).Split('\n', '\r');

    // The name that the most forgiving reader could see in a line.
    private static string NameOf(string line) => line.Split(':')[0].Trim().TrimStart('+', '-', '#', ' ', '\t').Trim('\0', '\ufeff');
}

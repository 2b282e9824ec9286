using System.Globalization;
using Ingot.Diagnostics;
using Ingot.Oci.Images;

namespace Ingot.Evidence.Claims;

/// <summary>Holds claims about an image against its bytes. A claim is believed for what is in the image, never for what its author says.</summary>
public static class ClaimChecker
{
    /// <summary>The most paths that are listed against a claim.</summary>
    public const int MaxOffending = 50;

    private const string NonRoot = "non-root";

    /// <summary>The claims that say that no file is of a kind: adding one is adding a row.</summary>
    private static readonly FileClaim[] s_fileClaims =
    [
        new("no-shell", "a shell", ShellDetector.IsShell),
        // A directory's set-group-id bit only tells new files their group.
        new("no-setuid", "a file that runs with its owner's rights", (_, file) => file.Status is { Type: RootFileType.File } status && (status.Mode & 0b110_000_000_000) != 0),
        new("no-package-manager", "a package manager", PackageManagers.IsOne),
    ];

    /// <summary>The claims that can be checked.</summary>
    public static IReadOnlyList<string> Names { get; } = [NonRoot, .. s_fileClaims.Select(c => c.Name)];

    /// <summary>Checks the claims of <paramref name="names"/>; an unknown one throws <see cref="InvalidInputException"/>.</summary>
    public static ClaimReport Check(ImageUnderTest image, IReadOnlyList<string> names) => Check(image.Root, image.Image.Config.Config, names);

    /// <summary>Checks the claims of <paramref name="names"/> of a root filesystem and what a container of it would run.</summary>
    public static ClaimReport Check(ImageRoot root, ContainerConfig config, IReadOnlyList<string> names)
    {
        if (names.FirstOrDefault(n => !Names.Contains(n)) is { } unknown)
            throw new InvalidInputException("claim-unknown", $"'{unknown}' is no claim that can be checked", Suggestion.For(unknown, Names) ?? $"expected {string.Join(", ", Names)}");

        var claims = s_fileClaims.Where(c => names.Contains(c.Name)).ToList();
        var offending = claims.ToDictionary(c => c.Name, _ => new List<string>());
        // One walk serves all.
        foreach (var file in claims.Count == 0 ? [] : root.Walk())
        {
            foreach (var claim in claims)
            {
                if (offending[claim.Name].Count < MaxOffending && claim.Offends(root, file))
                    offending[claim.Name].Add("/" + file.Path);
            }
        }

        return new ClaimReport([.. names.Distinct().Select(name => name == NonRoot ? CheckUser(root, config) : Result(claims.Find(c => c.Name == name)!, offending[name]))]);
    }

    private static ClaimResult Result(FileClaim claim, List<string> offending) => new()
    {
        Claim = claim.Name,
        Holds = offending.Count == 0,
        Reason = offending.Count == 0 ? $"no file is {claim.What}" : string.Create(CultureInfo.InvariantCulture, $"{(offending.Count == MaxOffending ? "at least " : "")}{offending.Count} files are {claim.What}"),
        Offending = offending,
    };

    private static ClaimResult CheckUser(ImageRoot root, ContainerConfig config)
    {
        string user = config.User is { Length: > 0 } given ? given : "";
        var identity = Accounts.Read(root).Resolve(user);
        var (holds, reason) = identity switch
        {
            null => (false, $"the image runs as '{user}', and its /etc/passwd or /etc/group has no such name"),
            { UserId: 0 } when user.Length == 0 => (false, "the image names no user: it runs as root"),
            { UserId: 0 } => (false, $"the image runs as '{user}', which is root"),
            _ => (true, string.Create(CultureInfo.InvariantCulture, $"the image runs as '{user}', user {identity.UserId}")),
        };
        return new ClaimResult { Claim = NonRoot, Holds = holds, Reason = reason };
    }

    private sealed record FileClaim(string Name, string What, Func<ImageRoot, RootFile, bool> Offends);
}

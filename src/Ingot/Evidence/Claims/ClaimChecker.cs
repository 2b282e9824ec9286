using Ingot.Diagnostics;
using Ingot.Oci.Images;

namespace Ingot.Evidence.Claims;

/// <summary>Holds claims about an image against its bytes. A claim is believed for what is in the image, never for what its author says,
/// and what cannot be decided does not hold.</summary>
public static class ClaimChecker
{
    /// <summary>The most paths that are listed against a claim.</summary>
    public const int MaxOffending = 50;

    private const string NonRoot = "non-root";

    /// <summary>The claims that say that no file is of a kind: adding one is adding a row.</summary>
    private static readonly FileClaim[] s_fileClaims =
    [
        new("no-shell", "a shell", Shells.Offence),
        new("no-setuid", "a file that gives rights", Privileges.Offence),
        new("no-package-manager", "a package manager", PackageManagers.Offence),
    ];

    /// <summary>The claims that can be checked.</summary>
    public static IReadOnlyList<string> Names { get; } = [NonRoot, .. s_fileClaims.Select(c => c.Name)];

    /// <summary>Checks the claims of <paramref name="names"/>; an unknown one throws <see cref="InvalidInputException"/>.</summary>
    public static ClaimReport Check(ImageUnderTest image, IReadOnlyList<string> names) =>
        Check(image.Root, image.Image.Config.Config, names);

    /// <summary>Checks the claims of <paramref name="names"/> of a root filesystem and what a container of it would run.</summary>
    public static ClaimReport Check(ImageRoot root, ContainerConfig config, IReadOnlyList<string> names)
    {
        if (names.FirstOrDefault(n => !Names.Contains(n)) is { } unknown)
            throw new InvalidInputException("claim-unknown", $"'{unknown}' is not a claim that can be checked",
                Suggestion.For(unknown, Names) ?? $"expected {string.Join(", ", Names)}");

        var claims = s_fileClaims.Where(c => names.Contains(c.Name)).ToList();
        var found = claims.ToDictionary(c => c.Name, _ => new List<Finding>());
        // One walk serves all.
        foreach (var file in claims.Count == 0 ? [] : root.Walk())
            Check(new FileUnderTest(root, file), claims, found);

        return new ClaimReport([.. names.Distinct().Select(name =>
            name == NonRoot ? UserClaim.Check(root, config, name) : Result(claims.Find(c => c.Name == name)!, found[name]))]);
    }

    private static void Check(FileUnderTest file, List<FileClaim> claims, Dictionary<string, List<Finding>> found)
    {
        foreach (var claim in claims)
        {
            if (found[claim.Name].Count < MaxOffending && claim.Offence(file) is { } what)
                found[claim.Name].Add(new Finding("/" + file.Path, what));
        }
    }

    private static ClaimResult Result(FileClaim claim, List<Finding> found) => new()
    {
        Claim = claim.Name,
        Holds = found.Count == 0,
        Reason = found.Count == 0 ? $"no file is {claim.What}" : Reason(found),
        Offending = [.. found.Select(f => f.Path)],
    };

    private static string Reason(List<Finding> found)
    {
        var kinds = found.GroupBy(f => f.What).Select(g => $"{g.Count()} {(g.Count() == 1 ? "file is" : "files are")} {g.Key}");
        return (found.Count == MaxOffending ? "at least " : "") + string.Join(", ", kinds);
    }

    private sealed record Finding(string Path, string What);

    // The offence is what a file is that speaks against the claim; null when it does not.
    private sealed record FileClaim(string Name, string What, Func<FileUnderTest, string?> Offence);
}

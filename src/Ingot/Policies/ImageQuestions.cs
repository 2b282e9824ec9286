using System.Globalization;
using System.Text;
using Ingot.Evidence.Claims;
using Ingot.Evidence.Packages;
using Ingot.Evidence.Secrets;
using Ingot.Evidence.Tests;
using Ingot.Oci.Content;
using Ingot.Templates.Project;

namespace Ingot.Policies;

/// <summary>A goss file of an image.</summary>
/// <param name="Name">Its path in the project.</param>
/// <param name="Digest">The digest of its text.</param>
public sealed record TestFile(string Name, Digest Digest);

/// <summary>What a project asks about one of its images. An answer counts only when it is to these questions: to other files, or by older
/// rules, it is an answer to something else.</summary>
public sealed record ImageQuestions
{
    /// <summary>The goss files, in the project's order; null when nobody said what is in them.</summary>
    public required IReadOnlyList<TestFile>? Tests { get; init; }

    /// <summary>What the image may do while it is tested.</summary>
    public required SandboxTerms Sandbox { get; init; }

    /// <summary>The claims about it.</summary>
    public required IReadOnlyList<string> Claims { get; init; }

    /// <summary>The rules by which secrets are looked for.</summary>
    public Digest SecretRules { get; init; } = Evidence.Secrets.SecretRules.Digest;

    /// <summary>The rules by which claims are checked.</summary>
    public Digest ClaimRules { get; init; } = Evidence.Claims.ClaimRules.Digest;

    /// <summary>Where packages are looked for.</summary>
    public Digest PackageSources { get; init; } = PackageInventory.Sources;

    /// <summary>All of it as one name.</summary>
    public Digest Digest
    {
        get
        {
            var text = new StringBuilder();
            foreach (string part in Parts())
                text.Append(CultureInfo.InvariantCulture, $"{part.Length} {part}\n");
            return Digest.Of(Encoding.UTF8.GetBytes(text.ToString()));
        }
    }

    /// <summary>The questions about an image of a project, by the rules of this program.</summary>
    public static ImageQuestions Of(ProjectDefinition project, ImageDefinition image, IReadOnlyList<TestFile>? tests) => new()
    {
        Tests = tests,
        Sandbox = SandboxOf(project, image).Terms,
        Claims = image.Claims,
    };

    /// <summary>How an image of a project is tested: it may write where the services that run it let it. Where they differ it may do what
    /// every one of them allows.</summary>
    public static SandboxOptions SandboxOf(
        ProjectDefinition project, ImageDefinition image, string scratchDirectory = "", TimeProvider? time = null)
    {
        var options = new SandboxOptions(scratchDirectory, time ?? TimeProvider.System);
        var services = project.Services.Where(s => s.Image == image.Name).Select(s => s.Writable).ToList();
        if (services.Count == 0)
            return options;

        var common = services[0].Keys.Where(path => services.All(s => s.ContainsKey(path)));
        return options with
        {
            Writable = new SortedDictionary<string, long>(common.ToDictionary(path => path, path => services.Min(s => s[path])),
                StringComparer.Ordinal),
        };
    }

    private IEnumerable<string> Parts() =>
    [
        .. (Tests ?? []).SelectMany(t => new[] { "test", t.Name, t.Digest.ToString() }),
        .. Sandbox.Writable.SelectMany(w => new[] { "writable", w.Path, w.Bytes.ToString(CultureInfo.InvariantCulture) }),
        .. Sandbox.Environment.SelectMany(e => new[] { "environment", e }),
        "limits", $"{Sandbox.Memory} {Sandbox.Processes} {Sandbox.Patience}",
        .. Claims.SelectMany(c => new[] { "claim", c }),
        "rules", SecretRules.ToString(), ClaimRules.ToString(), PackageSources.ToString(),
    ];
}

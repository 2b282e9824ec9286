using System.Text.Json.Serialization;
using Ingot.Diagnostics;
using Ingot.Templates.Dockerfile.Checks;

namespace Ingot.Cli.Output;

/// <summary>Diagnostics as a log that code hosts and editors read:
/// https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html.</summary>
internal sealed record SarifLog([property: JsonPropertyName("$schema")] string Schema, string Version, IReadOnlyList<SarifRun> Runs)
{
    /// <summary>The log of one run; columns count UTF-16 units, as diagnostics do.</summary>
    public static SarifLog Of(IReadOnlyList<Diagnostic> diagnostics)
    {
        List<SarifRule> rules = [.. DockerfileChecks.All.Select(check => new SarifRule(
            check.Id, new SarifText(Sentence(check.Summary)), new SarifText($"{Sentence(check.Summary)} See {check.Page}."),
            new SarifConfiguration(Level(check.Severity))))];
        // What the parser says has no row in the table of checks.
        rules.AddRange(diagnostics.Where(d => rules.All(rule => rule.Id != d.Code)).DistinctBy(d => d.Code).Select(d => new SarifRule(
            d.Code, new SarifText("The file is not valid."), new SarifText("See docs/dockerfile.md."),
            new SarifConfiguration(Level(d.Severity)))));

        SarifDriver driver = new("ingot", Application.Version, rules);
        return new(
            "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json", "2.1.0",
            [new SarifRun(new SarifTool(driver), "utf16CodeUnits",
                [.. diagnostics.Select(d => Result(d, rules.FindIndex(rule => rule.Id == d.Code)))])]);
    }

    private static SarifResult Result(Diagnostic diagnostic, int rule) => new(
        diagnostic.Code, rule, Level(diagnostic.Severity),
        new SarifText(diagnostic.Detail is null
            ? Sentence(diagnostic.Summary)
            : $"{Sentence(diagnostic.Summary)} {Sentence(diagnostic.Detail)}"),
        diagnostic.Span is { } span
            ? [new SarifLocation(new SarifPhysicalLocation(new SarifArtifact(Uri(span.Source.Name)), Region(span)))]
            : []);

    private static SarifRegion Region(SourceSpan span)
    {
        var (endLine, endColumn) = span.Source.Position(span.Start + span.Length);
        return new(span.Line, span.Column, endLine, endColumn);
    }

    private static string Uri(string name) => string.Join('/', name.Split('/').Select(System.Uri.EscapeDataString));

    private static string Level(Severity severity) => severity == Severity.Error ? "error" : "warning";

    private static string Sentence(string text) =>
        text.Length == 0 ? text : char.ToUpperInvariant(text[0]) + text[1..] + (text[^1] is '.' or '?' or '…' ? "" : ".");
}

internal sealed record SarifRun(SarifTool Tool, string ColumnKind, IReadOnlyList<SarifResult> Results);

internal sealed record SarifTool(SarifDriver Driver);

internal sealed record SarifDriver(string Name, string Version, IReadOnlyList<SarifRule> Rules);

internal sealed record SarifRule(string Id, SarifText ShortDescription, SarifText Help, SarifConfiguration DefaultConfiguration);

internal sealed record SarifConfiguration(string Level);

internal sealed record SarifText(string Text);

internal sealed record SarifResult(string RuleId, int RuleIndex, string Level, SarifText Message, IReadOnlyList<SarifLocation> Locations);

internal sealed record SarifLocation(SarifPhysicalLocation PhysicalLocation);

internal sealed record SarifPhysicalLocation(SarifArtifact ArtifactLocation, SarifRegion Region);

internal sealed record SarifArtifact(string Uri);

internal sealed record SarifRegion(int StartLine, int StartColumn, int EndLine, int EndColumn);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(SarifLog))]
internal sealed partial class SarifJson : JsonSerializerContext;

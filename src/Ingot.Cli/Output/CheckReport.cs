using System.Text.Json.Serialization;
using Ingot.Diagnostics;
using Ingot.Templates.Dockerfile.Checks;

namespace Ingot.Cli.Output;

/// <summary>What <c>ingot build --check --output json</c> prints.</summary>
internal sealed record CheckReport(int Errors, int Warnings, IReadOnlyList<CheckFinding> Findings)
{
    public static CheckReport Of(IReadOnlyList<Diagnostic> diagnostics)
    {
        int errors = diagnostics.Count(d => d.Severity == Severity.Error);
        return new(errors, diagnostics.Count - errors, [.. diagnostics.Select(CheckFinding.Of)]);
    }
}

/// <summary>A finding; the check is null for what the parser says, and places are null when the whole file is meant.</summary>
internal sealed record CheckFinding(
    string Severity, string Code, string? File, int? Line, int? Column, int? EndLine, int? EndColumn, string Summary, string? Detail,
    string? Page)
{
    public static CheckFinding Of(Diagnostic diagnostic)
    {
        var span = diagnostic.Span;
        (int Line, int Column)? end = span?.Source.Position(span.Value.Start + span.Value.Length);
        return new(
            diagnostic.Severity == Diagnostics.Severity.Error ? "error" : "warning", diagnostic.Code,
            span?.Source.Name, span?.Line, span?.Column, end?.Line, end?.Column, diagnostic.Summary, diagnostic.Detail,
            DockerfileChecks.All.FirstOrDefault(check => check.Id == diagnostic.Code)?.Page);
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(CheckReport))]
internal sealed partial class CheckJson : JsonSerializerContext;

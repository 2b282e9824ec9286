using System.Text.Json.Serialization;
using Ingot.Diagnostics;

namespace Ingot.Cli.Output;

/// <summary>What a failed command prints in JSON mode.</summary>
internal sealed record ErrorDocument(ErrorBody Error);

internal sealed record ErrorBody(string Code, string Message, IReadOnlyList<DiagnosticBody> Diagnostics);

internal sealed record DiagnosticBody(
    string Severity, string Code, string? File, int? Line, int? Column, string? Path, string Summary, string? Detail)
{
    public static DiagnosticBody Of(Diagnostic diagnostic) => new(
        diagnostic.Severity == Diagnostics.Severity.Error ? "error" : "warning",
        diagnostic.Code,
        diagnostic.Span?.Source.Name,
        diagnostic.Span?.Line,
        diagnostic.Span?.Column,
        diagnostic.Path,
        diagnostic.Summary,
        diagnostic.Detail);
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(ErrorDocument))]
internal sealed partial class OutputJson : JsonSerializerContext;

using Ingot.Diagnostics;
using Ingot.Yaml;

namespace Ingot.Templates.Project;

/// <summary>Reads an <c>ingot.yaml</c>. Everything wrong is reported at once, with line, column and path;
/// it does not throw for any text.</summary>
public static class ProjectParser
{
    // A file that is not a project has a mistake on every line; nobody reads more.
    private const int MaximumDiagnostics = 100;

    private static readonly YamlKind s_kind = new(
        "a project",
        new YamlCodes(
            Syntax: ProjectCodes.Syntax, TooLarge: ProjectCodes.TooLarge, Documents: ProjectCodes.Syntax, Key: ProjectCodes.WrongKind,
            DuplicateKey: ProjectCodes.DuplicateKey, Merge: ProjectCodes.WrongKind, Tag: ProjectCodes.BadValue),
        EmptyCure: "start with ingot: 1");

    /// <summary>The project; null when <paramref name="diagnostics"/> got an error.</summary>
    public static ProjectDefinition? Parse(SourceText source, DiagnosticBag diagnostics) =>
        Parse(source, diagnostics, ImageTemplate.Standard);

    /// <summary>As the other, of a project whose images may be made from <paramref name="templates"/>.</summary>
    public static ProjectDefinition? Parse(SourceText source, DiagnosticBag diagnostics, IReadOnlyList<ImageTemplate> templates)
    {
        DiagnosticBag found = [];
        var project = YamlReader.Read(source, s_kind, found) is { } root ? new ProjectReader(source, found, templates).Read(root) : null;
        foreach (var diagnostic in found.Take(MaximumDiagnostics))
            diagnostics.Add(diagnostic);
        if (found.Count > MaximumDiagnostics)
            diagnostics.Error(ProjectCodes.TooManyErrors, "there are more mistakes than are shown", source.Span(source.Text.Length, 0));
        return found.HasErrors ? null : project;
    }
}

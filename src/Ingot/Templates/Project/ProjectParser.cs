using Ingot.Diagnostics;

namespace Ingot.Templates.Project;

/// <summary>Reads an <c>ingot.yaml</c>. Everything wrong is reported at once, with line, column and path; it does not throw for any text.</summary>
public static class ProjectParser
{
    /// <summary>The project; null when <paramref name="diagnostics"/> got an error.</summary>
    public static ProjectDefinition? Parse(SourceText source, DiagnosticBag diagnostics)
    {
        DiagnosticBag found = [];
        var project = YamlReader.Read(source, found) is { } root ? new ProjectReader(source, found).Read(root) : null;
        foreach (var diagnostic in found)
            diagnostics.Add(diagnostic);
        return found.HasErrors ? null : project;
    }
}

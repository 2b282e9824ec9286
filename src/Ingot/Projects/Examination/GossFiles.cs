using Ingot.Diagnostics;
using Ingot.Evidence.Tests;
using Ingot.Policies;
using Ingot.Templates.Project;

namespace Ingot.Projects.Examination;

/// <summary>Reads an image's goss files.</summary>
public static class GossFiles
{
    /// <summary>The files as the project's questions name them. A goss file includes no other: that key is refused, so its own text is all
    /// that is asked.</summary>
    public static IReadOnlyList<TestFile> Described(IReadOnlyList<GossFile> files) =>
        [.. files.Select(f => new TestFile(f.Name, f.Digest))];

    /// <summary>Those that a project names, which are its files, by image. All that is wrong with any of them is said at once.</summary>
    public static Dictionary<string, IReadOnlyList<GossFile>> Load(string directory, ProjectDefinition project)
    {
        using var root = new ProjectDirectory(directory);
        var diagnostics = new DiagnosticBag();
        var files = project.Images.ToDictionary(
            i => i.Name,
            i => Load(directory, i.Tests, name => root.FindText(name, ProjectFiles.Name(Path.Combine(directory, name))), diagnostics, i),
            StringComparer.Ordinal);
        diagnostics.ThrowIfErrors();
        return files;
    }

    /// <summary>Those that a person typed.</summary>
    public static IReadOnlyList<GossFile> LoadTyped(string directory, IReadOnlyList<string> names)
    {
        var diagnostics = new DiagnosticBag();
        var loaded = Load(directory, names, Find, diagnostics, image: null);
        diagnostics.ThrowIfErrors();
        return loaded;

        SourceText? Find(string name)
        {
            using var files = ProjectDirectory.OfTyped(directory, name, out string path);
            return files.FindText(path, ProjectFiles.Name(Path.GetFullPath(name, directory)));
        }
    }

    private static IReadOnlyList<GossFile> Load(
        string directory, IReadOnlyList<string> names, Func<string, SourceText?> find, DiagnosticBag diagnostics, ImageDefinition? image)
    {
        List<GossFile> files = [];
        foreach (var (index, name) in names.Index())
        {
            if (find(name) is { } source)
            {
                files.Add(GossFile.Parse(source, diagnostics) with { Name = name });
                continue;
            }

            string shown = ProjectFiles.Name(Path.GetFullPath(name, directory));
            string? path = image is null ? null : $"images/{image.Name}/tests";
            diagnostics.Error("no-file", $"there is no test file '{shown}'", image?.TestSpans.ElementAtOrDefault(index), path: path);
        }

        return files;
    }
}

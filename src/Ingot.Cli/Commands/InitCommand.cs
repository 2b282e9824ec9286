using System.CommandLine;
using System.Text.Json.Serialization;
using Ingot.Cli.Output;
using Ingot.Diagnostics;
using Ingot.Projects;
using Ingot.Templates.Dockerfile;
using Ingot.Templates.Project;

namespace Ingot.Cli.Commands;

/// <summary><c>ingot init [DIR]</c>.</summary>
internal static class InitCommand
{
    private const int Depth = 3;
    private const int MostDockerfiles = 50;

    private static readonly string[] s_names = ["Dockerfile", "Containerfile"];
    private static readonly string[] s_skipped = ["node_modules", "vendor", "bin", "obj", "target", "dist"];

    public static Command Create(Binder bind)
    {
        var directory = new Argument<string?>("DIR") { Description = "The project's directory", Arity = ArgumentArity.ZeroOrOne };
        var dryRun = new Option<bool>("--dry-run") { Description = "Print the file, and write nothing" };
        var command = new Command("init",
            "Write a first ingot.yaml from the Dockerfiles it finds; an existing file is never changed")
        {
            directory, dryRun,
        };
        command.SetAction(bind((context, result, _) =>
        {
            string target = context.Resolve(result.GetValue(directory) ?? ".");
            RefuseExisting(target);
            using var files = new ProjectDirectory(target);
            var found = Find(files);
            string text = ProjectProposal.Write(Path.GetFileName(target), found);
            Print(context.Terminal, Path.Combine(target, ProjectDefinition.FileName), text, found, result.GetValue(dryRun));
            return Task.FromResult(ExitCode.Done);
        }));
        return command;
    }

    private static void RefuseExisting(string directory)
    {
        foreach (string name in ProjectDefinition.FileNames)
        {
            if (Path.Exists(Path.Combine(directory, name)))
                throw Exists(Path.Combine(directory, name));
        }
    }

    private static InvalidInputException Exists(string path) =>
        new("exists", $"'{ProjectFiles.Name(path)}' already exists and is not overwritten",
            "remove it first, or change it yourself: docs/ingot-yaml.md");

    private static List<FoundDockerfile> Find(ProjectDirectory files)
    {
        var diagnostics = new DiagnosticBag();
        List<FoundDockerfile> found = [];
        foreach (string path in Paths(files.Root))
        {
            if (files.FindText(path, ProjectFiles.Name(Path.Combine(files.Root, path))) is { } source)
                found.Add(new FoundDockerfile(path, DockerfileParser.Parse(source, diagnostics)));
        }

        diagnostics.ThrowIfErrors();
        return found.Count > 0 ? found : throw new InvalidInputException(
            "no-dockerfile",
            $"there is no Dockerfile in '{ProjectFiles.Name(files.Root)}': looked for {string.Join(" and ", s_names)}, "
                + "NAME.Dockerfile and Dockerfile.NAME, "
                + $"there and up to {Depth} directories below",
            "write one, or describe the image in ingot.yaml yourself: docs/ingot-yaml.md");
    }

    private static IEnumerable<string> Paths(string root)
    {
        var options = new EnumerationOptions
        {
            RecurseSubdirectories = true,
            MaxRecursionDepth = Depth,
            AttributesToSkip = FileAttributes.ReparsePoint,
            IgnoreInaccessible = true,
        };
        return Directory.EnumerateFiles(root, "*", options)
            .Where(IsDockerfile)
            .Select(path => Path.GetRelativePath(root, path))
            .Where(path => !path.Split('/')[..^1].Any(directory => directory[0] == '.' || s_skipped.Contains(directory)))
            .OrderBy(path => path.Count(c => c == '/')).ThenBy(path => path, StringComparer.Ordinal)
            .Take(MostDockerfiles);
    }

    private static bool IsDockerfile(string path)
    {
        string name = Path.GetFileName(path);
        return !name.EndsWith(IgnoreFile.Name, StringComparison.OrdinalIgnoreCase)
            && s_names.Any(n => name.Equals(n, StringComparison.OrdinalIgnoreCase)
                || name.StartsWith(n + ".", StringComparison.Ordinal)
                || name.EndsWith("." + n, StringComparison.OrdinalIgnoreCase));
    }

    private static void Print(Terminal terminal, string path, string text, IReadOnlyList<FoundDockerfile> found, bool isDryRun)
    {
        if (!isDryRun)
            Write(path, text);
        string shown = ProjectFiles.Name(path);
        var report = new InitReport(shown, !isDryRun, [.. found.Select(f => f.Path)], text);
        if (terminal.TryJson(report, InitJson.Default.InitReport))
            return;

        if (isDryRun)
        {
            terminal.Document(text.TrimEnd('\n'));
            return;
        }

        terminal.Line($"wrote    {shown}, from {string.Join(", ", found.Select(f => f.Path))}");
        terminal.Progress("next     'ingot build' builds the images; 'ingot up' also tests, signs, publishes and runs them");
    }

    // Of two that write at once, one does.
    private static void Write(string path, string text)
    {
        try
        {
            using var file = new StreamWriter(new FileStream(path, FileMode.CreateNew, FileAccess.Write));
            file.Write(text);
        }
        catch (IOException) when (Path.Exists(path))
        {
            throw Exists(path);
        }
    }
}

/// <summary>What <c>ingot init --output json</c> prints.</summary>
internal sealed record InitReport(string File, bool Written, IReadOnlyList<string> Dockerfiles, string Text);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(InitReport))]
internal sealed partial class InitJson : JsonSerializerContext;

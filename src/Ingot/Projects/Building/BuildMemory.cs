using Ingot.Builds.Files;
using Ingot.Builds.Running;
using Ingot.Diagnostics;
using Ingot.Oci.Content;
using Ingot.Oci.Layouts;
using Ingot.Oci.Linux;
using Ingot.Plans;
using Ingot.Projects.Images;
using Ingot.Projects.Recipes;
using Ingot.Templates.Project;
using Ingot.Tools;

namespace Ingot.Projects.Building;

/// <summary>Says of a build what it depended on, so that the same one is known to come to the same while nothing of that changed.</summary>
public static class BuildMemory
{
    /// <summary>Whether what a build comes to is decided by files that can be looked at: not by what is elsewhere, was said to be secret,
    /// or is to be done again.</summary>
    public static bool CanRemember(ProjectHost host, ProjectDefinition project, BuildOptions options) =>
        options is { Platforms: [var platform], Explain: false, Names: true, Epoch: not { Time: null }, Bases.Update: null }
        && options.Caches is { NoCache: false, Directory: null, From: [], To: [] }
        && options.Plan is { FreshStages: [], Contexts.Count: 0 }
        && options.Access is { Secrets.Count: 0, SshAgents.Count: 0 }
        && platform == Platform.Host
        && project.Epoch is not { Time: null }
        && project.Images.All(i => i.Epoch is not { Time: null } && !host.FrontEnds.Of(i).ReadsStandardInput);

    /// <summary>What is to be remembered of a build; null when it cannot be known to be the same another time.</summary>
    /// <param name="host">What it was built with.</param>
    /// <param name="project">The project.</param>
    /// <param name="directory">Where that is.</param>
    /// <param name="built">What the build came to.</param>
    /// <param name="said">What is said when all is as it was.</param>
    /// <param name="asked">Files whose presence decided what was meant.</param>
    public static RememberedBuild? Of(
        ProjectHost host, ProjectDefinition project, string directory, PlatformBuild built, IReadOnlyList<string> said,
        IReadOnlyList<string> asked)
    {
        if (built.Looks is not { } looks || FilesOf(host, project, directory) is not { } templates)
            return null;

        string At(string path) => Path.Combine(directory, path);
        string[] files = [.. ProjectDefinition.FileNames.Select(At).Concat(asked).Concat(templates.SelectMany(t => t.Read)).Distinct()];
        var ignored = templates.SelectMany(t => t.IgnoreFiles).ToList();
        // A link says the same when what it leads to changed; and what leaves something out must be the same file as when the contexts
        // were looked at.
        if (!files.All(file => IsNoLink(directory, file)) || !looks.All(l => ignored.Contains(l.IgnoreFile)))
            return null;

        return new RememberedBuild
        {
            Said = said,
            Files = files,
            // The same files may be of another commit by now, which the record of the build names.
            Replaced = [At(ImageLock.FileName), Path.Combine(host.Places.Content, OciLayout.IndexFile), .. CommitsOf(directory)],
            Needed =
            [
                .. built.Images.Select(i => BuildRecipe.PathOf(host.Places, i.Digest)),
                .. built.Images.SelectMany(i => i.Manifest.Layers.Append(i.Manifest.Config).Select(d => d.Digest).Append(i.Digest))
                    .Distinct().Select(host.Store.PathOf),
                .. templates.SelectMany(t => t.Contexts).Distinct(),
            ],
            Looks = looks,
        };
    }

    private static List<TemplateFiles>? FilesOf(ProjectHost host, ProjectDefinition project, string directory)
    {
        try
        {
            var files = project.Images.Select(i => host.FrontEnds.Of(i).FilesIn(directory)).ToList();
            return files.Contains(null) ? null : [.. files.OfType<TemplateFiles>()];
        }
        catch (InvalidInputException)
        {
            return null;
        }
    }

    private static bool IsNoLink(string directory, string path)
    {
        using var root = new RootedDirectory(directory);
        using var file = RootedDirectory.FindResolved(Path.GetFullPath(Path.GetRelativePath(directory, path), root.Path), out var answer);
        return answer != PathAnswer.Outside;
    }

    // What was ever checked out, a line each. Where the repository is not read there is no commit to be recorded.
    private static IEnumerable<string> CommitsOf(string directory)
    {
        try
        {
            return GitRepository.Find(directory) is { } repository ? [repository.HeadLog] : [];
        }
        catch (Exception e) when (e is ToolException or IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }
}

using System.Collections;
using System.Text;
using Ingot.Builds;
using Ingot.Builds.Files;
using Ingot.Builds.Running;
using Ingot.Cli.Commands;
using Ingot.Diagnostics;
using Ingot.Oci.Content;
using Ingot.Oci.Layouts;
using Ingot.Oci.Linux;
using Ingot.Plans;
using Ingot.Server.Storage;
using Ingot.Templates.Dockerfile;
using Ingot.Templates.Project;
using Ingot.Tools;

namespace Ingot.Cli.Pipeline;

/// <summary>Answers <c>ingot build</c> when nothing changed since the same words were last said, before anything else is loaded.</summary>
internal static class UnchangedBuild
{
    // What shells change from line to line, and no build asks for.
    private static readonly string[] s_passing = ["_", "PWD", "OLDPWD", "SHLVL"];

    /// <summary>Says what the same command said before, if nothing changed since; false when it must be carried out.</summary>
    public static bool TryAnswer(string[] arguments, TextWriter output)
    {
        if (!arguments.Contains("build") || Find(arguments) is not { } said)
            return false;

        foreach (string line in said)
            output.WriteLine(PlainText.Visible(line));
        return true;
    }

    // Where something is wrong with the surroundings, as with a working directory that is gone, carrying the command out says what.
    private static IReadOnlyList<string>? Find(string[] arguments)
    {
        try
        {
            var home = Home.FromEnvironment();
            HomeDirectory.Check(home.Directory);
            return RememberedBuild.Find(home.Cache, KeyOf(arguments), TimeProvider.System);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or IngotException)
        {
            return null;
        }
    }

    /// <summary>Whether what a build comes to is decided by files that can be looked at: not by what is elsewhere, was said to be secret, or is to be done again.</summary>
    public static bool CanRemember(ProjectDefinition project, BuildOptions options) =>
        options is { NoCache: false, FreshStages: [], Platforms.Count: 1, Explain: false }
        && options is { Names: true, Cache: null, CacheFrom: [], CacheTo: [], Contexts.Count: 0, Secrets.Count: 0, SshAgents.Count: 0 }
        && options.Bases.Update is null
        && options.Platform == Platform.Host
        && IsFixed(options.Epoch) && IsFixed(project.Epoch) && project.Images.All(i => IsFixed(i.Epoch) && i is not DockerfileImage { Dockerfile: PlanSettings.StandardInputName });

    private static bool IsFixed(EpochDefinition? epoch) => epoch is not { Time: null };

    /// <summary>Remembers a build.</summary>
    /// <param name="context">What the command was given.</param>
    /// <param name="project">The project.</param>
    /// <param name="images">What was built.</param>
    /// <param name="looks">What the contexts looked like; null when that says too little.</param>
    /// <param name="said">What is said when all is as it was.</param>
    /// <param name="asked">Files whose presence decided what the words meant.</param>
    /// <param name="began">What <see cref="RememberedBuild.Now"/> said before any of it was read.</param>
    public static void Remember(CommandContext context, ProjectDefinition project, IReadOnlyList<BuiltImage> images,
        IReadOnlyList<ContextLook>? looks, IReadOnlyList<string> said, IReadOnlyList<string> asked, long began)
    {
        var dockerfiles = project.Images.OfType<DockerfileImage>().Where(i => i.Dockerfile != PlanSettings.StandardInputName).ToList();
        string At(string path) => Path.Combine(context.Directory, path);
        // A link says the same when what it leads to changed.
        string[] files = [.. ProjectDefinition.FileNames.Select(At), .. asked, .. dockerfiles.SelectMany(d => FilesOf(At(d.Dockerfile), At(d.Context)))];
        files = [.. files.Distinct()];
        if (looks is null || !files.All(file => IsNoLink(context.Directory, file)) || !AreSame(looks, [.. dockerfiles.Select(d => new ImageFiles(context.Directory, d))]))
            return;

        var store = new OciLayout(context.Home.Content).Store;
        new RememberedBuild
        {
            Said = said,
            Files = files,
            // The same files may be of another commit by now, which the record of the build names.
            Replaced = [At(ImageLock.FileName), Path.Combine(context.Home.Content, OciLayout.IndexFile), .. CommitsOf(context.Directory)],
            Needed = [.. images.Select(i => BuildRecipe.PathOf(context.Home, i.Digest)), .. images.SelectMany(i => i.Manifest.Layers.Append(i.Manifest.Config).Select(d => d.Digest).Append(i.Digest)).Distinct().Select(store.PathOf), .. dockerfiles.Select(d => At(d.Context)).Distinct()],
            Looks = looks,
        }.Keep(context.Home.Cache, KeyOf(context.Arguments), TimeProvider.System, began);
    }

    // What leaves something out must be the same file as when the contexts were looked at.
    private static bool AreSame(IReadOnlyList<ContextLook> looks, IReadOnlyList<ImageFiles> images)
    {
        try
        {
            var ignored = images.Select(i => i.FindContext()?.IgnoreFile).ToList();
            return looks.All(l => ignored.Contains(l.IgnoreFile));
        }
        catch (InvalidInputException)
        {
            return false;
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

    private static IEnumerable<string> FilesOf(string dockerfile, string context) => [dockerfile, dockerfile + IgnoreFile.Name, Path.Combine(context, IgnoreFile.Name)];

    // Everything but files: the words, where they were said and by whom, the surroundings, and the program.
    private static Digest KeyOf(IReadOnlyList<string> arguments)
    {
        var surroundings = Environment.GetEnvironmentVariables().Cast<DictionaryEntry>()
            .Where(v => !s_passing.Contains((string)v.Key))
            .Select(v => $"{v.Key}={v.Value}")
            .Order(StringComparer.Ordinal);
        string[] program = [.. new[] { typeof(UnchangedBuild), typeof(RememberedBuild), typeof(Digest) }.Select(t => t.Assembly.ManifestModule.ModuleVersionId.ToString())];
        var key = new StringBuilder();
        foreach (string part in (string[])[.. program, Environment.CurrentDirectory, Environment.UserName, .. arguments, "", .. surroundings])
            key.Append(part.Length).Append(' ').Append(part).Append('\n');
        return Digest.Of(Encoding.UTF8.GetBytes(key.ToString()));
    }
}

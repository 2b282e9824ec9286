using System.Collections;
using System.Text;
using Ingot.Builds.Running;
using Ingot.Cli.Commands;
using Ingot.Diagnostics;
using Ingot.Oci.Content;
using Ingot.Projects;
using Ingot.Projects.Building;
using Ingot.Server.Storage;

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

    /// <summary>Remembers a build, if it can be known to be the same another time.</summary>
    /// <param name="host">What it was built with.</param>
    /// <param name="subject">What was built.</param>
    /// <param name="options">How.</param>
    /// <param name="built">What it came to.</param>
    /// <param name="began">What <see cref="RememberedBuild.Now"/> said before any of it was read.</param>
    public static void Remember(ProjectHost host, BuildSubject subject, BuildOptions options, PlatformBuild built, long began)
    {
        var context = subject.Context;
        // Whoever asks for details is to see what is done, and not what was said before.
        if (context.Terminal.IsVerbose || !BuildMemory.CanRemember(host, subject.Project, options))
            return;

        string[] said = context.Terminal.IsQuiet
            ? [.. built.Images.Select(i => $"{i.Name} {i.Digest}")]
            :
            [
                .. built.Warnings.Select(w => $"build    {w}"),
                .. built.Images.Select(i => $"build    {PlatformBuild.Sentence(i, i.Record.Steps)}"),
            ];
        BuildMemory.Of(host, subject.Project, context.Directory, built, said, subject.Asked)
            ?.Keep(host.Places.Cache, KeyOf(context.Arguments), TimeProvider.System, began);
    }

    // Everything but files: the words, where they were said and by whom, the surroundings, and the program.
    private static Digest KeyOf(IReadOnlyList<string> arguments)
    {
        var surroundings = Environment.GetEnvironmentVariables().Cast<DictionaryEntry>()
            .Where(v => !s_passing.Contains((string)v.Key))
            .Select(v => $"{v.Key}={v.Value}")
            .Order(StringComparer.Ordinal);
        string[] program = [.. new[] { typeof(UnchangedBuild), typeof(RememberedBuild), typeof(Digest) }
            .Select(t => t.Assembly.ManifestModule.ModuleVersionId.ToString())];
        var key = new StringBuilder();
        foreach (string part in (string[])[.. program, Environment.CurrentDirectory, Environment.UserName, .. arguments,
            "", .. surroundings])
            key.Append(part.Length).Append(' ').Append(part).Append('\n');
        return Digest.Of(Encoding.UTF8.GetBytes(key.ToString()));
    }
}

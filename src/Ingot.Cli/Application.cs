using System.Reflection;
using Ingot.Cli.Commands;
using Ingot.Cli.Output;
using Ingot.Cli.Pipeline;

namespace Ingot.Cli;

/// <summary>What every command is given: where it works, what it says, whom it asks.</summary>
internal sealed record CommandContext(string Directory, Home Home, Terminal Terminal)
{
    /// <summary>The words of the command line.</summary>
    public IReadOnlyList<string> Arguments { get; init; } = [];

    /// <summary>Whether <see cref="Directory"/> is that of <c>-C</c>, and then the project's; else the project is found in it or above it.</summary>
    public bool IsDirectoryGiven { get; init; }

    /// <summary>The directory of the project; that of the command where there is no project.</summary>
    public string ProjectDirectory => IsDirectoryGiven ? Directory : ProjectFiles.Search(Directory) ?? Directory;

    /// <summary>The same, in the directory of the project.</summary>
    public CommandContext AtProject() => this with { Directory = ProjectDirectory };

    /// <summary>A path as the person meant it, from the directory of <c>-C</c>.</summary>
    public string Resolve(string path) => Path.GetFullPath(path, Directory);

    public Task<ServerClient> ConnectAsync(CancellationToken cancellationToken, bool start = true) => new LocalServer(Home, Terminal).ConnectAsync(start, cancellationToken);
}

/// <summary>The program: its commands, and the one place where exceptions become messages and exit codes.</summary>
internal static class Application
{
    public static async Task<int> RunAsync(string[] args, TextWriter output, TextWriter error, bool outputIsTerminal, bool errorIsTerminal)
    {
        // Answered before anything else is loaded: scripts ask often.
        if (args is ["--version"])
        {
            await output.WriteLineAsync(Version);
            return ExitCode.Done;
        }

        if (UnchangedBuild.TryAnswer(args, output))
            return ExitCode.Done;

        return await new Invocation(args, output, error, outputIsTerminal, errorIsTerminal).RunAsync(CommandTable.All);
    }

    /// <summary>The version of the program.</summary>
    public static string Version => typeof(Application).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion;
}

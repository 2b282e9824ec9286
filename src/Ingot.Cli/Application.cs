using System.Reflection;
using Ingot.Cli.Commands;
using Ingot.Cli.Output;
using Ingot.Cli.Pipeline;
using Ingot.Oci.Layouts;
using Ingot.Projects;
using Ingot.Projects.Images;
using Ingot.Templates.Project;

namespace Ingot.Cli;

/// <summary>What every command is given: where it works, what it says, whom it asks.</summary>
internal sealed record CommandContext(string Directory, Home Home, Terminal Terminal)
{
    /// <summary>The words of the command line.</summary>
    public IReadOnlyList<string> Arguments { get; init; } = [];

    /// <summary>Whether <see cref="Directory"/> is that of <c>-C</c>, and then the project's; else the project is found in it or above
    /// it.</summary>
    public bool IsDirectoryGiven { get; init; }

    /// <summary>The directory of the project; that of the command where there is no project.</summary>
    public string ProjectDirectory => IsDirectoryGiven ? Directory : ProjectFiles.Search(Directory) ?? Directory;

    /// <summary>What work on projects is done with.</summary>
    public ProjectHost Host => HostFor(BuildProgressMode.Auto);

    /// <summary>The same, in the directory of the project.</summary>
    public CommandContext AtProject() => this with { Directory = ProjectDirectory };

    /// <summary>A path as the person meant it, from the directory of <c>-C</c>.</summary>
    public string Resolve(string path) => Path.GetFullPath(path, Directory);

    /// <summary>The directory for a command that needs a project; a project that is not carried out unasked throws, with why.</summary>
    public string RequireProject() => IsDirectoryGiven ? Directory : ProjectFiles.Require(Directory);

    /// <summary>The project the command is about, checked; wrong files throw with every diagnostic.</summary>
    public ProjectDefinition LoadProject() => ProjectFiles.Load(RequireProject(), Host.FrontEnds, IsDirectoryGiven);

    /// <summary>The project the command is about; null where there is none.</summary>
    public ProjectDefinition? FindProject() => ProjectFiles.IsIn(ProjectDirectory) ? LoadProject() : null;

    /// <summary>The images of the local store, also by the names of the project here.</summary>
    public LocalImages LocalImages => new(new OciLayout(Home.Content), FindProject);

    /// <summary>As <see cref="Host"/>, with builds shown in a way of their own.</summary>
    public ProjectHost HostFor(BuildProgressMode mode) => new()
    {
        Places = Home.Places,
        Surroundings = new HomeSurroundings(this),
        Version = Application.Version,
        Progress = new ProjectDisplay(Terminal, mode),
        ReadStandardInput = token => Console.In.ReadToEndAsync(token),
    };

    public Task<ServerClient> ConnectAsync(CancellationToken cancellationToken, bool start = true) =>
        new LocalServer(Home, Terminal).ConnectAsync(start, cancellationToken);
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
    public static string Version =>
        typeof(Application).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion;
}

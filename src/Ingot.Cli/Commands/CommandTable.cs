using System.CommandLine;
using System.CommandLine.Help;

namespace Ingot.Cli.Commands;

/// <summary>Binds what a command does to its context and to the one place that catches.</summary>
internal delegate Func<ParseResult, CancellationToken, Task<int>> Binder(
    Func<CommandContext, ParseResult, CancellationToken, Task<int>> act);

/// <summary>Every command, in the order of the help.</summary>
internal static class CommandTable
{
    public static IReadOnlyList<Func<Binder, Command>> All { get; } =
    [
        InitCommand.Create,
        UpCommand.Create,
        ReleaseCommands.CreateDown,
        BuildCommand.Create,
        TestCommand.Create,
        ScanCommand.Create,
        ImagesCommands.Create,
        ImagesCommands.CreateInspect,
        HistoryCommand.Create,
        DiffCommand.Create,
        ReproduceCommand.Create,
        ImportCommand.Create,
        ExportCommand.Create,
        RegistryCommands.CreatePush,
        RegistryCommands.CreatePull,
        RegistryCommands.CreateCopy,
        PromotionCommands.CreatePromote,
        PromotionCommands.CreateApprove,
        PromotionCommands.CreateReject,
        PromotionCommands.CreateRevoke,
        UntagCommand.Create,
        PromotionCommands.CreateExplain,
        ReleaseCommands.CreateDeploy,
        ReleaseCommands.CreateRollback,
        ReleaseCommands.CreatePause,
        ReleaseCommands.CreateResume,
        StatusCommand.Create,
        StatusCommand.CreateInstances,
        PsCommand.Create,
        LogsCommand.Create,
        ExecCommand.Create,
        LogCommands.Create,
        PruneCommand.Create,
        KeysCommands.Create,
        TokensCommands.Create,
        ServeCommand.Create,
        DoctorCommand.Create,
        VersionCommand.Create,
        HelpCommand.Create,
        CompletionCommand.Create,
        GenerateDocsCommand.Create,
    ];

    /// <summary>The commands beneath the program's name, with the options that all of them have.</summary>
    public static Command Root(GlobalSymbols symbols, IReadOnlyList<Func<Binder, Command>> commands, Binder bind)
    {
        // By its own name, whatever the file is called that it runs from.
        var root = new Command("ingot", "Ingot casts golden images once, proves what they are, promotes them by policy, "
            + "and replaces running instances; it never patches them")
        {
            new HelpOption(),
            new VersionOption(),
        };
        symbols.AddTo(root);
        foreach (var create in commands)
            root.Add(create(bind));
        return root;
    }
}

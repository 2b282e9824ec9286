namespace Ingot.Tools;

/// <summary>Runs commands that cannot outlive this process: whatever ends it, SIGKILL included, the kernel ends them and everything they
/// started, and takes away what was mounted for them.</summary>
public static class Tether
{
    /// <summary>The command in a process and mount namespace whose first process is killed with its parent.</summary>
    // unshare has its child killed with it, and that child is the first process of its namespace: when it ends the kernel kills all the
    // others, however they were daemonised.
    public static Command Tie(Command command) => EndWithThread(new Command(
        "unshare",
        ["--pid", "--mount", "--fork", "--kill-child=KILL", "--mount-proc", "--", command.Program, .. command.Arguments])
    {
        Environment = command.Environment,
        Directory = command.Directory,
        Input = command.Input,
    });

    /// <summary>The command, to be killed by the kernel when the thread that starts it ends. What it starts itself is not.</summary>
    public static Command EndWithThread(Command command) =>
        command with { Program = "setpriv", Arguments = ["--pdeathsig", "KILL", "--", command.Program, .. command.Arguments] };

    /// <summary>Runs <see cref="Tie"/> of the command to its end. <paramref name="onLine"/> gets each line of both streams as it comes,
    /// from any thread.</summary>
    public static Task<CommandResult> RunAsync(Command command, Action<string>? onLine, CancellationToken cancellationToken = default) =>
        RunAsync(command, [], onLine, cancellationToken);

    /// <summary>Runs <see cref="Tie"/> of the command to its end, with what was made ready for it and nobody else sees. Paths of that are
    /// relative to the command's directory.</summary>
    public static Task<CommandResult> RunAsync(
        Command command, IReadOnlyList<Preparation> preparations, Action<string>? onLine, CancellationToken cancellationToken = default)
    {
        var result = new TaskCompletionSource<CommandResult>(TaskCreationOptions.RunContinuationsAsynchronously);
        // The kernel's "parent" of a parent-death signal is the thread that started the child.
        // A thread of the pool may end while the child runs, so this one waits.
        var thread = new Thread(() => Run(Tie(command), preparations, onLine, result, cancellationToken))
        {
            IsBackground = true,
            Name = command.Program,
        };
        thread.Start();
        return result.Task;
    }

    private static void Run(
        Command command, IReadOnlyList<Preparation> preparations, Action<string>? onLine, TaskCompletionSource<CommandResult> result,
        CancellationToken cancellationToken)
    {
        try
        {
            result.SetResult(Run(command, preparations, onLine, cancellationToken));
        }
        catch (OperationCanceledException e)
        {
            result.SetCanceled(e.CancellationToken);
        }
        catch (Exception e)
        {
            // Whoever awaits the result gets it; on this thread it would end the process.
            result.SetException(e);
        }
    }

    private static CommandResult Run(
        Command command, IReadOnlyList<Preparation> preparations, Action<string>? onLine, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        // The thread's own, and so the program's: there is nothing to take away afterwards, however this process ends.
        using var made = Preparations.Make(preparations, command.Directory ?? CommandRunner.NoDirectory, cancellationToken);
        return CommandRunner.TryRunAsync(command, onLine, cancellationToken).GetAwaiter().GetResult();
    }
}

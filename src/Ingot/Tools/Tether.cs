namespace Ingot.Tools;

/// <summary>Runs commands that cannot outlive this process: whatever ends it, SIGKILL included, the kernel ends them and everything they started, and takes away what they mounted.</summary>
public static class Tether
{
    /// <summary>The command in a process and mount namespace whose first process is killed with its parent.</summary>
    // setpriv asks to be killed with this process, unshare to have its child killed with it, and that child is the first process of its
    // namespace: when it ends the kernel kills all the others, however they were daemonised.
    public static Command Tie(Command command) => new(
        "setpriv",
        [
            "--pdeathsig", "KILL", "--",
            "unshare", "--pid", "--mount", "--fork", "--kill-child=KILL", "--mount-proc", "--",
            command.Program, .. command.Arguments,
        ])
    {
        Environment = command.Environment,
        Directory = command.Directory,
        Input = command.Input,
    };

    /// <summary>Several commands, one after the other in the directory of the last, each only when the one before succeeded: one value to tie when the last needs what the first ones mount. All read one standard input, the last one's.</summary>
    public static Command Sequence(params IReadOnlyList<Command> commands) =>
        new("sh", "-c", string.Join(" && ", [.. commands.Take(commands.Count - 1).Select(c => c.ToString()), "exec " + commands[^1]]))
        {
            Environment = commands[^1].Environment,
            Directory = commands[^1].Directory,
            Input = commands[^1].Input,
        };

    /// <summary>Runs <see cref="Tie"/> of the command to its end. <paramref name="onLine"/> gets each line of both streams as it comes, from any thread.</summary>
    public static Task<CommandResult> RunAsync(Command command, Action<string>? onLine, CancellationToken cancellationToken = default) =>
        RunAsync(command, [], onLine, cancellationToken);

    /// <summary>Runs <see cref="Tie"/> of the command to its end, with images of layers mounted that nobody else sees.</summary>
    public static Task<CommandResult> RunAsync(Command command, IReadOnlyList<ImageMount> images, Action<string>? onLine, CancellationToken cancellationToken = default)
    {
        var result = new TaskCompletionSource<CommandResult>(TaskCreationOptions.RunContinuationsAsynchronously);
        // The kernel's "parent" of a parent-death signal is the thread that started the child. A thread of the pool may end while the child runs, so this one waits.
        var thread = new Thread(() => Run(Tie(command), images, onLine, result, cancellationToken)) { IsBackground = true, Name = command.Program };
        thread.Start();
        return result.Task;
    }

    private static void Run(Command command, IReadOnlyList<ImageMount> images, Action<string>? onLine, TaskCompletionSource<CommandResult> result, CancellationToken cancellationToken)
    {
        try
        {
            // The thread's own, and so the program's: there is nothing to take away afterwards, however this process ends.
            if (images.Count > 0)
                Mounts.Seclude();
            foreach (var image in images)
                Mounts.Erofs(image);
            result.SetResult(CommandRunner.TryRunAsync(command, onLine, cancellationToken).GetAwaiter().GetResult());
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
}

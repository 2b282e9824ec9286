using Ingot.Oci.Content;
using Ingot.Oci.Linux;
using Ingot.Tools;

namespace Ingot.Builds.Remote;

/// <summary>Runs programs that write as much as somebody else sends them, and ends them before the disk is full: trying again would fill it
/// again.</summary>
internal static class FillingCommand
{
    private const string RemoteSays = "remote: ";

    private static readonly TimeSpan s_betweenLooks = TimeSpan.FromMilliseconds(250);

    // As the C library says them without a locale.
    private static readonly (string Text, int Error)[] s_disk =
    [
        ("No space left on device", Kernel.ENOSPC), ("Disk quota exceeded", Kernel.EDQUOT), ("Read-only file system", Kernel.EROFS),
    ];

    /// <summary>Runs a program to its end.</summary>
    /// <param name="command">The program.</param>
    /// <param name="directory">Where it writes.</param>
    /// <param name="reserve">What is to stay free there.</param>
    /// <param name="what">What it writes, for people.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="DiskException">The disk has no room for it.</exception>
    public static async Task<CommandResult> RunAsync(
        Command command, string directory, long reserve, string what, CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var running = CommandRunner.TryRunAsync(command, onLine: null, stop.Token);
        try
        {
            while (await Task.WhenAny(running, Task.Delay(s_betweenLooks, CancellationToken.None)) != running)
                DiskException.RequireReserve(directory, reserve, what);
        }
        catch
        {
            await stop.CancelAsync();
            await ((Task)running).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            throw;
        }

        var result = await running;
        return result.ExitCode != 0 && ErrorIn(result.Tail) is { } error
            ? throw DiskException.Of(directory, bytes: 0, new IOException(result.Tail, error))!
            : result;
    }

    // What the other side says of its own disk is another matter.
    private static int? ErrorIn(string tail)
    {
        var own = tail.Split('\n').Where(line => !line.StartsWith(RemoteSays, StringComparison.Ordinal));
        foreach (var (text, error) in s_disk)
        {
            if (own.Any(line => line.Contains(text, StringComparison.Ordinal)))
                return error;
        }

        return null;
    }
}

using System.Globalization;
using System.Runtime.InteropServices;
using Ingot.Oci.Linux;

namespace Ingot.Tools;

/// <summary>HAProxy as a process of its own, which outlives the one that started it and is started again when it ends.</summary>
public static class Haproxy
{
    private const int LongestSocketPath = 107;

    private static readonly TimeSpan s_checkTime = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan s_startTime = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan s_returnTime = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan s_politeTime = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_stopTime = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan s_poll = TimeSpan.FromMilliseconds(20);

    /// <summary>Checks a configuration without running it.</summary>
    public static Command Check(HaproxyConfig config) => new("haproxy", "-c", "-q", "-f", config.NextConfigPath);

    /// <summary>Whether a process is started again when it ends.</summary>
    public static bool IsKept(HaproxyConfig config, int pid) => HaproxyKeeper.Keeps(pid, config);

    /// <summary>Starts a process with a configuration, or one that takes over from the process that runs with another one; returns once
    /// it answers.</summary>
    /// <remarks>
    /// The order is what keeps users from noticing. Addresses that are new are taken first, for this service alone: when one is not to be
    /// had, nothing has changed. Those that are listened to stay open throughout, and an address that is no longer wanted is closed only
    /// when the new process has taken over.
    /// </remarks>
    public static async Task RunAsync(HaproxyConfig config, TimeProvider time, CancellationToken cancellationToken = default)
    {
        if (config.SocketPath.Length > LongestSocketPath)
            throw new ToolException("haproxy",
                $"the socket path '{config.SocketPath}' has {config.SocketPath.Length} characters; the system allows {LongestSocketPath}");

        string text = config.Render();
        var keepers = HaproxyKeeper.Find(config);
        var before = await ProcessesAsync(config, cancellationToken);
        var sockets = Open(config.Listen, [.. keepers, .. before]);
        try
        {
            Directory.CreateDirectory(config.Directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            WriteWhole(config.ChecksPath, config.RenderChecks());
            await File.WriteAllTextAsync(config.NextConfigPath, text, cancellationToken);
            SafeHandle[] handles = [.. sockets.Select(socket => socket.Handle)];
            await CheckAsync(config, handles, time, cancellationToken);
            File.Move(config.NextConfigPath, config.ConfigPath, overwrite: true);
            HaproxyKeeper.Start(config, handles, keepers, before);
            int pid = await AnswersAsync(config, before, time, cancellationToken);
            DismissOthers(config, pid);
        }
        finally
        {
            sockets.ForEach(socket => socket.Dispose());
        }
    }

    /// <summary>Writes the servers with which a process is started again when it ends.</summary>
    public static void Save(HaproxyConfig config)
    {
        WriteWhole(config.ChecksPath, config.RenderChecks());
        WriteWhole(config.ConfigPath, config.Render());
    }

    /// <summary>The servers with which a process would be started again; none when nothing was ever written.</summary>
    public static IReadOnlyList<HaproxyServer> Saved(HaproxyConfig config) => File.Exists(config.ConfigPath)
        && File.Exists(config.ChecksPath)
        ? HaproxyConfig.ReadServers(File.ReadAllText(config.ConfigPath), File.ReadAllText(config.ChecksPath))
        : [];

    /// <summary>What the process says of itself; one that has just ended and is kept is given the time to come back. Null when none
    /// runs.</summary>
    public static async Task<HaproxyInfo?> FindAsync(HaproxyConfig config, TimeProvider time, CancellationToken cancellationToken = default)
    {
        var runtime = new HaproxyRuntime(config.SocketPath, time);
        long start = time.GetTimestamp();
        while (true)
        {
            if (await runtime.TryInfoAsync(cancellationToken) is { } info)
                return info;
            if (time.GetElapsedTime(start) > s_returnTime || HaproxyKeeper.Find(config).Count == 0)
                return null;
            await Task.Delay(s_poll, time, cancellationToken);
        }
    }

    /// <summary>Ends everything that runs with this configuration, and returns when it is gone: what keeps HAProxy first, then
    /// HAProxy.</summary>
    public static async Task StopAsync(HaproxyConfig config, TimeProvider time, CancellationToken cancellationToken = default)
    {
        long start = time.GetTimestamp();
        IReadOnlyList<int> asked = await AnswererAsync(config, time, cancellationToken);
        while (true)
        {
            var elapsed = time.GetElapsedTime(start);
            var keepers = HaproxyKeeper.Find(config);
            Signal(keepers, Kernel.SIGKILL);
            int[] left = [.. HaproxyKeeper.FindProxies(config).Union(asked.Where(IsHaproxy))];
            Signal(left, elapsed > s_politeTime ? Kernel.SIGKILL : Kernel.SIGTERM);
            if (keepers.Count + left.Length == 0)
                return;
            if (elapsed > s_stopTime)
                throw new ToolException("haproxy", string.Create(CultureInfo.InvariantCulture, $"the process {left.Concat(keepers).First()}"
                    + $" could not be ended within {s_stopTime.TotalSeconds:0} s; end it with 'kill -9'"));
            await Task.Delay(s_poll, time, cancellationToken);
        }
    }

    /// <summary>The sockets of some addresses: those that processes hold already, and new ones. All or none.</summary>
    private static List<ListeningSocket> Open(IReadOnlyList<System.Net.IPEndPoint> addresses, IReadOnlyList<int> holders)
    {
        var sockets = new List<ListeningSocket>();
        try
        {
            foreach (var address in addresses)
                sockets.Add(ListeningSocket.TryTake(address, holders) ?? ListeningSocket.Bind(address));
            return sockets;
        }
        catch
        {
            sockets.ForEach(socket => socket.Dispose());
            throw;
        }
    }

    private static async Task CheckAsync(
        HaproxyConfig config, IReadOnlyList<SafeHandle> sockets, TimeProvider time, CancellationToken cancellationToken)
    {
        // The configuration names the sockets by number, and HAProxy looks at them.
        File.Delete(config.LogPath);
        var check = ChildProcess.Start(Check(config), config.LogPath, given: sockets);
        try
        {
            int code = await Task.Run(check.Wait, CancellationToken.None).WaitAsync(s_checkTime, time, cancellationToken);
            if (code != 0)
                throw new ToolException(Check(config), code, HaproxyKeeper.Tail(config));
        }
        catch (TimeoutException e)
        {
            throw new ToolException("haproxy", $"'{Check(config)}' did not end within {s_checkTime.TotalSeconds:0} s", e);
        }
        finally
        {
            check.Kill();
        }
    }

    private static async Task<int> AnswersAsync(
        HaproxyConfig config, IReadOnlyList<int> before, TimeProvider time, CancellationToken cancellationToken)
    {
        long start = time.GetTimestamp();
        var runtime = new HaproxyRuntime(config.SocketPath, time);
        while (true)
        {
            var info = await runtime.TryInfoAsync(cancellationToken);
            if (info is not null && !before.Contains(info.Pid) && info.Description == config.Description)
                return info.Pid;
            if (time.GetElapsedTime(start) > s_startTime)
                throw new ToolException("haproxy", $"HAProxy was started with '{config.ConfigPath}' and does not answer on "
                    + $"'{config.SocketPath}' after {s_startTime.TotalSeconds:0} s; it wrote:\n{HaproxyKeeper.Tail(config)}");
            await Task.Delay(s_poll, time, cancellationToken);
        }
    }

    // What the keeper before started in its last moment would take requests too, by servers and weights of its own.
    private static void DismissOthers(HaproxyConfig config, int pid) =>
        Signal(HaproxyKeeper.FindProxies(config).Where(process => process != pid), Kernel.SIGUSR1);

    private static async Task<IReadOnlyList<int>> ProcessesAsync(HaproxyConfig config, CancellationToken cancellationToken)
    {
        // The one that answers may be of an older program, which gave it another configuration's path.
        var info = await new HaproxyRuntime(config.SocketPath, TimeProvider.System).TryInfoAsync(cancellationToken);
        return [.. HaproxyKeeper.FindProxies(config).Union(info is { Pid: var pid } && IsHaproxy(pid) ? [pid] : [])];
    }

    private static async Task<IReadOnlyList<int>> AnswererAsync(
        HaproxyConfig config, TimeProvider time, CancellationToken cancellationToken)
    {
        try
        {
            return await new HaproxyRuntime(config.SocketPath, time).TryInfoAsync(cancellationToken) is { } info ? [info.Pid] : [];
        }
        catch (ToolException)
        {
            // One that does not answer is found by its configuration and ended all the same.
            return [];
        }
    }

    private static bool IsHaproxy(int pid) => Processes.NameOf(pid) == "haproxy" && Processes.WordsOf(pid).Count > 0;

    private static void Signal(IEnumerable<int> processes, int signal)
    {
        foreach (int process in processes)
            _ = Libc.Kill(process, signal);
    }

    // Whoever reads it at any time, after whatever end of this process, finds the one or the other.
    private static void WriteWhole(string path, string text)
    {
        string next = path + ".new";
        File.WriteAllText(next, text);
        File.Move(next, path, overwrite: true);
    }
}

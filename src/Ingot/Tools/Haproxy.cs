using System.Globalization;
using Ingot.Oci.Linux;

namespace Ingot.Tools;

/// <summary>HAProxy as a process of its own: it detaches from the one that started it and outlives it.</summary>
public static class Haproxy
{
    private const int LongestSocketPath = 107;

    private static readonly TimeSpan s_startTime = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan s_stopTime = TimeSpan.FromSeconds(5);

    /// <summary>Checks a configuration without running it.</summary>
    public static Command Check(HaproxyConfig config) => new("haproxy", "-c", "-q", "-f", config.ConfigPath);

    /// <summary>Starts a process that detaches.</summary>
    public static Command Start(HaproxyConfig config) => new("haproxy", "-D", "-f", config.ConfigPath);

    /// <summary>Starts a process that takes the listening sockets over from <paramref name="pid"/>, which ends once its requests have.</summary>
    public static Command Replace(HaproxyConfig config, int pid) =>
        new("haproxy", "-D", "-f", config.ConfigPath, "-x", config.SocketPath, "-sf", pid.ToString(CultureInfo.InvariantCulture));

    /// <summary>The id of the process that runs with this configuration; null when none does. A process id that now belongs to something else is not taken for it.</summary>
    public static int? FindProcess(HaproxyConfig config)
    {
        // The first line is the one of a single process.
        string? line = File.Exists(config.PidPath) ? File.ReadLines(config.PidPath).FirstOrDefault() : null;
        return int.TryParse(line, NumberStyles.None, CultureInfo.InvariantCulture, out int pid) && IsOurs(pid, config.ConfigPath) ? pid : null;
    }

    /// <summary>Writes the configuration, checks it, and starts a process with it, or one that takes over from the process that runs with it; returns once its command socket answers.</summary>
    public static async Task RunAsync(HaproxyConfig config, TimeProvider time, CancellationToken cancellationToken = default)
    {
        if (config.SocketPath.Length > LongestSocketPath)
            throw new ToolException("haproxy", $"the socket path '{config.SocketPath}' has {config.SocketPath.Length} characters; the system allows {LongestSocketPath}");

        int? running = FindProcess(config);
        Directory.CreateDirectory(config.Directory);
        Directory.CreateDirectory(Path.GetDirectoryName(config.SocketPath)!, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        await File.WriteAllTextAsync(config.ChecksPath, config.RenderChecks(), cancellationToken).ConfigureAwait(false);
        await File.WriteAllTextAsync(config.ConfigPath, config.Render(), cancellationToken).ConfigureAwait(false);
        await CommandRunner.RunAsync(Check(config), cancellationToken).ConfigureAwait(false);
        await CommandRunner.RunAsync(running is { } pid ? Replace(config, pid) : Start(config), cancellationToken).ConfigureAwait(false);
        await AnswersAsync(config, running, time, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Ends the process that runs with this configuration at once, if one does, and returns when it is gone.</summary>
    public static async Task StopAsync(HaproxyConfig config, TimeProvider time, CancellationToken cancellationToken = default)
    {
        if (FindProcess(config) is not { } pid)
            return;

        var deadline = time.GetUtcNow() + s_stopTime;
        int signal = Kernel.SIGTERM;
        while (IsOurs(pid, config.ConfigPath))
        {
            if (Libc.Kill(pid, signal) != 0 && IsOurs(pid, config.ConfigPath))
                throw new ToolException("haproxy", $"the process {pid} could not be ended: error {LinuxError.Last}; it belongs to another user");
            await Task.Delay(TimeSpan.FromMilliseconds(20), time, cancellationToken).ConfigureAwait(false);
            signal = time.GetUtcNow() > deadline ? Kernel.SIGKILL : Kernel.SIGTERM;
        }

        File.Delete(config.PidPath);
    }

    private static async Task AnswersAsync(HaproxyConfig config, int? replaced, TimeProvider time, CancellationToken cancellationToken)
    {
        var deadline = time.GetUtcNow() + s_startTime;
        var runtime = new HaproxyRuntime(config.SocketPath);
        while (true)
        {
            var info = await runtime.TryInfoAsync(cancellationToken).ConfigureAwait(false);
            if (info is not null && info.Pid != replaced && info.Description == config.Description)
                return;
            if (time.GetUtcNow() > deadline)
                throw new ToolException("haproxy", $"HAProxy was started with '{config.ConfigPath}' and does not answer on '{config.SocketPath}' after {s_startTime.TotalSeconds:0} s");
            await Task.Delay(TimeSpan.FromMilliseconds(20), time, cancellationToken).ConfigureAwait(false);
        }
    }

    // A number in a file proves nothing after a reboot: the process must be HAProxy and must have been given our configuration.
    private static bool IsOurs(int pid, string configPath)
    {
        try
        {
            var words = File.ReadAllText(string.Create(CultureInfo.InvariantCulture, $"/proc/{pid}/cmdline")).Split('\0');
            bool alive = !File.ReadLines(string.Create(CultureInfo.InvariantCulture, $"/proc/{pid}/status")).Any(line => line.StartsWith("State:\tZ", StringComparison.Ordinal));
            return alive && Path.GetFileName(words[0]) == "haproxy" && words.Contains(configPath);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return false;
        }
        catch (IOException)
        {
            // ESRCH: it ended between opening and reading.
            return false;
        }
    }
}

using System.Globalization;
using System.Runtime.InteropServices;

namespace Ingot.Tools;

/// <summary>
/// The process that holds a proxy's listening sockets and starts HAProxy on them again whenever it ends. It outlives Ingot, so that a
/// proxy that is killed comes back with nobody there: connections wait in the sockets' queues meanwhile. It is a shell, which takes less
/// than two megabytes, reads nothing but its own words and listens to nobody.
/// </summary>
/// <remarks>
/// When it is killed itself HAProxy goes on, and is seen not to be kept: its parent is another process then. A new keeper takes the
/// sockets over from whoever holds them, and nothing is closed in between.
/// </remarks>
internal static class HaproxyKeeper
{
    // The name under which the shell sees itself, and by which it is known.
    private const string Name = "ingot-keep-haproxy";

    // The keeper before ends first: two would each start a HAProxy. Those that it started are replaced by the one started here, which is
    // told them until it has lived for a while; once more they would be numbers that may mean another process. What it writes is kept
    // until the next start.
    private const string Script = """
        config=$1 log=$2 keepers=$3 before=$4 pause=0.05
        [ -z "$keepers" ] || kill -KILL $keepers
        while :; do
            read -r began rest </proc/uptime
            haproxy -q -db -f "$config" ${before:+-sf $before} >"$log" 2>&1 </dev/null
            read -r ended rest </proc/uptime
            if [ $((${ended%.*} - ${began%.*})) -lt 2 ]; then
                sleep $pause
                case $pause in 0.05) pause=0.2 ;; *) pause=0.5 ;; esac
            else
                before= pause=0.05
            fi
        done
        """;

    /// <summary>Starts a keeper in a session of its own, in place of those before, and does not wait for HAProxy.</summary>
    public static void Start(HaproxyConfig config, IReadOnlyList<SafeHandle> sockets, IEnumerable<int> keepers, IEnumerable<int> before)
    {
        // setsid leaves it to the system's first process, so that nobody has to wait for its end.
        var command = new Command("setsid", "--fork", "sh", "-c", Script, Name, config.ConfigPath, config.LogPath,
            Words(keepers), Words(before));
        int code = ChildProcess.Start(command, config.LogPath, given: sockets).Wait();
        if (code != 0)
            throw new ToolException("setsid", string.Create(CultureInfo.InvariantCulture,
                $"the keeper of HAProxy could not be started: setsid ended with exit code {code}: {Tail(config)}"));
    }

    /// <summary>The keepers that run for a configuration: one, or none.</summary>
    public static IReadOnlyList<int> Find(HaproxyConfig config) => [.. Processes.All().Where(process => IsKeeper(process, config))];

    /// <summary>Whether a process of HAProxy would be started again.</summary>
    public static bool Keeps(int proxy, HaproxyConfig config) =>
        Processes.ParentOf(proxy) is > 1 and var parent && IsKeeper(parent, config);

    /// <summary>The processes of HAProxy that run with a configuration, those that end once their requests have among them.</summary>
    public static IReadOnlyList<int> FindProxies(HaproxyConfig config) =>
        [.. Processes.All().Where(process => Processes.WordsOf(process) is [var program, ..] words
            && Path.GetFileName(program) == "haproxy"
            && words.Contains(config.ConfigPath))];

    /// <summary>The end of what HAProxy wrote when it was last started.</summary>
    public static string Tail(HaproxyConfig config) =>
        File.Exists(config.LogPath) ? string.Join('\n', File.ReadLines(config.LogPath).TakeLast(10)) : "";

    /// <summary>Whether a process keeps a HAProxy, whosever it is.</summary>
    public static bool IsKeeper(int process) => Processes.WordsOf(process) is ["sh", "-c", _, Name, ..];

    private static bool IsKeeper(int process, HaproxyConfig config) =>
        Processes.WordsOf(process) is ["sh", "-c", _, Name, var path, ..] && path == config.ConfigPath;

    private static string Words(IEnumerable<int> processes) =>
        string.Join(' ', processes.Select(process => process.ToString(CultureInfo.InvariantCulture)));
}

using System.Globalization;
using System.Text;
using Ingot.Oci.Images;
using Ingot.Tools;

namespace Ingot.Evidence.Tests;

/// <summary>A container of an image in which nothing can be changed and from which nothing can be reached.</summary>
/// <remarks>
/// It has its own processes, mounts, names and a network with a loopback only; a read-only root, the writable directories in memory, no
/// capabilities. It is tied to this process: whatever ends us, the kernel ends it, and takes its mounts away. Two kinds:
/// one runs the image's entry point; a held one runs nothing, so that commands can be tried in an image that has no
/// entry point, or whose entry point ends by itself.
/// </remarks>
internal sealed class Sandbox : IAsyncDisposable
{
    private const string HeldProgram = "/dev/.held";
    private const int MaxOutputBytes = 16 << 20;

    private readonly ScratchDirectory _scratch;
    private readonly Runc _runc;
    private readonly RuntimeProcess _process;
    private readonly CancellationTokenSource _end = new();
    private readonly Task<CommandResult> _running;
    private int _execs;

    private Sandbox(ScratchDirectory scratch, Runc runc, RuntimeProcess process, bool held)
    {
        _scratch = scratch;
        _runc = runc;
        _process = process;
        IsHeld = held;
        _running = held ? HoldAsync() : TetherAsync(Logged(_runc.Run(_scratch.Path, Id)), _end.Token);
    }

    /// <summary>Whether it runs nothing but the commands it is given.</summary>
    public bool IsHeld { get; }

    /// <summary>Its first process, from outside.</summary>
    public int ProcessId { get; private set; }

    /// <summary>Its network.</summary>
    public NetworkNamespace? Network { get; private set; }

    /// <summary>Whether its entry point has ended.</summary>
    public bool HasEnded => _running.IsCompleted;

    private string Id => Path.GetFileName(_scratch.Path);

    /// <summary>Starts a container of the root filesystem in <paramref name="root"/>. A container that ended at once, or could not be
    /// started for a fault of the image, is returned too: <see cref="HasEnded"/>.</summary>
    public static async Task<Sandbox> StartAsync(
        ImageRoot root, ContainerConfig config, SandboxOptions options, bool held, CancellationToken cancellationToken)
    {
        // Missing, it would look as if the image's own program were.
        await CommandRunner.RunAsync(new Command("runc", "--version"), cancellationToken);
        var scratch = await ScratchDirectory.CreateAsync(options.ScratchDirectory, "sandbox", cancellationToken);
        Sandbox? sandbox = null;
        try
        {
            var process = ProcessOf(root, config, options);
            await WriteBundleAsync(scratch.Path, root, process, config.User, options, held, cancellationToken);
            sandbox = new Sandbox(scratch, new Runc(Path.Combine(scratch.Path, ScratchDirectory.StateName)), process, held);
            await sandbox.WaitUntilStartedAsync(options.Time, cancellationToken);
            return sandbox;
        }
        catch
        {
            if (sandbox is not null)
                await sandbox.DisposeAsync();
            else
                await scratch.DisposeAsync();
            throw;
        }
    }

    /// <summary>Whether the image says what to run.</summary>
    public static bool HasEntryPoint(ContainerConfig config) => EntryPoint(config).Count > 0;

    /// <summary>How the entry point ended, with the end of what it wrote; null while it runs.</summary>
    public string? EndedHow()
    {
        if (!_running.IsCompletedSuccessfully)
            return null;

        var result = _running.Result;
        string how = $"the image's entry point ended with exit code {result.ExitCode}";
        return result.Tail.Length == 0 ? how : $"{how}:\n{result.Tail}";
    }

    /// <summary>Runs a command beside the entry point, as the same user.</summary>
    public async Task<CapturedOutput> ExecuteAsync(IReadOnlyList<string> arguments, CancellationToken cancellationToken)
    {
        string file = Path.Combine(_scratch.Path, $"exec-{Interlocked.Increment(ref _execs)}.json");
        await File.WriteAllBytesAsync(file, (_process with { Arguments = arguments }).ToJson(), cancellationToken);
        var exec = _runc.Exec(Id, file);
        // What runc knows of its container are process numbers of the namespace it was started in.
        return await CommandRunner.CaptureAsync(Within(TetherId(), exec), MaxOutputBytes, cancellationToken);
    }

    /// <summary>The names of its processes.</summary>
    public IReadOnlyList<string> ProcessNames()
    {
        string? home = PidNamespace(ProcessId);
        return home is null || IsHeld ? [] : [.. HostProcess.All().Where(p => PidNamespace(p.Id) == home).Select(p => p.Name)];
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        Network?.Dispose();
        await _end.CancelAsync();
        await ((Task)_running).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _end.Dispose();
        await _scratch.DisposeAsync();
    }

    private static List<string> EntryPoint(ContainerConfig config) => [.. config.Entrypoint ?? [], .. config.Cmd ?? []];

    private static RuntimeProcess ProcessOf(ImageRoot root, ContainerConfig config, SandboxOptions options)
    {
        var identity = root.ReadAccounts().Resolve(config.User, out _)
            ?? throw new SandboxException($"the image runs as '{config.User}', and its /etc/passwd or /etc/group has no such name");
        return new RuntimeProcess
        {
            Arguments = EntryPoint(config),
            Environment = EnvironmentOf(config, identity, options),
            Directory = config.WorkingDir is { Length: > 0 } directory ? directory : "/",
            User = new RuntimeUser
            {
                UserId = identity.UserId,
                GroupId = identity.GroupId,
                // The first group is among the further ones, as with Docker: dropping it must not open what it is denied (CVE-2022-36109).
                AdditionalGroupIds = [identity.GroupId, .. identity.FurtherGroupIds],
            },
            Capabilities = RuntimeCapabilities.None,
            NoNewPrivileges = true,
        };
    }

    private static List<string> EnvironmentOf(ContainerConfig config, ProcessIdentity identity, SandboxOptions options)
    {
        Dictionary<string, string> variables = new(StringComparer.Ordinal)
        {
            ["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            ["HOME"] = identity.Home,
        };
        foreach (var assignment in (config.Env ?? []).Concat(options.Environment))
        {
            int equals = assignment.IndexOf('=', StringComparison.Ordinal);
            if (equals > 0)
                variables[assignment[..equals]] = assignment[(equals + 1)..];
        }

        return [.. variables.Select(v => $"{v.Key}={v.Value}")];
    }

    private static async Task WriteBundleAsync(
        string bundle, ImageRoot root, RuntimeProcess process, string? user, SandboxOptions options, bool held,
        CancellationToken cancellationToken)
    {
        foreach (var name in new[] { "upper", "work", "root", ScratchDirectory.StateName })
            Directory.CreateDirectory(Path.Combine(bundle, name));
        Directory.CreateSymbolicLink(Path.Combine(bundle, "image"), root.Directory);

        var spec = RuntimeSpec.Container("root", held ? process with { Arguments = [HeldProgram] } : process, hostNetwork: false);
        spec = spec with
        {
            Root = spec.Root with { Readonly = true },
            Mounts = [.. spec.Mounts, .. options.Writable.Select(w => Memory(w.Key, w.Value, user))],
            Linux = spec.Linux with
            {
                // As Docker has it: without a capability a service may still open port 80 of its own network.
                Sysctl = new Dictionary<string, string> { ["net.ipv4.ip_unprivileged_port_start"] = "0" },
                Resources = spec.Linux.Resources with
                {
                    Memory = new RuntimeMemory(options.MaxMemory),
                    Pids = new RuntimePids(options.MaxProcesses),
                },
            },
        };
        if (held)
            spec = spec with { Mounts = [.. spec.Mounts, RuntimeMount.Bind(Held(bundle), HeldProgram, readOnly: true)] };
        await File.WriteAllBytesAsync(Path.Combine(bundle, "config.json"), spec.ToJson(), cancellationToken);
    }

    private static RuntimeMount Memory(string path, long bytes, string? user) =>
        new() { Destination = path, Type = "tmpfs", Source = "tmpfs", Options = MemoryDirectory.Options(bytes, user) };

    // A created container waits before it runs its program, and runc only looks whether there is one: it is never run.
    private static string Held(string bundle)
    {
        string path = Path.Combine(bundle, "held");
        File.WriteAllBytes(path, []);
        File.SetUnixFileMode(path, (UnixFileMode)0b111_101_101);
        return path;
    }

    // Mount points that the image lacks are made in the upper directory: the image itself stays as it is.
    private Task<CommandResult> TetherAsync(Command first, CancellationToken cancellationToken) =>
        Tether.RunAsync(first with { Directory = _scratch.Path }, [new OverlayMount(["image"], "upper", "work", "root")],
            onLine: null, cancellationToken);

    // A program that only waits is the first of the namespaces; the container is made in them, and ends with it.
    private async Task<CommandResult> HoldAsync()
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(_end.Token);
        var holding = TetherAsync(new Command("tail", "-f", ConfigPath), end.Token);
        try
        {
            var created = await CreateAsync(holding, end.Token);
            return created.ExitCode == 0 ? await holding : created;
        }
        finally
        {
            await end.CancelAsync();
            await ((Task)holding).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task<CommandResult> CreateAsync(Task<CommandResult> holding, CancellationToken cancellationToken)
    {
        HostProcess? first;
        while ((first = FindTether(HostProcess.All())) is null)
        {
            if (holding.IsCompleted)
                return await holding is { ExitCode: not 0 } ended
                    ? ended
                    : new CommandResult(1, "", "the program that holds the sandbox ended");
            await Task.Delay(TimeSpan.FromMilliseconds(2), cancellationToken);
        }

        // Its streams are files: the container keeps them, and would keep a pipe open.
        string output = Path.Combine(_scratch.Path, "create.log");
        var create = ChildProcess.Start(Within(first.Id, Logged(_runc.Create(_scratch.Path, Id))), output);
        int exitCode = await Task.Run(create.Wait, CancellationToken.None);
        return new CommandResult(exitCode, "", await File.ReadAllTextAsync(output, cancellationToken));
    }

    private static Command Within(int process, Command command) => new(
        "nsenter",
        ["--target", process.ToString(CultureInfo.InvariantCulture), "--pid", "--mount", "--", command.Program, .. command.Arguments]);

    private Command Logged(Command runc) => runc with { Arguments = ["--log", LogPath, .. runc.Arguments] };

    private string ConfigPath => Path.Combine(_scratch.Path, "config.json");

    private string LogPath => Path.Combine(_scratch.Path, "runc.log");

    private async Task WaitUntilStartedAsync(TimeProvider time, CancellationToken cancellationToken)
    {
        while (!_running.IsCompleted)
        {
            if (FindContainer() is { } container && NetworkNamespace.TryOpen(container.Id) is { } network)
            {
                (ProcessId, Network) = (container.Id, network);
                return;
            }

            await Task.Delay(TimeSpan.FromMilliseconds(5), time, cancellationToken);
        }

        var result = await _running;
        if (await FaultOfHostAsync(cancellationToken))
            throw new ToolException("runc", $"the sandbox could not be started (exit code {result.ExitCode}): {result.Tail}");
    }

    // runc writes what it cannot do into its log, apart from what the image's program writes; without a log it was never reached.
    // A program that cannot be run is the image's fault, all else the host's.
    private async Task<bool> FaultOfHostAsync(CancellationToken cancellationToken)
    {
        if (!File.Exists(LogPath))
            return true;

        var log = await File.ReadAllLinesAsync(LogPath, cancellationToken);
        var errors = log.Where(line => line.Contains("level=error", StringComparison.Ordinal)).ToList();
        return errors.Count > 0 && !errors.Exists(line => line.Contains("exec: ", StringComparison.Ordinal)
            || line.Contains("exec /", StringComparison.Ordinal));
    }

    // The tether's first process ends as runc, or as the 'tail' that holds; the container's first process is its child,
    // a namespace further in.
    private HostProcess? FindContainer()
    {
        var all = HostProcess.All().ToList();
        var tether = FindTether(all);
        return tether is null
            ? null
            : all.Find(p => p.Parent == tether.Id && p.IsInit && p.InnerIds.Count > tether.InnerIds.Count
                && (IsHeld || !p.Name.StartsWith("runc:[", StringComparison.Ordinal)));
    }

    private HostProcess? FindTether(IEnumerable<HostProcess> all) =>
        all.FirstOrDefault(p =>
            p.IsInit && p.Name == (IsHeld ? "tail" : "runc") && p.CommandLine().Any(word => word == (IsHeld ? ConfigPath : Id)));

    private int TetherId() => HostProcess.Read(ProcessId)?.Parent ?? throw new SandboxException("the sandbox has ended");

    private static string? PidNamespace(int processId)
    {
        try
        {
            return new FileInfo($"/proc/{processId}/ns/pid").LinkTarget;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}

/// <summary>An image cannot be run in a sandbox as it is.</summary>
public sealed class SandboxException : IngotException
{
    internal SandboxException(string message)
        : base(message)
    {
    }
}

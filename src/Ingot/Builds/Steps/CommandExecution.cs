using System.Text;
using Ingot.Builds.Cache;
using Ingot.Builds.Files;
using Ingot.Builds.Layers;
using Ingot.Builds.Normalisation;
using Ingot.Builds.Secrets;
using Ingot.Diagnostics;
using Ingot.Oci.Images;
using Ingot.Oci.Layers;
using Ingot.Oci.Tar;
using Ingot.Plans;
using Ingot.Tools;

namespace Ingot.Builds.Steps;

/// <summary>Runs a command in a root filesystem, in a container, over an overlay whose upper directory becomes the layer.</summary>
internal sealed class CommandExecution
{
    // What of the surroundings below a result depends on; a higher number when they change.
    private const string Version = "container@6";
    private const long ProcessesPerProcessor = 512;
    private const long MinProcesses = 4096;
    private const int RootMode = 0b111_101_101;
    private const int ReadableMode = 0b110_100_100;
    private const int PrivateMode = 0b110_000_000;
    private const string ScriptDirectory = "/dev/pipes/";
    private const string PidFile = "pid";
    private const string Bundle = "bundle";

    // In memory: what a mount shows of a file of the host is its path there.
    private const string Files = "files";
    private const int Space = 64 << 10;

    private static readonly string[] s_mountedDirectories = ["proc", "sys", "dev"];
    private static readonly string[] s_mountedFiles = ["etc/hosts", "etc/resolv.conf"];

    private readonly BuildSession _session;
    private readonly RunStep _step;
    private readonly LayerChain _chain;
    private readonly IReadOnlyDictionary<StepMount, MountTree> _trees;
    private readonly SecretGuard.OutputSearch _search;
    private readonly string _directory;
    private readonly string _container;
    private readonly List<NewFile> _files = [];

    private CommandExecution(BuildSession session, RunStep step, StepWork work)
    {
        _session = session;
        _step = step;
        _chain = work.Chain;
        _trees = ((MountedInput)work.Input).Trees;
        _search = session.Guard.Output(step);
        _directory = session.Workspace.NewDirectory("run");
        _container = session.Workspace.ContainerName(_directory);
    }

    private string Upper => Path.Combine(_directory, "upper");

    private string Log => Path.Combine(_directory, "output");

    /// <summary>See <see cref="StepKind{T}.KeyParts"/>.</summary>
    public static IEnumerable<KeyPart> KeyParts(RunStep step, StepSurroundings met) =>
    [
        met.Below, .. met.Reads, new("surroundings", Version), .. met.Rules(isBootstrap: false),
        .. step.Mounts.OfType<StepMount.Secret>().Select(m => m.Id).Where(met.ExemptSecrets.Contains)
            .Distinct().Order(StringComparer.Ordinal)
            .Select(id => new KeyPart("exempt secret", id)),
    ];

    /// <summary>Says what the person must have allowed, and what no image could make possible.</summary>
    public static void Check(RunStep step, BuildSettings settings, DiagnosticBag diagnostics)
    {
        if (step.Insecure && !settings.Access.AllowInsecure)
        {
            diagnostics.Error(
                "build-not-allowed", "the command needs all privileges, which were not allowed", step.Span,
                "allow them with --allow security.insecure, if you would run it as root on the host");
        }

        if (step.Network == StepNetwork.Host && !settings.Access.AllowHostNetwork)
        {
            diagnostics.Error(
                "build-not-allowed", "the command needs the host's network, which was not allowed", step.Span,
                "allow it with --allow network.host");
        }

        if (step.Processors > Environment.ProcessorCount)
        {
            diagnostics.Error(
                "build-processors", $"the command needs {step.Processors} processors, and this host has {Environment.ProcessorCount}",
                step.Span,
                "remove 'processors' from ingot.yaml, or build on a host that has them");
        }

        RunMounts.Check(step, diagnostics);
    }

    /// <summary>Runs a command; what it left is a layer, in the store when an image has it, and a snapshot.</summary>
    public static async Task<StepResult> RunAsync(BuildSession session, RunStep step, StepWork work, CancellationToken cancellationToken)
    {
        var execution = new CommandExecution(session, step, work);
        try
        {
            return await execution.RunAsync(work.Export, cancellationToken);
        }
        finally
        {
            await Workspace.DeleteAsync(execution._directory, CancellationToken.None);
        }
    }

    private async Task<StepResult> RunAsync(bool export, CancellationToken cancellationToken)
    {
        var network = NetworkOfStep.Of(_step, _session, _directory);
        var tree = await _session.Layers.TreeAsync(_chain, _session.Workspace, cancellationToken);
        var account = await AccountAsync(cancellationToken);
        var snapshots = await _session.Layers.SnapshotsAsync(_chain, _session.Workspace, cancellationToken);
        int rootMode = MakeDirectories(tree);
        long start = _session.Settings.TimeProvider.GetTimestamp();
        var started = _session.Settings.TimeProvider.GetUtcNow();
        var table = new MountTable();
        var usual = MountUsual(tree, table);
        var mounts = await RunMounts.PrepareAsync(_session, _step, _directory, table, _trees, cancellationToken);
        await using (mounts)
        {
            byte[] config = MakeBundle(account, usual, mounts, network);
            await ExecuteAsync(SnapshotStack.In(_directory, "l", snapshots), mounts, network, config, cancellationToken);
        }

        var clock = _session.Settings.TimeProvider;
        var times = StepTimes.Between(_session.Settings.Epoch, started, clock.GetElapsedTime(start), clock.GetUtcNow()) with
        {
            IsUtc = IsUtc,
            CachesFirst = mounts.CachesSince?.ToUnixTimeSeconds(),
        };
        using var vouchers = new Vouchers([new StepFiles(Upper), new ChainFiles(tree, snapshots)], _step.ToString());
        var normaliser = new Normaliser(times, isBootstrap: false, [.. usual.Keys, .. mounts.Points], _session.RulesOff, vouchers)
        {
            Cancellation = cancellationToken,
        };
        return await DirectoryResult.WriteAsync(_session, Upper, DirectoryForm.OverlayUpper, normaliser, rootMode,
            export, cancellationToken);
    }

    private async Task<ProcessIdentity> AccountAsync(CancellationToken cancellationToken)
    {
        var accounts = await _session.AccountsAsync(_chain, cancellationToken);
        return accounts.Resolve(_step.User, out var unknown)
            ?? throw new InvalidInputException([new(Severity.Error, "build-unknown-user", $"{unknown} is not in the image",
                Suggestion.For(_step.User, accounts.Names) ?? "create the account in an earlier RUN, or write a number", _step.Span)]);
    }

    // What every container has mounted, and whether that is a file. What is missing to mount on lies in a directory below all layers, so
    // that nothing of it gets into the diff; links in the image are followed now, so that the runtime meets none.
    private Dictionary<string, bool> MountUsual(FileTree tree, MountTable table)
    {
        table.Add(MountView.Of("", tree, "", Path.Combine(_directory, "points")));
        var points = new Dictionary<string, bool>();
        foreach (var path in s_mountedDirectories.Concat(s_mountedFiles))
        {
            bool isFile = s_mountedFiles.Contains(path);
            string point = table.Resolve(path) is { Length: > 0 } resolved ? resolved : path;
            if (table.MakePoint(point, isFile) is { } obstacle)
                throw new InvalidInputException([new(Severity.Error, "build-mount-point",
                    $"no command can be run in this image: {obstacle}", $"'/{path}' is mounted in every container", _step.Span)]);
            points[point] = isFile;
        }

        foreach (var point in points.Keys)
            table.Add(MountView.Empty(point));
        return points;
    }

    private int MakeDirectories(FileTree tree)
    {
        // The root of an overlay is the upper directory's.
        var root = tree.Find("")?.Record;
        HostFiles.MakeDirectory(Upper, root?.Mode ?? RootMode);
        HostFiles.SetOwner(Upper, root?.UserId ?? 0, root?.GroupId ?? 0);
        foreach (var name in (string[])["work", "root"])
            HostFiles.MakeDirectory(Path.Combine(_directory, name), RootMode);
        return root?.Mode ?? RootMode;
    }

    private byte[] MakeBundle(ProcessIdentity account, Dictionary<string, bool> usual, RunMounts mounts, NetworkOfStep network)
    {
        string[] contents =
        [
            "127.0.0.1\tlocalhost ingot\n::1\tlocalhost ip6-localhost ip6-loopback\n" + string.Concat(_step.Hosts.Select(h => h + "\n")),
            network.ResolverFile,
        ];
        RuntimeMount Mount(string point, int i) =>
            RuntimeMount.Bind(AddFile(TarPath.Name(s_mountedFiles[i]), contents[i], ReadableMode), "/" + point, readOnly: false);
        var files = usual.Where(m => m.Value).Select((m, i) => Mount(m.Key, i)).ToList();
        var process = ProcessOf(account) with { Capabilities = network.Capabilities };
        var spec = RuntimeSpec.Container(
            Path.Combine(_directory, "root"), process with { Environment = WithMounted(process.Environment, mounts.Environment) },
            network.Namespaces);
        spec = spec with
        {
            Mounts = [.. spec.Mounts.Select(Resized), .. files, .. Processors(), .. Script(), .. mounts.Mounts],
            Linux = spec.Linux with
            {
                Resources =
                    spec.Linux.Resources with { Pids = new RuntimePids(Processes), Processors = StepProcessors.Take(_step.Processors) },
                Seccomp = RuntimeSeccomp.Build,
            },
        };
        return (_step.Insecure ? spec.Privileged() : spec).ToJson();
    }

    private RuntimeMount Resized(RuntimeMount mount) =>
        _step.SharedMemory is { } size && mount.Destination == RuntimeMount.SharedMemory ? RuntimeMount.SharedMemoryOf(size) : mount;

    // Which of two variables of one name counts is every program's own choice.
    private static List<string> WithMounted(IReadOnlyList<string> environment, IReadOnlyList<string> mounted) =>
        [.. environment.Where(e => !mounted.Any(m => NameOf(m) == NameOf(e))), .. mounted];

    private static string NameOf(string variable) => variable.Split('=', 2)[0];

    private static long Processes => Math.Max(MinProcesses, ProcessesPerProcessor * Environment.ProcessorCount);

    // The C library reads here how many there are, other programs ask the scheduler.
    private IEnumerable<RuntimeMount> Processors() => _step.Processors is { } count
        ? [RuntimeMount.Bind(AddFile("processors", StepProcessors.Online(count), ReadableMode), StepProcessors.OnlineFile, readOnly: true)]
        : [];

    private IEnumerable<RuntimeMount> Script()
    {
        if (_step.Script is not { } script)
            return [];

        return [RuntimeMount.Bind(AddFile("script", script.Content, RootMode), ScriptDirectory + script.Name, readOnly: true)];
    }

    // Where the runtime finds it; commands of any user read it.
    private string AddFile(string name, string content, int mode)
    {
        _files.Add(new NewFile($"{Files}/{name}", Encoding.UTF8.GetBytes(content), mode));
        return Path.Combine(_directory, Files, name);
    }

    private RuntimeProcess ProcessOf(ProcessIdentity account) => new()
    {
        Arguments = _step.Script is { } script ? [ScriptDirectory + script.Name] : _step.Arguments,
        Environment = EnvironmentOf(account),
        Directory = _step.Directory,
        User = new RuntimeUser
        {
            UserId = account.UserId,
            GroupId = account.GroupId,
            // As containers of Docker have it: the main group is one of them.
            AdditionalGroupIds = [account.GroupId, .. account.FurtherGroupIds],
        },
        // What a program leaves that crashes is the host's memory, at another place each time.
        Limits = [.. _step.Limits.Any(l => l.Name == "core") ? Array.Empty<RuntimeLimit>() : [new RuntimeLimit("RLIMIT_CORE", 0, 0)],
            .. _step.Limits.Select(LimitOf)],
    };

    private static RuntimeLimit LimitOf(StepLimit limit) =>
        new("RLIMIT_" + limit.Name.ToUpperInvariant(), limit.Soft ?? RuntimeLimit.Unlimited, limit.Hard ?? RuntimeLimit.Unlimited);

    // What many programs would otherwise take from the clock, the host or chance. It is for the command,
    // and does not get into the image's configuration.
    private List<string> EnvironmentOf(ProcessIdentity account)
    {
        var environment = _step.Environment.Concat(_step.Transparent).ToList();
        string[] surroundings =
        [
            "HOME=" + account.Home,
            "LANG=C.UTF-8",
            "TZ=UTC",
            $"SOURCE_DATE_EPOCH={_session.Settings.Epoch.ToUnixTimeSeconds()}",
            "PYTHONHASHSEED=0",
            // TeX keeps to SOURCE_DATE_EPOCH only when it is told to; https://tug.org/texinfohtml/web2c.html#Reproducible-output.
            "FORCE_SOURCE_DATE=1",
        ];
        foreach (var variable in surroundings)
        {
            string name = variable[..(variable.IndexOf('=', StringComparison.Ordinal) + 1)];
            if (!environment.Exists(e => e.StartsWith(name, StringComparison.Ordinal)))
                environment.Add(variable);
        }

        return environment;
    }

    private async Task ExecuteAsync(
        SnapshotStack layers, RunMounts mounts, NetworkOfStep network, byte[] config, CancellationToken cancellationToken)
    {
        var root = new OverlayMount([.. layers.Names, "points"], "upper", "work", "root");
        // The container's configuration may hold a secret: it stays in memory as they do.
        HostFiles.MakeDirectory(Path.Combine(_directory, Bundle), RootMode);
        HostFiles.MakeDirectory(Path.Combine(_directory, Files), RootMode);
        var run = _session.Workspace.Runc.Run(Bundle, _container, PidFile) with { Directory = _directory };
        IReadOnlyList<Preparation> preparations =
        [
            .. network.Preparations, .. layers.Images, .. mounts.Images,
            new MemoryMount(Bundle, config.Length + Space), new NewFile(Bundle + "/config.json", config, PrivateMode),
            new MemoryMount(Files, _files.Sum(f => (long)f.Content.Length + Space)), .. _files,
            root, .. mounts.Preparations,
        ];
        CommandResult result;
        try
        {
            using var log = new StreamWriter(Log);
            var gate = new Lock();
            result = await Tether.RunAsync(run, preparations, line => Take(_search.Take(line), log, gate), cancellationToken);
        }
        catch (OperationCanceledException)
        {
            // The container must be gone before its files are.
            await CommandRunner.TryRunAsync(_session.Workspace.Runc.Delete(_container), onLine: null, CancellationToken.None);
            throw;
        }

        if (result.ExitCode != 0)
            throw HasStarted(result) ? Failed(result) : new ToolException(run, result.ExitCode, Covered(result.Tail));
        _search.Complete();
    }

    private string Covered(string tail) => string.Join('\n', tail.Split('\n').Select(_session.Guard.Cover));

    // A container that could not be made is the host's trouble; a program that is not in the image is the person's.
    private bool HasStarted(CommandResult result) =>
        File.Exists(Path.Combine(_directory, PidFile)) || result.Tail.Contains("exec: ", StringComparison.Ordinal);

    private void Take(string line, StreamWriter log, Lock gate)
    {
        lock (gate)
            log.WriteLine(line);
        _session.Output(line);
    }

    private BuildException Failed(CommandResult result)
    {
        string log = _session.NewLog(_container);
        File.Move(Log, log);
        return new BuildException(new BuildFailure(_step.Text, _step.Span, result.ExitCode, Covered(result.Tail), log));
    }

    // What no template says is UTC.
    private bool IsUtc => _step.Environment.Concat(_step.Transparent).LastOrDefault(e => e.StartsWith("TZ=", StringComparison.Ordinal))
        is null or "TZ=UTC" or "TZ=UTC0" or "TZ=Etc/UTC";
}

/// <summary>Makes a layer and a snapshot of a directory that a step filled.</summary>
internal static class DirectoryResult
{
    /// <summary>Writes the layer through the rules, which change the directory too, and moves the directory to the snapshots.</summary>
    public static async Task<StepResult> WriteAsync(
        BuildSession session, string directory, DirectoryForm form, Normaliser normaliser, int rootMode, bool export,
        CancellationToken cancellationToken)
    {
        using var slot = await session.Slots.WorkAsync(cancellationToken);
        var options = new DirectoryLayerOptions
        {
            Form = form,
            Epoch = session.Settings.Epoch,
            Filter = normaliser.Filter,
            ApplyToSource = true,
        };
        var writer = export
            ? await LayerWriter.BeginAsync(session.Settings.Store, session.Settings.Codec, session.NewObserver(), cancellationToken)
            : LayerWriter.HashOnly(session.NewObserver());
        await using (writer)
        {
            await DirectoryLayer.WriteAsync(writer, directory, options, cancellationToken);
            foreach (string note in normaliser.Notes)
                session.Note(note);
            if (normaliser.Kept == 0 && RootModeOf(directory) == rootMode)
                return new StepResult { Rules = normaliser.Applied };

            var layer = await writer.FinishAsync(cancellationToken);
            await session.Use.MarkAsync(layer.DiffId, cancellationToken);
            session.Layers.AddSnapshot(layer.DiffId, directory);
            session.Layers.Add(layer, session.Settings.Codec);
            return new StepResult { DiffId = layer.DiffId, Bytes = layer.TarSize, Rules = normaliser.Applied };
        }
    }

    private static int? RootModeOf(string directory)
    {
        using var files = new HostFiles(directory);
        return files.Find("")?.Mode;
    }
}

using Ingot.Builds.Cache;
using Ingot.Builds.Files;
using Ingot.Builds.Layers;
using Ingot.Diagnostics;
using Ingot.Oci.Content;
using Ingot.Oci.Layers;
using Ingot.Plans;
using Ingot.Tools;

namespace Ingot.Builds.Steps;

/// <summary>The tree that a mount shows, or begins with.</summary>
/// <param name="Chain">Its layers.</param>
/// <param name="Path">The path in them, links not yet followed; empty for all.</param>
/// <param name="Digest">The digest of the content.</param>
internal sealed record MountTree(LayerChain Chain, string Path, Digest Digest)
{
    /// <summary>An empty one.</summary>
    public static MountTree Empty { get; } = new(LayerChain.Empty, "", Digest.Of([]));
}

/// <summary>Makes ready what a command of a template wants mounted: says what to make ready for the container and what it mounts, and holds
/// what must be held meanwhile.</summary>
/// <remarks>
/// Nothing is mounted where the host sees it: mounts are made in the mount namespace of the step, which the kernel takes away with the
/// step. Secrets are written into memory there, and touch no disk. A source is a tree of layers, also when it is a directory of a person's:
/// the command sees what a copy would, and never the host's file.
/// </remarks>
internal sealed class RunMounts : IAsyncDisposable
{
    /// <summary>Where the step's secrets, and the sockets of its agents, are while it runs, in its directory: in memory, so that nothing of
    /// the host's paths shows where they are mounted.</summary>
    private const string SecretDirectory = "secrets";

    private const int SecretSpace = 64 << 10;
    private const int OrdinaryMode = 0b111_101_101;

    // Where the kernel and the runtime speak to the command. Memory below /dev may be had.
    private static readonly string[] s_reserved = ["proc", "sys", "dev"];
    private static readonly string[] s_allowed = ["dev/shm"];

    private readonly BuildSession _session;
    private readonly RunStep _step;
    private readonly string _directory;
    private readonly MountTable _table;
    private readonly IReadOnlyDictionary<StepMount, MountTree> _trees;
    private readonly List<ImageMount> _images = [];
    private readonly List<Preparation> _preparations = [];
    private readonly List<RuntimeMount> _mounts = [];
    private readonly List<string> _environment = [];
    private readonly List<string> _points = [];
    private readonly List<(string Name, ReadOnlyMemory<byte> Value, StepMount.Secret Mount)> _secrets = [];
    private readonly List<IDisposable> _held = [];
    private readonly List<AgentSocket> _agents = [];
    private readonly Dictionary<StepMount, CacheDirectory> _caches = new(ReferenceEqualityComparer.Instance);
    private int _overlays;

    private RunMounts(
        BuildSession session, RunStep step, string directory, MountTable table, IReadOnlyDictionary<StepMount, MountTree> trees)
    {
        _session = session;
        _step = step;
        _directory = directory;
        _table = table;
        _trees = trees;
    }

    /// <summary>What is made ready for the container, in its mount namespace and in the step's directory.</summary>
    public IReadOnlyList<Preparation> Preparations => [.. SecretFiles(), .. _preparations];

    /// <summary>Images of layers that <see cref="Preparations"/> find mounted.</summary>
    public IReadOnlyList<ImageMount> Images => _images;

    /// <summary>What the container mounts, in order.</summary>
    public IReadOnlyList<RuntimeMount> Mounts => _mounts;

    /// <summary>Variables for the command.</summary>
    public IReadOnlyList<string> Environment => _environment;

    /// <summary>Since when the caches have been there that the step mounts, as their directory says; null without one.</summary>
    public DateTimeOffset? CachesSince => _caches.Values.Select(c => HostFiles.Times(Path.GetDirectoryName(c.Path)!)?.Modified).Min();

    /// <summary>Where in the root something was mounted.</summary>
    public IReadOnlyList<string> Points => _points;

    /// <summary>Says what of a step's mounts can never be, whatever the image is.</summary>
    public static void Check(RunStep step, DiagnosticBag diagnostics)
    {
        foreach (var mount in step.Mounts.Where(m => m.Target.Length > 0))
        {
            if (ReasonAgainst(ImagePath.ToLayer(mount.Target)) is { } reason)
                diagnostics.Error("build-mount-target", $"nothing can be mounted on '{mount.Target}': {reason}", mount.Span,
                    "choose another target");
        }
    }

    /// <summary>Makes everything ready.</summary>
    /// <param name="session">The build.</param>
    /// <param name="step">The step.</param>
    /// <param name="directory">The step's directory.</param>
    /// <param name="table">What is mounted before.</param>
    /// <param name="trees">The trees of the mounts that have one.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public static async Task<RunMounts> PrepareAsync(
        BuildSession session, RunStep step, string directory, MountTable table, IReadOnlyDictionary<StepMount, MountTree> trees,
        CancellationToken cancellationToken)
    {
        var mounts = new RunMounts(session, step, directory, table, trees);
        try
        {
            await mounts.PrepareAsync(cancellationToken);
            return mounts;
        }
        catch
        {
            await mounts.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var socket in _agents)
            await socket.Agent.DisposeAsync();
        foreach (var held in _held)
            held.Dispose();
    }

    // Parents before what is in them, as BuildKit has it, and what is for one file last.
    private async Task PrepareAsync(CancellationToken cancellationToken)
    {
        await TakeCachesAsync(cancellationToken);
        foreach (var mount in _step.Mounts
            .Where(m => m is not (StepMount.Secret or StepMount.Ssh))
            .OrderBy(m => m.Target, StringComparer.Ordinal))
        {
            switch (mount)
            {
                case StepMount.Bind bind:
                    await BindAsync(bind, cancellationToken);
                    break;
                case StepMount.Cache cache:
                    Add(cache, RuntimeMount.BindAlone(_caches[cache].Path, "", cache.IsReadOnly),
                        target => MountView.Of(target, _caches[cache].Path), isFile: false);
                    break;
                case StepMount.Tmpfs memory:
                    Add(memory, MemoryOf(memory), MountView.Empty, isFile: false);
                    break;
            }
        }

        foreach (var secret in _step.Mounts.OfType<StepMount.Secret>())
            AddSecret(secret);
        foreach (var agent in _step.Mounts.OfType<StepMount.Ssh>())
            AddAgent(agent);
    }

    // In one order for all steps of all builds: two that want the same two caches must not wait for each other.
    private async Task TakeCachesAsync(CancellationToken cancellationToken)
    {
        string root = Path.Combine(Path.GetFullPath(_session.Settings.CacheDirectory), "mounts");
        var wanted = _step.Mounts
            .OfType<StepMount.Cache>()
            .Select(c => (Mount: c, Places: CacheDirectory.Of(root, c.Id, _trees.GetValueOrDefault(c)?.Digest)));
        foreach (var group in wanted.GroupBy(c => c.Places).OrderBy(g => g.Key, StringComparer.Ordinal))
        {
            // A step that mounts one cache twice waits for itself otherwise.
            var strictest = group.Max(c => c.Mount.Sharing);
            var first = group.First().Mount;
            var shared = _session.Imported?.FindMount(Path.GetFileName(group.Key));
            if (shared is not null)
                CacheDirectory.RemoveEmpty(group.Key);
            var taken = await CacheDirectory.TakeAsync(
                group.Key, strictest, () => MakeCacheAsync(first, shared, cancellationToken), _session.Settings.TimeProvider,
                () => _session.Output($"waiting for the cache '{first.Id}', which another step has locked"), cancellationToken);
            _held.Add(taken);
            foreach (var (mount, _) in group)
                _caches[mount] = taken;
        }
    }

    private async Task<string> MakeCacheAsync(StepMount.Cache cache, SharedMount? shared, CancellationToken cancellationToken)
    {
        string directory = _session.Workspace.NewDirectory("cache");
        if (shared is not null && await UnpackAsync(shared, Path.Combine(directory, "shared"), cancellationToken) is { } unpacked)
            directory = unpacked;
        else if (_trees.TryGetValue(cache, out var tree))
        {
            var (overlay, source, _, images) = await OverlayAsync(cache, tree, writable: false, cancellationToken);
            var copy = new Command("cp", "-a", "--", Path.Combine(source, "."), directory) { Directory = _directory };
            var result = await Tether.RunAsync(copy, [.. images, overlay], onLine: null, cancellationToken);
            if (result.ExitCode != 0)
                throw new ToolException(copy, result.ExitCode, result.Tail);
        }

        HostFiles.SetOwner(directory, cache.UserId, cache.GroupId);
        HostFiles.MakeDirectory(directory, cache.Mode);
        return directory;
    }

    // Null when it cannot be had: the step does without, as it must on any new host.
    private async Task<string?> UnpackAsync(SharedMount shared, string directory, CancellationToken cancellationToken)
    {
        var store = _session.Layers.Local;
        try
        {
            await _session.Imported!.FetchMountAsync(shared.Name, store, cancellationToken);
            HostFiles.MakeDirectory(directory, OrdinaryMode);
            await LayerExtractor.ExtractAsync(store, shared.Blob, shared.DiffId, directory, new ExtractOptions(), cancellationToken);
            _session.Output($"the cache '{shared.Id}' begins with what was shared");
            return directory;
        }
        catch (Exception e) when (e is IngotException or InvalidDataException)
        {
            _session.Output($"the cache '{shared.Id}' begins empty: {IngotException.ReasonOf(e)}");
            return null;
        }
        finally
        {
            await store.DeleteAsync(shared.Blob.Digest, cancellationToken);
        }
    }

    private async Task BindAsync(StepMount.Bind bind, CancellationToken cancellationToken)
    {
        var (overlay, source, view, images) = await OverlayAsync(bind, _trees[bind], bind.IsWritable, cancellationToken);
        _images.AddRange(images);
        _preparations.Add(overlay);
        var mount = RuntimeMount.BindAlone(Path.Combine(_directory, source), "", readOnly: !bind.IsWritable);
        Add(bind, mount, target => view is null ? MountView.Empty(target) : view with { Target = target }, isFile: view is null);
    }

    // All of the chain is mounted, so that a link in the path stays in it; the view is null for a file.
    private async Task<(OverlayMount Overlay, string Source, MountView? View, IReadOnlyList<ImageMount> Images)> OverlayAsync(
        StepMount mount, MountTree source, bool writable, CancellationToken cancellationToken)
    {
        var tree = await _session.Layers.TreeAsync(source.Chain, _session.Workspace, cancellationToken);
        if (tree.Resolve(source.Path) is not { } path || (path.Length > 0 && tree.Find(path) is null))
            throw Problem(mount, "build-mount-source", $"'/{source.Path}' is not in what is mounted on '{mount.Target}'", cure: null);

        string name = $"m{_overlays++}";
        var snapshots = await _session.Layers.SnapshotsAsync(source.Chain, _session.Workspace, cancellationToken);
        var stack = SnapshotStack.In(_directory, name + "l", snapshots);
        var lower = stack.Names.ToList();

        string[] own = writable ? [name, name + "p", name + "u", name + "w"] : [name, name + "p", name + "e"];
        foreach (var made in own)
            HostFiles.MakeDirectory(Path.Combine(_directory, made), OrdinaryMode);
        lower.Add(name + "p");
        // Without an upper directory the kernel wants two lower ones.
        if (!writable && lower.Count == 1)
            lower.Add(name + "e");

        var overlay = new OverlayMount(lower, writable ? name + "u" : null, writable ? name + "w" : null, name);
        bool isDirectory = tree.IsDirectory(path);
        return (overlay, path.Length == 0 ? name : $"{name}/{path}",
            isDirectory ? MountView.Of("", tree, path, Path.Combine(_directory, name + "p", path)) : null, stack.Images);
    }

    private static RuntimeMount MemoryOf(StepMount.Tmpfs memory) => new()
    {
        Destination = "",
        Type = "tmpfs",
        Source = "tmpfs",
        Options = ["nosuid", .. memory.Size is { } size ? [$"size={size}"] : Array.Empty<string>()],
    };

    private void AddSecret(StepMount.Secret secret)
    {
        if (!_session.Settings.Access.Secrets.TryGetValue(secret.Id, out var value))
        {
            if (secret.IsRequired)
                throw Problem(secret, "build-secret-missing", $"the secret '{secret.Id}' was not given to the build",
                    $"give it with --secret id={secret.Id},src=FILE or --secret id={secret.Id},env=NAME");
            return;
        }

        if (secret.Variable is { } variable)
            _environment.Add($"{variable}={TextOf(secret, value.Span)}");
        if (secret.Target.Length == 0)
            return;

        string name = $"{SecretDirectory}/{_secrets.Count}";
        _secrets.Add((name, value, secret));
        Add(secret, RuntimeMount.BindAlone(Path.Combine(_directory, name), "", readOnly: true), MountView.Empty, isFile: true);
    }

    private static string TextOf(StepMount.Secret secret, ReadOnlySpan<byte> value)
    {
        if (value.Contains((byte)0) || !System.Text.Unicode.Utf8.IsValid(value))
            throw Problem(secret, "build-secret-variable", $"the secret '{secret.Id}' cannot be a variable: it is not text",
                "mount it as a file");
        return System.Text.Encoding.UTF8.GetString(value);
    }

    private IEnumerable<Preparation> SecretFiles()
    {
        if (_secrets.Count == 0 && _agents.Count == 0)
            yield break;

        HostFiles.MakeDirectory(Path.Combine(_directory, SecretDirectory), OrdinaryMode);
        yield return new MemoryMount(SecretDirectory, SecretSpace + _secrets.Sum(s => (long)s.Value.Length + SecretSpace));
        foreach (var (name, value, mount) in _secrets)
            yield return new NewFile(name, value, mount.Mode, mount.UserId, mount.GroupId);
        foreach (var socket in _agents)
            yield return socket;
    }

    private void AddAgent(StepMount.Ssh ssh)
    {
        if (!_session.Settings.Access.SshAgents.TryGetValue(ssh.Id, out var agent))
        {
            if (ssh.IsRequired)
                throw Problem(ssh, "build-ssh-missing", $"the SSH agent '{ssh.Id}' was not given to the build",
                    $"give it with --ssh {ssh.Id}, or --ssh {ssh.Id}=SOCKET");
            return;
        }

        string target = ssh.Target.Length > 0 ? ssh.Target : $"/run/buildkit/ssh_agent.{_agents.Count}";
        string socket = $"{SecretDirectory}/ssh{_agents.Count}";
        _agents.Add(new AgentSocket(new SshAgentProxy(agent), socket, ssh.Mode, ssh.UserId, ssh.GroupId));
        Add(ssh, RuntimeMount.BindAlone(Path.Combine(_directory, socket), "", readOnly: false), MountView.Empty, isFile: true, target);
        if (_agents.Count == 1 && !_step.Environment.Any(e => e.StartsWith("SSH_AUTH_SOCK=", StringComparison.Ordinal)))
            _environment.Add("SSH_AUTH_SOCK=" + target);
    }

    private void Add(StepMount mount, RuntimeMount runtime, Func<string, MountView> view, bool isFile, string? target = null)
    {
        target ??= mount.Target;
        if (_table.Resolve(ImagePath.ToLayer(target)) is not { } point)
            throw Problem(mount, "build-mount-target", $"'{target}' contains a symlink loop", cure: null);
        if ((ReasonAgainst(point) ?? _table.MakePoint(point, isFile)) is { } reason)
            throw Problem(
                mount,
                "build-mount-target",
                $"nothing can be mounted on '{target}'{(point == ImagePath.ToLayer(target) ? "" : $", which is '/{point}'")}: {reason}",
                "choose another target");

        _mounts.Add(runtime with { Destination = "/" + point });
        _table.Add(view(point));
        _points.Add(point);
    }

    private static string? ReasonAgainst(string point)
    {
        if (point.Length == 0)
            return "it is the root itself";
        return s_reserved.FirstOrDefault(r => IsAtOrBelow(point, r)) is { } reserved && !s_allowed.Any(a => IsAtOrBelow(point, a))
            ? $"'/{reserved}' is the kernel's"
            : null;
    }

    private static bool IsAtOrBelow(string path, string directory) =>
        path == directory || path.StartsWith(directory + "/", StringComparison.Ordinal);

    private static InvalidInputException Problem(StepMount mount, string code, string summary, string? cure) =>
        new([new Diagnostic(Severity.Error, code, summary, cure, mount.Span)]);
}

using System.Text;
using Ingot.Builds.Cache;
using Ingot.Builds.Files;
using Ingot.Builds.Layers;
using Ingot.Diagnostics;
using Ingot.Oci.Content;
using Ingot.Plans;

namespace Ingot.Builds.Steps;

/// <summary>What a copy reads, and how to open it.</summary>
/// <param name="DigestAsync">The digest of the selection, which may be known without selecting; reads what must be read for it.</param>
/// <param name="SelectAsync">The files; some may not have been read yet.</param>
/// <param name="OpenAsync">Makes ready to read; what it returns opens a file by its origin.</param>
internal sealed record CopyInput(Func<CancellationToken, Task<Digest>> DigestAsync, Func<CancellationToken, Task<SourceSelection>> SelectAsync, Func<CancellationToken, Task<FileOpener>> OpenAsync)
{
    /// <summary>What it reads that is neither of the person nor of the plan, with its digest or commit.</summary>
    public IReadOnlyList<Material> Materials { get; init; } = [];

    /// <summary>How many bytes must be read before the digest is known.</summary>
    public Func<long> Unread { get; init; } = () => 0;

    /// <summary>The files, each of which was read: what <see cref="SelectAsync"/> gives, unless it leaves some unread.</summary>
    public Func<CancellationToken, Task<SourceSelection>> ReadAsync { get; init; } = SelectAsync;

    /// <summary>Tells of contents that were read meanwhile; false when they are not what the digest says.</summary>
    public Func<IReadOnlyDictionary<FileOrigin, Digest>, bool> Learn { get; init; } = _ => true;

    /// <summary>Nothing.</summary>
    public static CopyInput Nothing { get; } = Known(new SourceSelection([]).Digest, _ => Task.FromResult(new SourceSelection([])), _ => Task.FromResult(new FileOpener(_ => Stream.Null, [])));

    /// <summary>A selection whose digest is known.</summary>
    public static CopyInput Known(Digest digest, Func<CancellationToken, Task<SourceSelection>> select, Func<CancellationToken, Task<FileOpener>> open) =>
        new(_ => Task.FromResult(digest), select, open);

    /// <summary>Several, one after the other.</summary>
    public static CopyInput Of(IReadOnlyList<CopyInput> parts)
    {
        if (parts.Count < 2)
            return parts.Count == 0 ? Nothing : parts[0];

        return new CopyInput(
            token => DigestAllAsync(parts, token), token => SelectAllAsync(parts, p => p.SelectAsync(token)), token => OpenAllAsync(parts, token))
        {
            ReadAsync = token => SelectAllAsync(parts, p => p.ReadAsync(token)),
            Materials = [.. parts.SelectMany(p => p.Materials)],
            Unread = () => parts.Sum(p => p.Unread()),
            Learn = contents => LearnAll(parts, contents),
        };
    }

    private static async Task<Digest> DigestAllAsync(IReadOnlyList<CopyInput> parts, CancellationToken cancellationToken)
    {
        var digests = new List<Digest>();
        foreach (var part in parts)
            digests.Add(await part.DigestAsync(cancellationToken));
        return Digest.Of(Encoding.ASCII.GetBytes(string.Join('\n', digests)));
    }

    private static bool LearnAll(IReadOnlyList<CopyInput> parts, IReadOnlyDictionary<FileOrigin, Digest> contents)
    {
        bool isRight = true;
        foreach (var part in contents.GroupBy(c => c.Key.Part))
            isRight &= parts[part.Key].Learn(part.ToDictionary(c => c.Key with { Part = 0 }, c => c.Value));
        return isRight;
    }

    private static async Task<SourceSelection> SelectAllAsync(IReadOnlyList<CopyInput> parts, Func<CopyInput, Task<SourceSelection>> select)
    {
        var sources = new List<SelectedSource>();
        for (int i = 0; i < parts.Count; i++)
        {
            var selection = await select(parts[i]);
            sources.AddRange(selection.Sources.Select(s => s with { Files = [.. s.Files.Select(f => f with { Origin = f.Origin with { Part = i } })] }));
        }

        return new SourceSelection(sources);
    }

    private static async Task<FileOpener> OpenAllAsync(IReadOnlyList<CopyInput> parts, CancellationToken cancellationToken)
    {
        var openers = new List<FileOpener>();
        try
        {
            foreach (var part in parts)
                openers.Add(await part.OpenAsync(cancellationToken));
            return new FileOpener(origin => openers[origin.Part].Open(origin), openers);
        }
        catch
        {
            openers.ForEach(o => o.Dispose());
            throw;
        }
    }
}

/// <summary>A selection in a context, of which ever more is read.</summary>
/// <param name="files">The context.</param>
/// <param name="select">Selects, when it is first needed.</param>
/// <param name="known">Its digest, when that is known from what the context looks like; then no file need be read to say it, and what is read
/// must agree.</param>
/// <param name="keep">Is told the digest when it had to be found out.</param>
/// <param name="parallelism">How many files may be read at a time.</param>
internal sealed class ContextSelection(
    ContextFiles files, Func<SourceSelection> select, Digest? known, Action<Digest> keep, int parallelism)
{
    private readonly Lock _gate = new();
    private SourceSelection? _selection;
    private Digest? _digest = known;

    /// <summary>As far as it is known.</summary>
    public SourceSelection Current
    {
        get
        {
            lock (_gate)
                return _selection ??= select();
        }
    }

    /// <summary>The bytes of files that must be read before the digest is known.</summary>
    public long UnreadBytes => _digest is null ? Current.Unread.Sum(f => f.Entry.Size) : 0;

    /// <summary>The digest; reads what is left when it is not known.</summary>
    public Digest Complete()
    {
        lock (_gate)
            return _digest ?? Read().Digest;
    }

    /// <summary>Reads what is left.</summary>
    public SourceSelection Read()
    {
        lock (_gate)
        {
            var read = Current.Unread.Any() ? files.Read(Current, parallelism) : Current;
            if (!IsWhatIsKnown(read))
                throw new BuildCacheException("files changed while they were copied: build again");
            return _selection = read;
        }
    }

    /// <summary>Takes contents that were read meanwhile; false when they are not what the digest says.</summary>
    public bool Learn(IReadOnlyDictionary<FileOrigin, Digest> contents)
    {
        lock (_gate)
        {
            if (!Current.Unread.Any())
                return true;
            _selection = files.Learn(Current, contents);
            return _selection.Unread.Any() || IsWhatIsKnown(_selection);
        }
    }

    private bool IsWhatIsKnown(SourceSelection whole)
    {
        if (_digest is not { } said)
        {
            keep(whole.Digest);
            _digest = whole.Digest;
            return true;
        }

        return said == whole.Digest;
    }
}

/// <summary>Finds what the copies of one plan read: in contexts before anything runs, in stages and images when those are there.</summary>
internal sealed class CopyInputs : IDisposable
{
    // What is said of a chain's selection depends on how files are selected.
    private const string Selector = "selector@2";

    private readonly BuildSession _session;
    private readonly StepCache _cache;
    private readonly Func<TreeSource, Task<LayerChain>> _chainOf;
    private readonly Dictionary<CopyStep, IReadOnlyList<CopyInput?>> _contextInputs = new(ReferenceEqualityComparer.Instance);
    private readonly List<IDisposable> _contexts = [];
    private readonly List<ContextLook?> _looks = [];
    private readonly RemoteInputs _remote;

    /// <param name="session">The build.</param>
    /// <param name="cache">What is known of earlier builds.</param>
    /// <param name="chainOf">The layers of a stage or an image.</param>
    public CopyInputs(BuildSession session, StepCache cache, Func<TreeSource, Task<LayerChain>> chainOf)
    {
        _session = session;
        _cache = cache;
        _chainOf = chainOf;
        _remote = new RemoteInputs(session);
    }

    public void Dispose()
    {
        _contexts.ForEach(c => c.Dispose());
        _remote.Dispose();
    }

    /// <summary>What the contexts looked like before anything was read; null when that says too little of some of them.</summary>
    public IReadOnlyList<ContextLook>? Looks => _looks.Contains(null) ? null : [.. _looks.OfType<ContextLook>()];

    /// <summary>Selects in contexts, and says all that is missing: that need not wait for a compiler.</summary>
    public void SelectContextFiles(IEnumerable<CopyStep> copies)
    {
        var diagnostics = new DiagnosticBag();
        var contexts = new Dictionary<TreeSource.Context, ContextFiles>();
        foreach (var step in copies)
        {
            if (step.From is not TreeSource.Context context || step.Sources.All(s => s.Remote is not null))
                continue;

            if (!contexts.TryGetValue(context, out var files))
                _contexts.Add(contexts[context] = files = new ContextFiles(context, _session.Settings.Epoch, _cache.Stamps));
            _contextInputs[step] = [.. RunsOf(step).Select(run => run[0].Remote is null ? OfContext(files, context, step, run, diagnostics) : null)];
        }

        diagnostics.ThrowIfErrors();
    }

    private CopyInput OfContext(ContextFiles files, TreeSource.Context context, CopyStep step, IReadOnlyList<CopySource> run, DiagnosticBag diagnostics)
    {
        string where = $"the context '{context.Name}'";
        string[] what = [files.Definition, .. What(step, run)];
        string[] patterns = [.. run.Select(s => s.Pattern)];
        var stamp = files.StampOf(patterns);
        _looks.Add(stamp is { } seen ? new ContextLook(context.Directory, context.IgnoreFile, patterns, seen) : null);
        Task<FileOpener> Open(CancellationToken cancellationToken) => Task.FromResult(new FileOpener(files.Open, []));
        var known = stamp is { } same ? _cache.FindSelection(same, what) : null;
        // What is missing is said of all copies at once; where the digest is known nothing is.
        if (known is not null)
            files.Skip();
        var found = known is null ? Select(files, step, run, where, diagnostics) : null;
        var selection = new ContextSelection(
            files, () => found ?? SelectNow(files, step, run, where), known, digest => Keep(stamp, what, digest), _session.Settings.Parallelism);
        return new CopyInput(_ => Task.Run(selection.Complete, cancellationToken: default), _ => Task.FromResult(selection.Current), Open)
        {
            ReadAsync = _ => Task.Run(selection.Read, cancellationToken: default),
            Unread = () => selection.UnreadBytes,
            Learn = selection.Learn,
        };
    }

    private void Keep(Digest? stamp, string[] what, Digest selection)
    {
        if (stamp is { } settled)
            _cache.AddSelection(settled, what, selection);
    }

    /// <summary>What a copy reads.</summary>
    public async Task<CopyInput> OfAsync(CopyStep step, CancellationToken cancellationToken)
    {
        var parts = new List<CopyInput>();
        var runs = RunsOf(step);
        for (int i = 0; i < runs.Count; i++)
            parts.Add(_contextInputs.GetValueOrDefault(step)?[i] ?? await OfAsync(step, runs[i], cancellationToken));
        return CopyInput.Of(parts);
    }

    private async Task<CopyInput> OfAsync(CopyStep step, IReadOnlyList<CopySource> run, CancellationToken cancellationToken)
    {
        if (run[0].Remote is { } remote)
            return await _remote.OfAsync(step, remote, cancellationToken);
        if (step.From is TreeSource.Inline)
            return CopyInput.Nothing;
        if (step.From is TreeSource.Git git)
        {
            SourceSelection Select(ContextFiles files) => SelectNow(files, step, run, $"'{step.From}'");
            return await _remote.OfAsync(git, What(step, run), Select, cancellationToken);
        }

        var chain = await _chainOf(step.From);
        string[] what = What(step, run);
        var digest = await _cache.SelectionAsync(chain.Id, what, async () => (await SelectAsync(step, run, chain, cancellationToken)).Digest);
        return CopyInput.Known(digest, token => SelectAsync(step, run, chain, token), token => _session.Layers.OpenerAsync(chain, _session.Workspace, token));
    }

    private static string[] What(CopyStep step, IReadOnlyList<CopySource> run) =>
        [Selector, step.Parents ? "parents" : "", .. step.Exclude.Select(e => "!" + e), .. run.Select(s => s.Pattern)];

    // Sources of one tree that stand together are selected together; each remote one is a tree of its own.
    private static List<IReadOnlyList<CopySource>> RunsOf(CopyStep step)
    {
        var runs = new List<IReadOnlyList<CopySource>>();
        foreach (var source in step.Sources)
        {
            if (source.Remote is null && runs.Count > 0 && runs[^1][0].Remote is null)
                runs[^1] = [.. runs[^1], source];
            else
                runs.Add([source]);
        }

        return runs;
    }

    private async Task<SourceSelection> SelectAsync(CopyStep step, IReadOnlyList<CopySource> run, LayerChain chain, CancellationToken cancellationToken)
    {
        var tree = await _session.Layers.TreeAsync(chain, _session.Workspace, cancellationToken);
        return SelectNow(new TreeFiles(tree), step, run, $"'{step.From}'");
    }

    private static SourceSelection SelectNow(ISelectable files, CopyStep step, IReadOnlyList<CopySource> run, string where)
    {
        var diagnostics = new DiagnosticBag();
        var selection = Select(files, step, run, where, diagnostics);
        diagnostics.ThrowIfErrors();
        return selection;
    }

    private static SourceSelection Select(ISelectable files, CopyStep step, IReadOnlyList<CopySource> run, string where, DiagnosticBag diagnostics) =>
        new([
            .. SourceSelector.Select(files, step with { Sources = run }, source =>
                diagnostics.Error("build-copy-missing", Problem(source, where), source.Span, source.IsPattern ? null : files.ReasonForAbsence(source.Pattern)))
            .Select(s => s with { MayBeArchive = step.Unpacking != Unpacking.None }),
        ]);

    private static string Problem(CopySource source, string where) =>
        SourceSelector.IsBroken(source) ? $"'{source.Pattern}' is not a pattern"
        : source.IsPattern ? $"a link in {where} that '{source.Pattern}' matches leads nowhere"
        : $"'{source.Pattern}' is not in {where}";
}

using Ingot.Builds.Cache;
using Ingot.Builds.Files;
using Ingot.Builds.Layers;
using Ingot.Diagnostics;
using Ingot.Oci.Content;
using Ingot.Plans;

namespace Ingot.Builds.Steps;

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
            _contextInputs[step] =
                [.. RunsOf(step).Select(run => run[0].Remote is null ? OfContext(files, context, step, run, diagnostics) : null)];
        }

        diagnostics.ThrowIfErrors();
    }

    private CopyInput OfContext(
        ContextFiles files, TreeSource.Context context, CopyStep step, IReadOnlyList<CopySource> run, DiagnosticBag diagnostics)
    {
        string where = $"the context '{context.Name}'";
        string[] what = [files.Definition, .. What(step, run)];
        string[] patterns = [.. run.Select(s => s.Pattern)];
        var stamp = files.StampOf(patterns);
        _looks.Add(stamp is { } seen ? new ContextLook(context.Directory, context.IgnoreFile, patterns, seen) : null);
        var known = stamp is { } same ? _cache.FindSelection(same, what) : null;
        // What is missing is said of all copies at once; where the digest is known nothing is.
        if (known is not null)
            files.Skip();
        var found = known is null ? Select(files, step, run, where, diagnostics) : null;
        return new ContextInput(
            files, () => found ?? SelectNow(files, step, run, where), known, digest => Keep(stamp, what, digest),
            _session.Settings.Parallelism);
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
        var digest = await _cache.SelectionAsync(chain.Id, what,
            async () => (await SelectAsync(step, run, chain, cancellationToken)).Digest);
        return new LayersInput(this, step, run, chain, digest);
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

    private async Task<SourceSelection> SelectAsync(
        CopyStep step, IReadOnlyList<CopySource> run, LayerChain chain, CancellationToken cancellationToken)
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

    private static SourceSelection Select(
        ISelectable files, CopyStep step, IReadOnlyList<CopySource> run, string where, DiagnosticBag diagnostics) =>
        new([
            .. SourceSelector.Select(files, step with { Sources = run }, source =>
                diagnostics.Error("build-copy-missing", Problem(source, where), source.Span,
                    source.IsPattern ? null : files.ReasonForAbsence(source.Pattern)))
            .Select(s => s with { MayBeArchive = step.Unpacking != Unpacking.None }),
        ]);

    private static string Problem(CopySource source, string where) =>
        SourceSelector.IsBroken(source) ? $"'{source.Pattern}' is not a pattern"
        : source.IsPattern ? $"a link in {where} that '{source.Pattern}' matches leads nowhere"
        : $"'{source.Pattern}' is not in {where}";

    private sealed class LayersInput(CopyInputs inputs, CopyStep step, IReadOnlyList<CopySource> run, LayerChain chain, Digest digest)
        : KnownInput(digest)
    {
        public override Task<SourceSelection> SelectAsync(CancellationToken cancellationToken) =>
            inputs.SelectAsync(step, run, chain, cancellationToken);

        public override async Task<IFileOpener> OpenAsync(CancellationToken cancellationToken) =>
            await inputs._session.Layers.OpenerAsync(chain, inputs._session.Workspace, cancellationToken);
    }
}

using System.Text;
using Ingot.Diagnostics;
using Ingot.Oci.Content;
using Ingot.Plans;

namespace Ingot.Builds;

/// <summary>What a copy reads, and how to open it.</summary>
/// <param name="Digest">The digest of the selection, which may be known without selecting.</param>
/// <param name="SelectAsync">The files.</param>
/// <param name="OpenAsync">Makes ready to read; what it returns opens a file by its origin.</param>
internal sealed record CopyInput(Digest Digest, Func<CancellationToken, Task<SourceSelection>> SelectAsync, Func<CancellationToken, Task<FileOpener>> OpenAsync)
{
    /// <summary>What it reads that is neither of the person nor of the plan, with its digest or commit.</summary>
    public IReadOnlyList<Material> Materials { get; init; } = [];

    /// <summary>Nothing.</summary>
    public static CopyInput Nothing { get; } = Of(new SourceSelection([]), _ => Stream.Null);

    /// <summary>Files that were selected and can be opened as they are.</summary>
    public static CopyInput Of(SourceSelection selection, Func<FileOrigin, Stream> open) =>
        new(selection.Digest, _ => Task.FromResult(selection), _ => Task.FromResult(new FileOpener(open, [])));

    /// <summary>Several, one after the other.</summary>
    public static CopyInput Of(IReadOnlyList<CopyInput> parts)
    {
        if (parts.Count < 2)
            return parts.Count == 0 ? Nothing : parts[0];

        var digest = Digest.Of(Encoding.ASCII.GetBytes(string.Join('\n', parts.Select(p => p.Digest))));
        return new CopyInput(digest, cancellationToken => SelectAllAsync(parts, cancellationToken), cancellationToken => OpenAllAsync(parts, cancellationToken))
        {
            Materials = [.. parts.SelectMany(p => p.Materials)],
        };
    }

    private static async Task<SourceSelection> SelectAllAsync(IReadOnlyList<CopyInput> parts, CancellationToken cancellationToken)
    {
        var sources = new List<SelectedSource>();
        for (int i = 0; i < parts.Count; i++)
        {
            var selection = await parts[i].SelectAsync(cancellationToken).ConfigureAwait(false);
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
                openers.Add(await part.OpenAsync(cancellationToken).ConfigureAwait(false));
            return new FileOpener(origin => openers[origin.Part].Open(origin), openers);
        }
        catch
        {
            openers.ForEach(o => o.Dispose());
            throw;
        }
    }
}

/// <summary>Opens files by their origin, until it is disposed.</summary>
internal sealed class FileOpener(Func<FileOrigin, Stream> open, IEnumerable<IDisposable> owned) : IDisposable
{
    public Stream Open(FileOrigin origin) => open(origin);

    public void Dispose()
    {
        foreach (var disposable in owned)
            disposable.Dispose();
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
                _contexts.Add(contexts[context] = files = new ContextFiles(context, _session.Settings.Epoch));
            _contextInputs[step] = [.. RunsOf(step).Select(run => run[0].Remote is null ? CopyInput.Of(Select(files, step, run, $"the context '{context.Name}'", diagnostics), files.Open) : null)];
        }

        diagnostics.ThrowIfErrors();
    }

    /// <summary>What a copy reads.</summary>
    public async Task<CopyInput> OfAsync(CopyStep step, CancellationToken cancellationToken)
    {
        var parts = new List<CopyInput>();
        var runs = RunsOf(step);
        for (int i = 0; i < runs.Count; i++)
            parts.Add(_contextInputs.GetValueOrDefault(step)?[i] ?? await OfAsync(step, runs[i], cancellationToken).ConfigureAwait(false));
        return CopyInput.Of(parts);
    }

    private async Task<CopyInput> OfAsync(CopyStep step, IReadOnlyList<CopySource> run, CancellationToken cancellationToken)
    {
        if (run[0].Remote is { } remote)
            return await _remote.OfAsync(step, remote, cancellationToken).ConfigureAwait(false);
        if (step.From is TreeSource.Inline)
            return CopyInput.Nothing;

        var chain = await _chainOf(step.From).ConfigureAwait(false);
        string[] what = [Selector, step.Parents ? "parents" : "", .. step.Exclude.Select(e => "!" + e), .. run.Select(s => s.Pattern)];
        if (_cache.FindSelection(chain.Id, what) is not { } digest)
        {
            digest = (await SelectAsync(step, run, chain, cancellationToken).ConfigureAwait(false)).Digest;
            _cache.AddSelection(chain.Id, what, digest);
        }

        return new CopyInput(digest, token => SelectAsync(step, run, chain, token), token => OpenAsync(chain, token));
    }

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
        var tree = await _session.Layers.TreeAsync(chain, _session.Workspace, cancellationToken).ConfigureAwait(false);
        var diagnostics = new DiagnosticBag();
        var selection = Select(new TreeFiles(tree), step, run, $"'{step.From}'", diagnostics);
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

    private async Task<FileOpener> OpenAsync(LayerChain chain, CancellationToken cancellationToken)
    {
        var snapshots = await _session.Layers.SnapshotsAsync(chain, _session.Workspace, cancellationToken).ConfigureAwait(false);
        var roots = snapshots.Select(s => new HostFiles(s)).ToList();
        return new FileOpener(origin => roots[^(origin.Layer + 1)].OpenRead(origin.Path), roots);
    }
}

using System.Collections.Concurrent;
using Ingot.Builds.Cache;
using Ingot.Builds.Files;
using Ingot.Builds.Layers;
using Ingot.Builds.Steps;
using Ingot.Diagnostics;
using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Oci.Layers.Compression;
using Ingot.Plans;

namespace Ingot.Builds.Running;

/// <summary>What a step of a stage came to.</summary>
/// <param name="Step">The step.</param>
/// <param name="Result">What it made; null for a step that changes no files.</param>
/// <param name="IsCached">Whether that was in the cache.</param>
internal sealed record ExecutedStep(Step Step, StepResult? Result, bool IsCached);

/// <summary>What a stage came to.</summary>
/// <param name="Chain">Its layers.</param>
/// <param name="Base">The result of the stage it starts with; null when that is no stage.</param>
/// <param name="Steps">Its steps.</param>
internal sealed record StageResult(LayerChain Chain, StageResult? Base, IReadOnlyList<ExecutedStep> Steps);

/// <summary>Runs the stages of one plan: each as soon as what it needs is there, a step only once however many stages have it, and nothing
/// that the cache knows.</summary>
internal sealed class PlanExecution : IStepBuild, IDisposable
{
    private readonly Plan _plan;
    private readonly BuildSession _session;
    private readonly StepCache _cache;
    private readonly StepKinds _kinds;
    private readonly IBuildProgress _progress;
    private readonly CancellationTokenSource _stop;
    private readonly Dictionary<string, Lazy<Task<StageResult>>> _stages = [];
    private readonly ConcurrentDictionary<Digest, Lazy<Task<(StepResult Result, bool IsCached)>>> _results = new();
    private readonly CopyInputs _copies;
    private readonly Dictionary<string, LayerCompression> _exported;
    private readonly StepExplainer _explainer;
    private readonly ConcurrentDictionary<Digest, UsedResult> _used = new();
    private long _addedBytes;

    /// <param name="plan">The plan.</param>
    /// <param name="session">The build.</param>
    /// <param name="cache">What is known of earlier builds.</param>
    /// <param name="kinds">How steps are made.</param>
    /// <param name="progress">Is told what happens.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public PlanExecution(
        Plan plan, BuildSession session, StepCache cache, StepKinds kinds, IBuildProgress progress, CancellationToken cancellationToken)
    {
        _plan = plan;
        _session = session;
        _cache = cache;
        _kinds = kinds;
        _progress = progress;
        _stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        _exported = ExportedStages(plan, session);
        _explainer = new StepExplainer(cache, session.Copied);
        _copies = new CopyInputs(session, cache, ChainAsync);
        foreach (var stage in plan.Stages)
            _stages[stage.Name] = new(() => Task.Run(() => RunStageAsync(stage)));
    }

    /// <summary>Whether any step was not in the cache.</summary>
    public bool HasExecuted { get; private set; }

    /// <summary>About what the results of this build take in the cache: the snapshot of a command and the blob of a layer,
    /// in bytes.</summary>
    public long AddedBytes => Interlocked.Read(ref _addedBytes);

    /// <summary>What the contexts looked like; null when that says too little.</summary>
    public IReadOnlyList<ContextLook>? Looks => _copies.Looks;

    /// <inheritdoc/>
    public MountCopies Mounts { get; } = new();

    /// <summary>The results that were used or made.</summary>
    public IReadOnlyList<UsedResult> Used => [.. _used.Values];

    /// <summary>Makes the results that came from shared caches this host's own: when all of the build is done,
    /// and nothing was found wrong with them.</summary>
    public void Adopt()
    {
        foreach (var record in _used.Values.Where(u => u.IsImported).Select(u => u.Record))
            _cache.Add(record.StepKey, record.Origin!.Place, record.Result, record.Origin);
    }

    private CancellationToken Stopped => _stop.Token;

    public void Dispose()
    {
        _copies.Dispose();
        _stop.Dispose();
    }

    /// <summary>Runs all stages; the first failure stops the others and is thrown when they have stopped.</summary>
    public async Task<IReadOnlyDictionary<string, StageResult>> RunAsync()
    {
        Check();
        var reading = Task.WhenAll(_plan.Stages.Select(s => s.Base).OfType<TreeSource.Image>().Distinct()
            .Select(image => Task.Run(() => ReadAheadAsync(image))));
        try
        {
            _copies.SelectContextFiles(Made.SelectMany(step => _kinds.Of(step).CopiesOf(step, Mounts)));
            return await RunStagesAsync();
        }
        finally
        {
            await reading.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    // An image that nothing was built upon here will be read, and may be while the contexts are looked at.
    // What is wrong with it the step says that needs it.
    private async Task ReadAheadAsync(TreeSource.Image image)
    {
        var chain = await ChainAsync(image);
        if (_session.Imported is null && !chain.Layers.All(l => _session.Layers.IsIndexed(l.DiffId)))
            await _session.Layers.TreeAsync(chain, _session.Workspace, Stopped);
    }

    private async Task<IReadOnlyDictionary<string, StageResult>> RunStagesAsync()
    {
        var tasks = _plan.Stages.ToDictionary(s => s.Name, s => StopOnFailureAsync(_stages[s.Name].Value));
        try
        {
            await Task.WhenAll(tasks.Values);
        }
        catch (Exception)
            when (tasks.Values.Select(t => t.Exception?.InnerException).FirstOrDefault(e => e is not (null or OperationCanceledException))
                is { } first)
        {
            // A step that was stopped because another failed is not what went wrong.
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(first);
        }

        var results = new Dictionary<string, StageResult>();
        foreach (var (name, task) in tasks)
            results[name] = await task;
        return results;
    }

    // Stages whose layers are an image's: their layers are compressed while they are written, as the first such image wants them.
    private static Dictionary<string, LayerCompression> ExportedStages(Plan plan, BuildSession session)
    {
        var exported = new Dictionary<string, LayerCompression>();
        foreach (var image in plan.Images)
        {
            for (string? name = image.Stage; name is not null && exported.TryAdd(name, session.CodecOf(image)); name =
                (plan.Stage(name).Base as TreeSource.Stage)?.Name)
            {
            }
        }

        return exported;
    }

    private async Task<StageResult> StopOnFailureAsync(Task<StageResult> stage)
    {
        try
        {
            return await stage;
        }
        catch
        {
            await _stop.CancelAsync();
            throw;
        }
    }

    private void Check()
    {
        var diagnostics = new DiagnosticBag();
        foreach (var step in Made)
            _kinds.Of(step).Check(step, _session.Settings, diagnostics);
        diagnostics.ThrowIfErrors();
    }

    // The steps of the plan for which something is made.
    private IEnumerable<Step> Made => _plan.Stages.SelectMany(s => s.Steps).Where(s => s is not MetadataStep);

    private async Task<StageResult> RunStageAsync(PlannedStage stage)
    {
        var below = stage.Base is TreeSource.Stage { Name: var name } ? await _stages[name].Value : null;
        var chain = below?.Chain ?? await ChainAsync(stage.Base);
        int count = stage.Steps.Count(s => s is not MetadataStep);
        var steps = new List<ExecutedStep>();
        foreach (var step in stage.Steps)
        {
            Stopped.ThrowIfCancellationRequested();
            if (step is MetadataStep)
            {
                steps.Add(new ExecutedStep(step, Result: null, IsCached: false));
                continue;
            }

            var label = new StepLabel(stage.Name, steps.Count(s => s.Result is not null) + 1, count, step.Text);
            var (result, isCached) = await AtAsync(step, RunStepAsync(stage, step, label, chain));
            steps.Add(new ExecutedStep(step, result, isCached));
            if (result.DiffId is { } diffId)
                chain = chain.With(new ChainLayer(diffId, Foreign: null));
        }

        return new StageResult(chain, below, steps);
    }

    // Where the template asks for what could not be fetched.
    private static async Task<T> AtAsync<T>(Step step, Task<T> work)
    {
        try
        {
            return await work;
        }
        catch (DownloadException e)
        {
            throw new UnavailableException(new Diagnostic(Severity.Error, "build-unavailable", e.Message, null, step.Span), e);
        }
    }

    /// <inheritdoc/>
    public async Task<LayerChain> ChainAsync(TreeSource source)
    {
        switch (source)
        {
            case TreeSource.Stage { Name: var name }:
                return (await _stages[name].Value).Chain;
            case TreeSource.Image { Manifest: var digest }:
                var image = await Image.LoadAsync(_session.Settings.Store, digest, cancellationToken: Stopped);
                return image.Config.RootFs.DiffIds
                    .Zip(image.Manifest.Layers)
                    .Aggregate(LayerChain.Empty, (chain, pair) => chain.With(new ChainLayer(pair.First, pair.Second)));
            case TreeSource.Scratch:
                return LayerChain.Empty;
            default:
                throw new InvalidOperationException($"'{source}' has no layers");
        }
    }

    /// <inheritdoc/>
    public Task<CopyInput> InputOfAsync(CopyStep copy) => _copies.OfAsync(copy, Stopped);

    /// <inheritdoc/>
    public async Task<LayerChain> CopyAsync(CopyStep copy, CopyInput input, string target, StepWork user)
    {
        var label = user.Label;
        var work = new StepWork(copy, label with { Text = copy.Text }, LayerChain.Empty, Export: false)
        {
            Input = new CopiedInput(input, await input.DigestAsync(Stopped), IsUnread: false),
            IsMounted = true,
            Stage = user.Stage,
            Origin = OriginOf($"{_plan.Project}\n{label.Stage}\n{label.Number}\n{target}", copy, new TreeSource.Scratch()),
        };
        var (result, _) = await OnceAsync(work);
        return result.DiffId is { } diffId ? LayerChain.Empty.With(new ChainLayer(diffId, Foreign: null)) : LayerChain.Empty;
    }

    /// <summary>The cache mounts of the plan: their names in caches, and their ids. What they begin with is known only of those that
    /// begin empty, or that a step was run for.</summary>
    public async Task<IReadOnlyList<(string Name, string Id)>> CacheMountsAsync()
    {
        var mounts = new List<(string, string)>();
        foreach (var mount in Made.OfType<RunStep>().SelectMany(s => s.Mounts).OfType<StepMount.Cache>())
        {
            Digest? initial = Mounts.Of(mount) is { } copy ? await (await InputOfAsync(copy)).DigestAsync(Stopped) : null;
            mounts.Add((CacheDirectory.Of("", mount.Id, initial), mount.Id));
        }

        return mounts;
    }

    private async Task<(StepResult Result, bool IsCached)> RunStepAsync(PlannedStage stage, Step step, StepLabel label, LayerChain chain)
    {
        string place = $"{_plan.Project}\n{stage.Name}\n{label.Number}";
        bool mayBeKnown = !IsFresh(stage);
        var work = new StepWork(step, label, chain, _exported.ContainsKey(stage.Name))
        {
            Stage = stage,
            Earlier = mayBeKnown ? _cache.LastLayer(place) : null,
            Origin = OriginOf(place, step, stage.Base),
            MayBeKnown = mayBeKnown && _cache.HasLast(place),
        };
        return await OnceAsync(work with { Input = await _kinds.Of(step).ReadAsync(work, this, Stopped) });
    }

    private bool IsFresh(PlannedStage stage) => stage.IsFresh || _session.Settings.NoCache;

    private StepKey KeyOf(StepWork work, StepInput input)
    {
        var met = new StepSurroundings(work.Chain, input.Content, EpochOf(work.Stage))
        {
            RulesOff = work.Stage.RulesOff,
            ExemptSecrets = [.. _session.Settings.Access.ExemptSecrets.Where(_session.Settings.Access.Secrets.ContainsKey)],
        };
        return _kinds.Of(work.Step).KeyOf(work.Step, met);
    }

    private DateTimeOffset EpochOf(PlannedStage stage) => stage.Epoch ?? _session.Settings.Epoch;

    private BuildSession SessionOf(StepWork work) => _session with
    {
        Settings = _session.Settings with
        {
            Epoch = EpochOf(work.Stage),
            Codec = _exported.GetValueOrDefault(work.Stage.Name, _session.Settings.Codec),
        },
        RulesOff = work.Stage.RulesOff,
        // What is only mounted is in no image, and may well be where a secret comes from.
        Step = work.IsMounted ? null : work.Step,
        Note = text => _progress.Report(new BuildEvent.StepNote(work.Label, text)),
        Output = line => _progress.Report(new BuildEvent.StepOutput(work.Label, line)),
    };

    // The key under which others find the result: with what was read, not with what it looked like.
    private async Task<StepKey> FinalKeyAsync(StepWork work, StepKey key)
    {
        var read = await work.Input.CompleteAsync(Stopped);
        return ReferenceEquals(read, work.Input) ? key : KeyOf(work, read);
    }

    private async Task<(StepResult Result, bool IsCached)> OnceAsync(StepWork work)
    {
        var key = KeyOf(work, work.Input);
        var mine = new Lazy<Task<(StepResult Result, bool IsCached)>>(() => FindOrRunAsync(work, key));
        var one = _results.GetOrAdd(key.Digest, mine);
        var made = await one.Value;
        if (_session.Settings.Explain && !ReferenceEquals(one, mine))
            _progress.Report(new BuildEvent.StepExplained(work.Label,
                new StepExplanation { IsHit = made.IsCached, Remark = "the same as another step of this build" }));
        return made;
    }

    private async Task<(StepResult Result, bool IsCached)> FindOrRunAsync(StepWork work, StepKey key)
    {
        if (await FindAsync(work, key) is { } known)
            return (known, true);

        // Before anything is held: what it is shown may have to be made, which is work like this.
        work = work with { Input = await work.Input.PrepareAsync(work, this, Stopped) };
        if (IsFresh(work.Stage))
            return (await RunInSlotAsync(work, key), false);

        // Another builder may be making just this; then its result is waited for and used.
        string lockFile = _cache.LockOf(key);
        bool hasWaited = false;
        var held = await FileLock.TakeAsync(lockFile, shared: false, _session.Settings.TimeProvider, () => hasWaited = true, Stopped);
        try
        {
            if (hasWaited)
            {
                work = work with { Input = await work.Input.CompleteAsync(Stopped) };
                key = KeyOf(work, work.Input);
            }

            return await FindAsync(work, key) is { } made ? (made, true) : (await RunInSlotAsync(work, key), false);
        }
        finally
        {
            held.Remove(lockFile);
        }
    }

    private async Task<StepResult> RunInSlotAsync(StepWork work, StepKey key)
    {
        var kind = _kinds.Of(work.Step);
        using var slot = await SlotAsync(kind.Slot);
        HasExecuted = true;
        _progress.Report(new BuildEvent.StepStarted(work.Label, IsFresh(work.Stage) ? [] : _explainer.Reasons(key, work.Origin)));
        var before = _session.Settings.Explain ? Nearest(work, key) : null;
        StepResult result;
        try
        {
            result = await ExecuteAsync(work.Label, () => kind.RunAsync(SessionOf(work), work, Stopped));
        }
        catch
        {
            Explain(work, key, before, result: null);
            throw;
        }

        // What a copy selected is only known when it is done.
        var final = await FinalKeyAsync(work, key);
        Explain(work, final, before, result);
        var origin = work.Origin with { Made = _session.Settings.TimeProvider.GetUtcNow() };
        Note(work, _cache.Add(final, work.Origin.Place, result, origin));
        // A command leaves a snapshot beside its blob.
        Interlocked.Add(ref _addedBytes, kind.Slot == StepSlot.Command ? result.Bytes + (result.Bytes / 2) : result.Bytes);
        if (kind.SettledBy(work.Step, result) is { } settled)
            Note(work, _cache.Add(KeyOf(work with { Step = settled }, work.Input), work.Origin.Place, result, origin));
        return result;
    }

    private Task<IDisposable> SlotAsync(StepSlot slot) =>
        slot == StepSlot.Command ? _session.Slots.CommandAsync(Stopped) : _session.Slots.WorkAsync(Stopped);

    private StepRecord? Nearest(StepWork work, StepKey key) =>
        _explainer.Nearest(key, work.Origin,
            _plan.Stages.SelectMany(s => s.Steps).Select(s => s.Text).Where(t => t != work.Origin.Text).ToHashSet());

    private void Explain(StepWork work, StepKey key, StepRecord? before, StepResult? result)
    {
        if (!_session.Settings.Explain)
            return;

        var explanation = _explainer.Miss(key, work.Origin, before, result);
        explanation = IsFresh(work.Stage) ? explanation with { Remark = "the cache was switched off" } : explanation;
        _progress.Report(new BuildEvent.StepExplained(work.Label, explanation));
    }

    private StepOrigin OriginOf(string place, Step step, TreeSource below) =>
        new() { Place = place, Text = step.Text, Base = below.ToString()!, Made = _session.Settings.TimeProvider.GetUtcNow() };

    private async Task<StepResult> ExecuteAsync(StepLabel label, Func<Task<StepResult>> run)
    {
        long started = _session.Settings.TimeProvider.GetTimestamp();
        try
        {
            var result = await run();
            _progress.Report(new BuildEvent.StepFinished(label, _session.Settings.TimeProvider.GetElapsedTime(started), result.Bytes));
            return result;
        }
        catch
        {
            _progress.Report(new BuildEvent.StepFailed(label, _session.Settings.TimeProvider.GetElapsedTime(started)));
            throw;
        }
    }

    private async Task<StepResult?> FindAsync(StepWork work, StepKey key)
    {
        if (IsFresh(work.Stage) || work.Step.IsFresh)
            return null;
        await _session.Use.MarkAsync(key.Digest, Stopped);
        foreach (var (record, isImported) in _cache.Candidates(key))
        {
            if (record.Result.DiffId is { } diffId && !await _session.Layers.HasAsync(diffId, Stopped))
                continue;

            _progress.Report(new BuildEvent.StepCached(work.Label));
            if (_session.Settings.Explain)
                _progress.Report(new BuildEvent.StepExplained(work.Label, StepExplainer.Hit(record)));
            Note(
                work,
                isImported
                    ? record with { Origin = work.Origin with { Made = record.Origin?.Made ?? default, Source = record.Origin?.Source } }
                    : record,
                isImported);
            return record.Result;
        }

        return null;
    }

    // One result may be an image's here and not there.
    private void Note(StepWork work, StepRecord record, bool isImported = false) =>
        _used.AddOrUpdate(record.StepKey.Digest, new UsedResult(record, work.Export, isImported),
            (_, old) => old with { IsOfImage = old.IsOfImage || work.Export });
}

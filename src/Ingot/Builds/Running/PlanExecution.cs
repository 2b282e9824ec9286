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

/// <summary>Runs the stages of one plan: each as soon as what it needs is there, a step only once however many stages have it, and nothing that the cache knows.</summary>
internal sealed partial class PlanExecution : IDisposable
{
    // What is read once more, to be looked up, when nothing was ever kept that it could be.
    private const long MaxReadAhead = 4 << 20;

    private readonly Plan _plan;
    private readonly BuildSession _session;
    private readonly StepCache _cache;
    private readonly IBuildProgress _progress;
    private readonly CancellationTokenSource _stop;
    private readonly Dictionary<string, Lazy<Task<StageResult>>> _stages = [];
    private readonly ConcurrentDictionary<Digest, Lazy<Task<(StepResult Result, bool IsCached)>>> _results = new();
    private readonly CopyInputs _copies;
    private readonly Dictionary<string, LayerCompression> _exported;
    private readonly StepExplainer _explainer;
    private readonly ConcurrentDictionary<Digest, UsedResult> _used = new();
    private long _addedBytes;

    public PlanExecution(Plan plan, BuildSession session, StepCache cache, IBuildProgress progress, CancellationToken cancellationToken)
    {
        _plan = plan;
        _session = session;
        _cache = cache;
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

    /// <summary>About what the results of this build take in the cache: the snapshot of a command and the blob of a layer, in bytes.</summary>
    public long AddedBytes => Interlocked.Read(ref _addedBytes);

    /// <summary>What the contexts looked like; null when that says too little.</summary>
    public IReadOnlyList<ContextLook>? Looks => _copies.Looks;

    /// <summary>The results that were used or made.</summary>
    public IReadOnlyList<UsedResult> Used => [.. _used.Values];

    /// <summary>Makes the results that came from shared caches this host's own: when all of the build is done, and nothing was found wrong with them.</summary>
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
        CheckCommands();
        var reading = Task.WhenAll(_plan.Stages.Select(s => s.Base).OfType<TreeSource.Image>().Distinct().Select(image => Task.Run(() => ReadAheadAsync(image))));
        try
        {
            _copies.SelectContextFiles(_plan.Stages.SelectMany(s => s.Steps).SelectMany(CopiesOf));
            return await RunStagesAsync();
        }
        finally
        {
            await reading.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    // An image that nothing was built upon here will be read, and may be while the contexts are looked at. What is wrong with it the step says that needs it.
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
        catch (Exception) when (tasks.Values.Select(t => t.Exception?.InnerException).FirstOrDefault(e => e is not (null or OperationCanceledException)) is { } first)
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
            for (string? name = image.Stage; name is not null && exported.TryAdd(name, session.CodecOf(image)); name = (plan.Stage(name).Base as TreeSource.Stage)?.Name)
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

    // What the person must have allowed, and what no image could make possible.
    private void CheckCommands()
    {
        var diagnostics = new DiagnosticBag();
        foreach (var step in _plan.Stages.SelectMany(s => s.Steps).OfType<RunStep>())
        {
            if (step.Insecure && !_session.Settings.Access.AllowInsecure)
                diagnostics.Error("build-not-allowed", "the command wants all privileges, which were not allowed", step.Span, "allow them with --allow security.insecure, if you would run it as root on the host");
            if (step.Network == StepNetwork.Host && !_session.Settings.Access.AllowHostNetwork)
                diagnostics.Error("build-not-allowed", "the command wants the host's network, which was not allowed", step.Span, "allow it with --allow network.host");
            if (step.Processors > Environment.ProcessorCount)
                diagnostics.Error("build-processors", $"the command is to see {step.Processors} processors, and this host has {Environment.ProcessorCount}", step.Span, "take 'processors' away in ingot.yaml, or build on a host that has them");
            RunMounts.Check(step, diagnostics);
        }

        diagnostics.ThrowIfErrors();
    }

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

    private async Task<LayerChain> ChainAsync(TreeSource source)
    {
        switch (source)
        {
            case TreeSource.Stage { Name: var name }:
                return (await _stages[name].Value).Chain;
            case TreeSource.Image { Manifest: var digest }:
                var image = await Image.LoadAsync(_session.Settings.Store, digest, cancellationToken: Stopped);
                return image.Config.RootFs.DiffIds.Zip(image.Manifest.Layers).Aggregate(LayerChain.Empty, (chain, pair) => chain.With(new ChainLayer(pair.First, pair.Second)));
            case TreeSource.Scratch:
                return LayerChain.Empty;
            default:
                throw new InvalidOperationException($"'{source}' has no layers");
        }
    }

    private async Task<(StepResult Result, bool IsCached)> RunStepAsync(PlannedStage stage, Step step, StepLabel label, LayerChain chain)
    {
        string place = $"{_plan.Project}\n{stage.Name}\n{label.Number}";
        var input = step is CopyStep copy ? await _copies.OfAsync(copy, Stopped) : null;
        // An archive is read to be unpacked, and what comes out says nothing of what it was.
        bool isUnread = input is not null && step is CopyStep { Unpacking: Unpacking.None } && input.Unread() > MaxReadAhead
            && (IsFresh(stage) || !_cache.HasLast(place));
        var content = step is RunStep run ? await MountedContentAsync(run)
            : input is null ? (Digest?)null
            : isUnread ? (await input.SelectAsync(Stopped)).Digest
            : await input.DigestAsync(Stopped);
        var work = new StepWork(step, label, chain, input, _exported.ContainsKey(stage.Name))
        {
            Stage = stage,
            IsUnread = isUnread,
            Earlier = IsFresh(stage) ? null : _cache.LastLayer(place),
            Origin = OriginOf(place, step, stage.Base),
        };
        return await OnceAsync(work, KeyOf(work, content));
    }

    private bool IsFresh(PlannedStage stage) => stage.IsFresh || _session.Settings.NoCache;

    private StepKey KeyOf(StepWork work, Digest? content) => StepKeys.Of(work.Step, work.Chain, content, EpochOf(work.Stage), work.Stage.RulesOff, ExemptSecrets);

    private IReadOnlyCollection<string> ExemptSecrets => [.. _session.Settings.Access.ExemptSecrets.Where(_session.Settings.Access.Secrets.ContainsKey)];

    private DateTimeOffset EpochOf(PlannedStage stage) => stage.Epoch ?? _session.Settings.Epoch;

    private BuildSession SessionOf(PlannedStage stage) => _session with
    {
        Settings = _session.Settings with { Epoch = EpochOf(stage), Codec = _exported.GetValueOrDefault(stage.Name, _session.Settings.Codec) },
        RulesOff = stage.RulesOff,
    };

    // The key under which others find the result: with what was read, not with what it looked like.
    private async Task<StepKey> FinalKeyAsync(StepWork work, StepKey key) =>
        work.IsUnread ? KeyOf(work, await work.Input!.DigestAsync(Stopped)) : key;

    private async Task<(StepResult Result, bool IsCached)> OnceAsync(StepWork work, StepKey key)
    {
        var mine = new Lazy<Task<(StepResult Result, bool IsCached)>>(() => FindOrRunAsync(work, key));
        var one = _results.GetOrAdd(key.Digest, mine);
        var made = await one.Value;
        if (_session.Settings.Explain && !ReferenceEquals(one, mine))
            _progress.Report(new BuildEvent.StepExplained(work.Label, new StepExplanation { IsHit = made.IsCached, Remark = "the same as another step of this build" }));
        return made;
    }

    private async Task<(StepResult Result, bool IsCached)> FindOrRunAsync(StepWork work, StepKey key)
    {
        if (await FindAsync(work, key) is { } known)
            return (known, true);

        // Before anything is held: what is mounted may have to be made, which is work like this.
        var trees = work.Step is RunStep run ? await MountTreesAsync(run, work) : [];
        if (IsFresh(work.Stage))
            return (await RunInSlotAsync(work, trees, key), false);

        // Another builder may be making just this; then its result is waited for and used.
        string lockFile = _cache.LockOf(key);
        bool hasWaited = false;
        var held = await FileLock.TakeAsync(lockFile, shared: false, _session.Settings.TimeProvider, () => hasWaited = true, Stopped);
        try
        {
            if (hasWaited)
                key = await FinalKeyAsync(work, key);
            return await FindAsync(work, key) is { } made ? (made, true) : (await RunInSlotAsync(work, trees, key), false);
        }
        finally
        {
            held.Remove(lockFile);
        }
    }

    private async Task<StepResult> RunInSlotAsync(StepWork work, Dictionary<StepMount, MountTree> trees, StepKey key)
    {
        using var slot = await SlotAsync(work.Step);
        HasExecuted = true;
        _progress.Report(new BuildEvent.StepStarted(work.Label, IsFresh(work.Stage) ? [] : _cache.ReasonsForMiss(key, work.Origin.Place)));
        var result = await ExplainAsync(work, key, () => ExecuteAsync(work.Label, () => RunAsync(work, trees)));
        var final = await FinalKeyAsync(work, key);
        var origin = work.Origin with { Made = _session.Settings.TimeProvider.GetUtcNow() };
        Note(work, _cache.Add(final, work.Origin.Place, result, origin));
        Interlocked.Add(ref _addedBytes, work.Step is CopyStep ? result.Bytes : result.Bytes + (result.Bytes / 2));
        // From now on it is locked, and asked for so.
        if (work.Step is BootstrapStep { Lock: not { IsWhole: true } } bootstrap)
            Note(work, _cache.Add(KeyOf(work with { Step = bootstrap with { Lock = new BootstrapLock(result.Packages, IsWhole: true) } }, content: null), work.Origin.Place, result, origin));
        return result;
    }

    // What a command left is written in a slot of its own, when it has ended.
    private Task<IDisposable> SlotAsync(Step step) => step is RunStep or BootstrapStep ? _session.Slots.CommandAsync(Stopped) : _session.Slots.WorkAsync(Stopped);

    // What a copy selected is only known when it is done.
    private async Task<StepResult> ExplainAsync(StepWork work, StepKey key, Func<Task<StepResult>> run)
    {
        if (!_session.Settings.Explain)
            return await run();

        var others = _plan.Stages.SelectMany(s => s.Steps).Select(s => s.Text).Where(t => t != work.Origin.Text).ToHashSet();
        var before = _explainer.Nearest(key, work.Origin, others);
        StepResult? result = null;
        try
        {
            return result = await run();
        }
        finally
        {
            var explanation = _explainer.Miss(result is null ? key : await FinalKeyAsync(work, key), work.Origin, before, result);
            explanation = IsFresh(work.Stage) ? explanation with { Remark = "the cache was not to be used" } : explanation;
            _progress.Report(new BuildEvent.StepExplained(work.Label, explanation));
        }
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

    private Task<StepResult> RunAsync(StepWork work, Dictionary<StepMount, MountTree> trees)
    {
        void Output(string line) => _progress.Report(new BuildEvent.StepOutput(work.Label, line));
        // What is only mounted is in no image, and may well be where a secret comes from.
        var session = SessionOf(work.Stage) with
        {
            Step = work.IsMounted ? null : work.Step,
            Note = text => _progress.Report(new BuildEvent.StepNote(work.Label, text)),
        };
        return work.Step switch
        {
            BootstrapStep bootstrap => BootstrapExecution.RunAsync(session, bootstrap, work.Stage.Name, work.Export, Output, Stopped),
            RunStep run => CommandExecution.RunAsync(session, run, work.Chain, trees, work.Export, Output, Stopped),
            CopyStep copy => CopyExecution.RunAsync(session, copy, work, Stopped),
            DirectoryStep directory => CopyExecution.RunAsync(session, directory, work.Chain, work.Export, Stopped),
            _ => throw new InvalidOperationException($"no execution for '{work.Step.GetType().Name}'"),
        };
    }

    private async Task<StepResult?> FindAsync(StepWork work, StepKey key)
    {
        if (IsFresh(work.Stage) || work.Step is BootstrapStep { IsFresh: true })
            return null;
        await _session.Use.MarkAsync(key.Digest, Stopped);
        foreach (var (record, isImported) in _cache.Candidates(key))
        {
            if (record.Result.DiffId is { } diffId && !await _session.Layers.HasAsync(diffId, Stopped))
                continue;

            _progress.Report(new BuildEvent.StepCached(work.Label));
            if (_session.Settings.Explain)
                _progress.Report(new BuildEvent.StepExplained(work.Label, StepExplainer.Hit(record)));
            Note(work, isImported ? record with { Origin = work.Origin with { Made = record.Origin?.Made ?? default, Source = record.Origin?.Source } } : record, isImported);
            return record.Result;
        }

        return null;
    }

    // One result may be an image's here and not there.
    private void Note(StepWork work, StepRecord record, bool isImported = false) =>
        _used.AddOrUpdate(record.StepKey.Digest, new UsedResult(record, work.Export, isImported), (_, old) => old with { IsOfImage = old.IsOfImage || work.Export });
}

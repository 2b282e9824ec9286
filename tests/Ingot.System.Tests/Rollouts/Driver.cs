using System.Diagnostics;
using Ingot.Instances;
using Ingot.Releases;
using Ingot.Tools;

namespace Ingot.SystemTests.Rollouts;

/// <summary>Plays the controller: it observes, asks, and carries out, and keeps nothing but the recorded state. With
/// <paramref name="suspicious"/> it is killed before every round and carries every move out twice.</summary>
internal sealed class Driver(DockerHost host, bool suspicious = false) : IAsyncDisposable
{
    private static readonly TimeSpan s_pace = TimeSpan.FromMilliseconds(100);

    private DockerTarget _target = host.Target();

    public List<(TimeSpan At, string Text)> Story { get; } = [];

    public Stopwatch Clock { get; } = Stopwatch.StartNew();

    public string Tale => string.Join('\n', Story.Select(line => $"{line.At.TotalSeconds,7:F2} {line.Text}"));

    public async Task<RolloutState> RunAsync(RolloutSpec spec, Func<RolloutState, Task<bool>>? until = null)
    {
        var state = Rollout.Begin(spec, TimeProvider.System.GetUtcNow());
        return await RunAsync(state, until);
    }

    public async Task<RolloutState> RunAsync(RolloutState state, Func<RolloutState, Task<bool>>? until = null)
    {
        var end = Clock.Elapsed + TimeSpan.FromMinutes(2);
        while (!state.IsTerminal && !(until is not null && await until(state)))
        {
            Assert.True(Clock.Elapsed < end, $"still in {state.Phase}: {state.Waiting}\n{Tale}");
            state = await RoundAsync(state);
            await Task.Delay(s_pace);
        }

        return state;
    }

    public async Task<RolloutState> RoundAsync(RolloutState state)
    {
        await ForgetAsync();
        state = ReleasesJson.ReadRollout(ReleasesJson.Write(state));
        Observation seen;
        try
        {
            seen = await _target.ObserveAsync(state.Spec.Setup, TimeProvider.System);
        }
        catch (ToolException e)
        {
            // Something is dying just now; what cannot be read is not guessed.
            Tell(e.Message);
            return state;
        }

        var decision = Rollout.Next(state, seen, TimeProvider.System.GetUtcNow());
        var broken = Invariants.Check(state, seen, decision);
        Assert.True(broken.Count == 0, $"{string.Join("; ", broken)}\n{Tale}");
        if (decision.State.Phase != state.Phase || decision.State.Step != state.Step)
            Tell($"{decision.State.Phase} {decision.State.Share} % {decision.State.History[^1].Reason}");
        foreach (var move in decision.Moves)
            await CarryOutAsync(decision.State.Spec.Setup, move);
        return decision.State;
    }

    /// <summary>Keeps a service as it is, until something holds.</summary>
    public async Task<SteadyState> KeepAsync(SteadyState state, Func<Observation, bool> until)
    {
        var end = Clock.Elapsed + TimeSpan.FromSeconds(60);
        while (true)
        {
            await ForgetAsync();
            var seen = await _target.ObserveAsync(state.Setup, TimeProvider.System);
            if (until(seen))
                return state;
            Assert.True(Clock.Elapsed < end, $"not mended after a minute: {ReleasesJson.Write(seen)}\n{Tale}");
            var decision = Steady.Next(state, seen, TimeProvider.System.GetUtcNow());
            Assert.Empty(Invariants.Check(seen, decision));
            state = decision.State;
            foreach (var move in decision.Moves)
                await CarryOutAsync(state.Setup, move);
            await Task.Delay(s_pace);
        }
    }

    public Task<Observation> ObserveAsync(ServiceSetup setup) => _target.ObserveAsync(setup, TimeProvider.System);

    public ValueTask DisposeAsync() => _target.DisposeAsync();

    // As after a crash: another process, with nothing in its memory.
    private async Task ForgetAsync()
    {
        if (!suspicious)
            return;
        await _target.DisposeAsync();
        _target = host.Target();
    }

    private async Task CarryOutAsync(ServiceSetup setup, Move move)
    {
        Tell(move.Key);
        await _target.CarryOutAsync(setup, move);
        if (suspicious)
            await _target.CarryOutAsync(setup, move);
    }

    private void Tell(string text) => Story.Add((Clock.Elapsed, text));
}

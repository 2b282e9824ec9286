using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Ingot.Benchmarks.Chaos;

/// <summary>What is done to the parts in the middle of a rollout.</summary>
internal enum Fault
{
    Nothing,
    ServerKilled,
    ServerStopped,
    NewInstanceKilled,
    OldInstanceKilled,
    ProxyKilled,
    ProxyStopped,
    DockerStopped,
    DockerKilled,
}

/// <summary>What a rollout is.</summary>
internal enum Change
{
    /// <summary>Another image, as good as the one before.</summary>
    Healthy,

    /// <summary>A configuration with which every third request fails.</summary>
    Bad,

    /// <summary>Another image, and a person's rollback in the middle.</summary>
    RolledBackByHand,
}

/// <summary>How one rollout went.</summary>
/// <param name="TrafficBack">From the decision to turn back to the last answer of the version that was left;
/// null when nothing turned back.</param>
internal sealed record Round(
    Change Change, Fault Fault, bool AsWanted, int Requests, int Lost, int Cut, int OfVersion, TimeSpan? TrafficBack, string Said);

/// <summary>Rollouts of <c>examples/shop</c> under load, in each of which something is killed, stopped or resumed at random; the same seed
/// gives the same faults.</summary>
internal sealed partial class ChaosRun(ChaosHost host, int rate, int seed, TimeProvider time)
{
    private readonly Random _random = new(seed);
    private readonly List<(DateTimeOffset From, DateTimeOffset To)> _proxyDown = [];
    private int _newest = 1;
    private int _version = 1;

    /// <summary>Brings the service up at its first version.</summary>
    public async Task PrepareAsync()
    {
        await host.StartDockerAsync();
        await host.StartServerAsync();
        Write(failPercent: 0);
        await ExpectAsync("up", host.Project);
    }

    public async Task<Round> NextAsync()
    {
        var change = _random.Next(10) switch { < 6 => Change.Healthy, < 8 => Change.Bad, _ => Change.RolledBackByHand };
        var fault = (Fault)_random.Next(Enum.GetValues<Fault>().Length);
        var when = TimeSpan.FromMilliseconds(_random.Next(200, 6000));
        await MakeAsync(change);
        var began = time.GetUtcNow();
        await using var load = ChaosLoad.Start(host.Service, rate, time);
        var rollout = BeginAsync();
        var disturbance = DisturbAsync(fault, when);
        if (change == Change.RolledBackByHand)
            await RollBackAsync(rollout);
        var (_, said) = await rollout;
        await disturbance;
        bool asWanted = await SettleAsync(change);
        await load.StopAsync();
        return await JudgeAsync(change, fault, asWanted, load, began, said);
    }

    // A version of its own each time: one that was turned back is in quarantine. Built before anything is killed,
    // so that faults fall into the rollout.
    private async Task MakeAsync(Change change)
    {
        if (change != Change.Bad)
            _version = ++_newest;
        Write(change == Change.Bad ? 30 : 0);
        await ExpectAsync("build", "web");
    }

    // A daemon or a server that is away when it is asked is no answer yet.
    private async Task<(int ExitCode, string Output)> BeginAsync()
    {
        for (int attempt = 0; ; attempt++)
        {
            var ended = await host.IngotAsync("up", host.Project);
            if (ended.ExitCode is 0 or 1 or 5 || attempt == 10)
                return ended;
            await Task.Delay(1000);
        }
    }

    private async Task RollBackAsync(Task<(int ExitCode, string Output)> rollout)
    {
        await Task.WhenAny(rollout, Task.Delay(_random.Next(3000, 7000)));
        for (int attempt = 0; attempt < 20; attempt++)
        {
            if ((await host.IngotAsync("rollback", "web", "--stage", "production", "--why", "chaos")).ExitCode is 0 or 1)
                return;
            await Task.Delay(500);
        }
    }

    private async Task DisturbAsync(Fault fault, TimeSpan when)
    {
        await Task.Delay(when);
        switch (fault)
        {
            case Fault.ServerKilled:
                await host.KillServerAsync();
                await Task.Delay(_random.Next(100, 3000));
                await host.StartServerAsync();
                break;
            case Fault.ServerStopped:
                await StopForAsync(host.Server.Id);
                break;
            case Fault.NewInstanceKilled when (await host.InstancesAsync()) is [.., var newest]:
                ChaosHost.Signal(newest, "KILL");
                break;
            case Fault.OldInstanceKilled when (await host.InstancesAsync()) is [var oldest, ..]:
                ChaosHost.Signal(oldest, "KILL");
                break;
            case Fault.ProxyKilled when host.Proxies() is [var proxy, ..]:
                _proxyDown.Add((time.GetUtcNow() - TimeSpan.FromSeconds(1), time.GetUtcNow() + TimeSpan.FromSeconds(1)));
                ChaosHost.Signal(proxy, "KILL");
                break;
            case Fault.ProxyStopped when host.Proxies() is [var proxy, ..]:
                await StopForAsync(proxy);
                break;
            case Fault.DockerStopped:
                await StopForAsync(ChaosHost.DockerId);
                break;
            case Fault.DockerKilled:
                ChaosHost.KillDocker();
                await Task.Delay(_random.Next(100, 3000));
                await host.StartDockerAsync();
                break;
        }
    }

    private async Task StopForAsync(int process)
    {
        ChaosHost.Signal(process, "STOP");
        await Task.Delay(_random.Next(500, 4000));
        ChaosHost.Signal(process, "CONT");
    }

    // The service is to come to rest, within two minutes, at what was wanted: the new version, or the one before.
    private async Task<bool> SettleAsync(Change change)
    {
        for (int attempt = 0; attempt < 240; attempt++)
        {
            var (code, output) = await host.IngotAsync("status", "--output", "json");
            if (code == 0 && !output.Contains("\"rollout\":{", StringComparison.Ordinal))
                break;
            await Task.Delay(500);
        }

        string serving = await ServingAsync();
        bool asWanted = change switch
        {
            Change.Healthy => serving == NameOf(_version),
            Change.Bad => serving == NameOf(_version) && await IsWellAsync(),
            _ => true,
        };
        _version = Enumerable.Range(1, _newest).FirstOrDefault(version => NameOf(version) == serving, _version);
        return asWanted;
    }

    private async Task<bool> IsWellAsync()
    {
        using var http = new HttpClient { Timeout = TimeSpan.FromSeconds(10) };
        for (int request = 0; request < 30; request++)
        {
            using var response = await http.GetAsync(host.Service);
            if (!response.IsSuccessStatusCode)
                return false;
        }

        return true;
    }

    private async Task<string> ServingAsync()
    {
        using var http = new HttpClient { Timeout = TimeSpan.FromSeconds(10) };
        try
        {
            using var document = JsonDocument.Parse(await http.GetStringAsync(new Uri(host.Service, "/version")));
            return document.RootElement.GetProperty("version").GetString() ?? "";
        }
        catch (Exception e) when (e is HttpRequestException or TaskCanceledException or JsonException)
        {
            return $"nothing: {e.Message}";
        }
    }

    private async Task<Round> JudgeAsync(Change change, Fault fault, bool asWanted, ChaosLoad load, DateTimeOffset began, string said)
    {
        var failed = load.Failed();
        var ofVersion = failed.Where(f => f.OfInstance && change == Change.Bad).OrderBy(f => f.Ended).ToList();
        var cut = failed.Except(ofVersion).Where(f => _proxyDown.Any(down => f.Sent < down.To && f.Ended > down.From)).ToList();
        var lost = failed.Except(ofVersion).Except(cut).ToList();
        TimeSpan? back = ofVersion.Count > 0 && await DecidedAsync(began) is { } decided ? ofVersion[^1].Ended - decided : null;
        string why = string.Join(", ", lost.GroupBy(f => f.Why).Select(group => $"{group.Count()} × {group.Key}"));
        return new Round(change, fault, asWanted, (int)load.Ended, lost.Count, cut.Count, ofVersion.Count, back,
            lost.Count > 0 ? why : asWanted ? "" : said);
    }

    // When the rollout turned back, as the ledger says.
    private async Task<DateTimeOffset?> DecidedAsync(DateTimeOffset began)
    {
        var (code, output) = await host.IngotAsync("log", "show", "--all", "--output", "json");
        if (code != 0)
            return null;
        using var document = JsonDocument.Parse(output);
        return document.RootElement.GetProperty("entries").EnumerateArray()
            .Where(entry => entry.GetRawText().Contains("Aborting", StringComparison.Ordinal))
            .Select(entry => entry.GetProperty("time").GetDateTimeOffset())
            .Where(at => at > began)
            .Select(at => (DateTimeOffset?)at)
            .FirstOrDefault();
    }

    private async Task ExpectAsync(params IReadOnlyList<string> arguments)
    {
        var (code, output) = await host.IngotAsync(arguments);
        if (code != 0)
            throw new InvalidOperationException($"'ingot {string.Join(' ', arguments)}' ended with {code}: {output}");
    }

    private static string NameOf(int version) => string.Create(CultureInfo.InvariantCulture, $"{version}.0.0");

    private void Write(int failPercent)
    {
        string version = NameOf(_version);
        string path = Path.Combine(host.Project, "ingot.yaml");
        string text = File.ReadAllText(path);
        text = Project().Replace(text, "project: chaos");
        text = Version().Replace(text, $"version: {version}");
        text = Arguments().Replace(text, $"args: {{ VERSION: {version}, FAIL_PERCENT: \"0\" }}");
        text = Listen().Replace(text, $"listen: {{ production: {host.ServicePort.ToString(CultureInfo.InvariantCulture)} }}");
        text = Replicas().Replace(text, "replicas: { production: 3 }");
        text = Configuration().Replace(text,
            $"config: {{ LOG_LEVEL: info, FAIL_PERCENT: \"{failPercent.ToString(CultureInfo.InvariantCulture)}\" }}");
        text = Observe().Replace(text, "observe: 2s");
        text = Synthetic().Replace(text, "");
        text = Staging().Replace(text, "");
        File.WriteAllText(path, text);
    }

    [GeneratedRegex(@"project: \w+")]
    private static partial Regex Project();

    [GeneratedRegex(@"version: \d+\.\d+\.\d+")]
    private static partial Regex Version();

    [GeneratedRegex(@"args: \{[^}]*\}")]
    private static partial Regex Arguments();

    [GeneratedRegex(@"listen: \{[^}]*\}")]
    private static partial Regex Listen();

    [GeneratedRegex(@"replicas: \{[^}]*\}")]
    private static partial Regex Replicas();

    [GeneratedRegex(@"config: \{[^}]*\}")]
    private static partial Regex Configuration();

    [GeneratedRegex("observe: [0-9]+s")]
    private static partial Regex Observe();

    [GeneratedRegex(@" +synthetic: \{[^}]*\}\n")]
    private static partial Regex Synthetic();

    [GeneratedRegex(@" +staging: +\{.*\}\n")]
    private static partial Regex Staging();
}

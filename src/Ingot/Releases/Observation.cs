using System.Text.Json.Serialization;
using Ingot.Oci.Content;

namespace Ingot.Releases;

/// <summary>What a target reports of one service, read from the world just now and never from memory.</summary>
/// <param name="Time">When reading began. A decision ignores an observation that began before the decision before it.</param>
/// <param name="Proxy">What the proxy reports.</param>
/// <param name="Instances">Every instance of the service that is this home's, running or not.</param>
/// <param name="Synthetic">The sender of Ingot's own requests; null when none runs.</param>
public sealed record Observation(
    DateTimeOffset Time, ProxyObservation Proxy, IReadOnlyList<InstanceObservation> Instances, SyntheticObservation? Synthetic = null)
{
    /// <summary>When reading the instances began, which may be earlier than <see cref="Time"/>:
    /// a slow engine keeps nothing from the proxy.</summary>
    public DateTimeOffset InstancesTime { get; init; } = Time;

    /// <summary>Why the engine could not be asked; null when it was. With it, <see cref="Instances"/> is empty and says nothing.</summary>
    public string? EngineTrouble { get; init; }

    /// <summary>Why the proxy, which runs, could not be asked; null when it was, or when it is known not to run. With it,
    /// <see cref="Proxy"/> says nothing.</summary>
    public string? ProxyTrouble { get; init; }

    /// <summary>Whether <see cref="Instances"/> says how the instances are. When not, they are unknown and never absent.</summary>
    [JsonIgnore]
    public bool KnowsInstances => EngineTrouble is null;

    /// <summary>Whether <see cref="Proxy"/> says how the proxy is. When not, it is unknown and never dead.</summary>
    [JsonIgnore]
    public bool KnowsProxy => ProxyTrouble is null;

    /// <summary>An instance, by generation and index; null when the target has none.</summary>
    public InstanceObservation? Instance(int generation, int index) =>
        Instances.FirstOrDefault(instance => instance.Generation == generation && instance.Index == index);

    /// <summary>A server of the proxy, by generation and index; null when the proxy has none.</summary>
    public ServerObservation? Server(int generation, int index) =>
        Proxy.Servers.FirstOrDefault(server => server.Generation == generation && server.Index == index);

    /// <summary>Whether an instance runs, the proxy knows its address, and the proxy's own check of it passes. While the engine cannot be
    /// asked, the check alone says it.</summary>
    public bool IsReady(int generation, int index) =>
        Server(generation, index) is { Health: ServerHealth.Up, Admin: ServerAdmin.Ready } server && (!KnowsInstances || Stands(server));

    /// <summary>How many instances of a generation are ready.</summary>
    public int ReadyInstances(int generation) =>
        Proxy.Servers.Count(server => server.Generation == generation && IsReady(generation, server.Index));

    private bool Stands(ServerObservation server) =>
        Instance(server.Generation, server.Index) is { State: InstanceState.Running, Objection: null } instance
            && instance.Address == server.Address;

    /// <summary>Requests in flight or queued at the servers of a generation.</summary>
    public long InFlight(int generation) =>
        Proxy.Servers.Where(server => server.Generation == generation).Sum(server => server.Sessions + server.Queued);
}

/// <summary>One instance, as the engine reports it.</summary>
/// <param name="Generation">The generation it was created for.</param>
/// <param name="Index">Which of the generation's instances, from 0.</param>
/// <param name="Id">The engine's id. A destructive move names it, so that it can never hit a successor of the same name.</param>
/// <param name="State">What it does.</param>
/// <param name="Digest">The image it was created for, as its label says.</param>
/// <param name="Address">Where it can be reached, <c>address:port</c>; null unless it runs.</param>
/// <param name="Restarts">How often the engine has started it again.</param>
/// <param name="StartedAt">When it was last started; null when never.</param>
/// <param name="ExitCode">How it last ended; null while it runs.</param>
/// <param name="OutOfMemory">Whether the kernel ended it for want of memory.</param>
public sealed record InstanceObservation(
    int Generation,
    int Index,
    string Id,
    InstanceState State,
    Digest Digest,
    string? Address,
    int Restarts = 0,
    DateTimeOffset? StartedAt = null,
    int? ExitCode = null,
    bool OutOfMemory = false)
{
    /// <summary>Why it may get no traffic although it runs: it is not what its generation promises, such as another image under the same
    /// labels; null when it is.</summary>
    public string? Objection { get; init; }
}

/// <summary>What an instance does.</summary>
public enum InstanceState
{
    /// <summary>It was made and not yet started.</summary>
    Created,

    /// <summary>It runs.</summary>
    Running,

    /// <summary>It ended and the engine is about to start it again.</summary>
    Restarting,

    /// <summary>It ended, or was stopped.</summary>
    Exited,
}

/// <summary>What the proxy of a service reports.</summary>
/// <param name="Alive">Whether it answers on its runtime socket.</param>
/// <param name="Settings">How it was set up; null when it is not alive.</param>
/// <param name="Epoch">Names one life of the proxy: counters of different epochs cannot be compared. Empty when it is not alive.</param>
/// <param name="Servers">Its servers; empty when it is not alive.</param>
/// <param name="Requests">Requests users have sent in this epoch.</param>
/// <param name="Failures">Answers of 5xx that users have got in this epoch, whoever made them.</param>
public sealed record ProxyObservation(
    bool Alive, ProxySettings? Settings, string Epoch, IReadOnlyList<ServerObservation> Servers, long Requests = 0, long Failures = 0)
{
    /// <summary>A proxy that does not run.</summary>
    public static ProxyObservation Down { get; } = new(false, null, "", []);
}

/// <summary>One server of the proxy: an instance as the data plane sees it.</summary>
/// <param name="Generation">The generation of the instance behind it.</param>
/// <param name="Index">The index of the instance behind it.</param>
/// <param name="Address">Where requests go, <c>address:port</c>.</param>
/// <param name="Weight">The weight read back, 0 to 256.</param>
/// <param name="Admin">What the proxy was told to do with it.</param>
/// <param name="Health">What the proxy's own checks say.</param>
/// <param name="Sessions">Requests in flight.</param>
/// <param name="Queued">Requests waiting for it.</param>
/// <param name="Counters">What it has done in this life of the proxy.</param>
public sealed record ServerObservation(
    int Generation,
    int Index,
    string Address,
    int Weight,
    ServerAdmin Admin,
    ServerHealth Health,
    long Sessions,
    long Queued,
    ServerCounters Counters)
{
    /// <summary>What the last check got instead of a good answer, for people: <c>answered 404</c>; null when it passed,
    /// or none was made.</summary>
    public string? Check { get; init; }
}

/// <summary>What the proxy was told to do with a server.</summary>
public enum ServerAdmin
{
    /// <summary>It takes requests by its weight.</summary>
    Ready,

    /// <summary>It takes no new requests and is still checked.</summary>
    Drain,

    /// <summary>It is out of use.</summary>
    Maintenance,
}

/// <summary>What the proxy's checks say of a server.</summary>
public enum ServerHealth
{
    /// <summary>Not checked yet.</summary>
    Unknown,

    /// <summary>The last checks passed.</summary>
    Up,

    /// <summary>The last checks failed.</summary>
    Down,
}

/// <summary>Counters of one server, since the proxy began to count.</summary>
/// <param name="Responses">Answers of any status that came from the instance.</param>
/// <param name="ServerErrors">Answers of 5xx among them.</param>
/// <param name="ConnectionErrors">Requests that ended with a connection refused, reset or not answered.</param>
/// <param name="ResponseErrors">Requests that ended with an answer that broke off or never came.</param>
/// <param name="Retries">Attempts that failed here and were tried again, here or elsewhere. The answer in the end is counted where it came
/// from, once; these say nothing of what users saw.</param>
public readonly record struct ServerCounters(long Responses, long ServerErrors, long ConnectionErrors, long ResponseErrors, long Retries)
{
    /// <summary>Requests without an answer from the instance: its version's failures only when the instance lives.</summary>
    [JsonIgnore]
    public long Unanswered => ConnectionErrors + ResponseErrors;
}

/// <summary>The sender of Ingot's own requests.</summary>
/// <param name="Path">What it asks for.</param>
/// <param name="Rate">Requests a second it was told to send.</param>
/// <param name="Sent">Requests sent.</param>
/// <param name="Failed">Requests without an answer, or answered with 5xx.</param>
/// <param name="Skipped">Requests not sent because too many were still unanswered.</param>
public sealed record SyntheticObservation(string Path, int Rate, long Sent, long Failed, long Skipped);

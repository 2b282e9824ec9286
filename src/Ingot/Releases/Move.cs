using System.Text.Json.Serialization;

namespace Ingot.Releases;

/// <summary>One step of a rollout as data. Carrying a move out twice MUST leave the target as carrying it out once does.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "move")]
[JsonDerivedType(typeof(EnsureProxy), "ensure-proxy")]
[JsonDerivedType(typeof(CreateInstance), "create-instance")]
[JsonDerivedType(typeof(AddServer), "add-server")]
[JsonDerivedType(typeof(SetShares), "set-shares")]
[JsonDerivedType(typeof(RemoveServer), "remove-server")]
[JsonDerivedType(typeof(StopInstance), "stop-instance")]
[JsonDerivedType(typeof(RemoveInstance), "remove-instance")]
[JsonDerivedType(typeof(StartSynthetic), "start-synthetic")]
[JsonDerivedType(typeof(StopSynthetic), "stop-synthetic")]
public abstract record Move
{
    private Move()
    {
    }

    /// <summary>Names the effect within a service and stage: two moves with the same key want the same thing.</summary>
    [JsonIgnore]
    public abstract string Key { get; }

    /// <summary>What it is carried out on. Moves of different lanes MUST NOT wait for one another;
    /// within a lane their order counts.</summary>
    [JsonIgnore]
    public virtual Lane Lane => Lane.Traffic;

    /// <summary>The instance it is carried out on, <c>g2-0</c>; null when it is not carried out on an instance.</summary>
    [JsonIgnore]
    public string? Subject => this switch
    {
        CreateInstance create => InstanceName.Of(create.Generation, create.Index),
        StopInstance stop => InstanceName.Of(stop.Generation, stop.Index),
        RemoveInstance remove => InstanceName.Of(remove.Generation, remove.Index),
        _ => null,
    };

    /// <summary>The key: what people and logs see.</summary>
    public sealed override string ToString() => Key;

    /// <summary>Start the proxy with these servers, or replace one that is set up otherwise without closing its listening
    /// sockets.</summary>
    /// <param name="Settings">How it is to be set up.</param>
    /// <param name="Servers">The servers it begins with.</param>
    /// <param name="Shares">The shares it begins with; null when every server keeps what it takes, and a new one takes nothing.</param>
    public sealed record EnsureProxy(
        ProxySettings Settings, IReadOnlyList<ProxyServer> Servers, IReadOnlyList<TrafficShare>? Shares = null) : Move
    {
        /// <inheritdoc/>
        public override string Key => string.Join(' ', [$"proxy {Settings.Listen}", .. Shares ?? [], .. Servers]);
    }

    /// <summary>Pull the image by its digest, create the instance and start it.</summary>
    /// <param name="Generation">The generation.</param>
    /// <param name="Index">Which of its instances.</param>
    /// <param name="Attempt">0 for the first, more for each replacement.</param>
    public sealed record CreateInstance(int Generation, int Index, int Attempt) : Move
    {
        /// <inheritdoc/>
        public override Lane Lane => Lane.Instances;

        /// <inheritdoc/>
        public override string Key => $"create g{Generation}-{Index} attempt {Attempt}";
    }

    /// <summary>Make the instance known to the proxy under its address, checked, and let it take nothing yet; or correct the address of a
    /// server that is there.</summary>
    /// <param name="Generation">The generation.</param>
    /// <param name="Index">Which of its instances.</param>
    /// <param name="Address">Where it can be reached, <c>address:port</c>.</param>
    public sealed record AddServer(int Generation, int Index, string Address) : Move
    {
        /// <inheritdoc/>
        public override string Key => $"server g{Generation}-{Index} {Address}";
    }

    /// <summary>Divide the traffic, and read back how it is divided. Servers that get more are told before those that get less, so that
    /// somebody always takes it.</summary>
    /// <param name="Shares">What each generation is to take.</param>
    /// <param name="Servers">The servers that are to change. What the others take stays.</param>
    public sealed record SetShares(IReadOnlyList<TrafficShare> Shares, IReadOnlyList<ServerTurn> Servers) : Move
    {
        /// <inheritdoc/>
        public override string Key => string.Join(' ', ["shares", .. Shares, "at", .. Servers]);
    }

    /// <summary>Take the server out of the proxy. Without <paramref name="CutSessions"/> a server with requests in flight stays.</summary>
    /// <param name="Generation">The generation.</param>
    /// <param name="Index">Which of its instances.</param>
    /// <param name="CutSessions">Whether what is still in flight is cut: its drain deadline has passed, or nothing answers.</param>
    public sealed record RemoveServer(int Generation, int Index, bool CutSessions) : Move
    {
        /// <inheritdoc/>
        public override string Key => $"remove-server g{Generation}-{Index}{(CutSessions ? " cut" : "")}";
    }

    /// <summary>Stop the instance and keep it, with its log.</summary>
    /// <param name="Generation">The generation.</param>
    /// <param name="Index">Which of its instances.</param>
    /// <param name="Id">The engine's id of the one meant.</param>
    public sealed record StopInstance(int Generation, int Index, string Id) : Move
    {
        /// <inheritdoc/>
        public override Lane Lane => Lane.Instances;

        /// <inheritdoc/>
        public override string Key => $"stop g{Generation}-{Index} {Id}";
    }

    /// <summary>Stop the instance if it runs, and remove it.</summary>
    /// <param name="Generation">The generation.</param>
    /// <param name="Index">Which of its instances.</param>
    /// <param name="Id">The engine's id of the one meant.</param>
    public sealed record RemoveInstance(int Generation, int Index, string Id) : Move
    {
        /// <inheritdoc/>
        public override Lane Lane => Lane.Instances;

        /// <inheritdoc/>
        public override string Key => $"remove g{Generation}-{Index} {Id}";
    }

    /// <summary>Send requests of Ingot's own through the proxy.</summary>
    /// <param name="Path">What to ask for with GET.</param>
    /// <param name="Rate">Requests a second.</param>
    public sealed record StartSynthetic(string Path, int Rate) : Move
    {
        /// <inheritdoc/>
        public override string Key => $"synthetic {Path} {Rate}/s";
    }

    /// <summary>Send no more requests of Ingot's own.</summary>
    public sealed record StopSynthetic : Move
    {
        /// <inheritdoc/>
        public override string Key => "synthetic off";
    }
}

/// <summary>What moves are carried out on.</summary>
public enum Lane
{
    /// <summary>The proxy, and Ingot's own requests: at once, in order, each within a short time.</summary>
    Traffic,

    /// <summary>One instance: may be slow, and delays nothing but other moves on the same instance.</summary>
    Instances,
}

/// <summary>A server the proxy begins with.</summary>
/// <param name="Generation">The generation of the instance behind it.</param>
/// <param name="Index">The index of the instance behind it.</param>
/// <param name="Address">Where it can be reached, <c>address:port</c>.</param>
public sealed record ProxyServer(int Generation, int Index, string Address)
{
    /// <summary><c>g2-0=10.0.0.2:80</c>.</summary>
    public override string ToString() => $"g{Generation}-{Index}={Address}";
}

/// <summary>What a generation takes of the traffic. Its servers take equal parts of it.</summary>
/// <param name="Generation">The generation.</param>
/// <param name="Percent">0 to 100.</param>
/// <param name="Servers">How many servers it has when all are there.</param>
public sealed record TrafficShare(int Generation, int Percent, int Servers)
{
    /// <summary><c>g2=5%/3</c>.</summary>
    public override string ToString() => $"g{Generation}={Percent}%/{Servers}";
}

/// <summary>A server whose part of the traffic is to change.</summary>
/// <param name="Generation">The generation of the instance behind it.</param>
/// <param name="Index">The index of the instance behind it.</param>
/// <param name="Takes">Whether it takes its part of the generation's share; otherwise nothing.</param>
public sealed record ServerTurn(int Generation, int Index, bool Takes)
{
    /// <summary><c>g2-0</c>, or <c>-g2-0</c> for one that takes nothing.</summary>
    public override string ToString() => $"{(Takes ? "" : "-")}g{Generation}-{Index}";
}

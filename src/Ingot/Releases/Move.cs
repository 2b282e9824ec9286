using System.Globalization;
using System.Text.Json.Serialization;

namespace Ingot.Releases;

/// <summary>One step of a rollout as data. Carrying a move out twice MUST leave the target as carrying it out once does.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "move")]
[JsonDerivedType(typeof(EnsureProxy), "ensure-proxy")]
[JsonDerivedType(typeof(CreateInstance), "create-instance")]
[JsonDerivedType(typeof(AddServer), "add-server")]
[JsonDerivedType(typeof(SetWeights), "set-weights")]
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

    /// <summary>What it is carried out on. Moves of different lanes MUST NOT wait for one another; within a lane their order counts.</summary>
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

    /// <summary>Start the proxy with these servers, or replace one that is set up otherwise without closing its listening sockets.</summary>
    /// <param name="Settings">How it is to be set up.</param>
    /// <param name="Servers">The servers it begins with.</param>
    public sealed record EnsureProxy(ProxySettings Settings, IReadOnlyList<ProxyServer> Servers) : Move
    {
        /// <inheritdoc/>
        public override string Key => $"proxy {Settings.Listen} {string.Join(' ', Servers)}".TrimEnd();
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
        public override string Key => string.Create(CultureInfo.InvariantCulture, $"create g{Generation}-{Index} attempt {Attempt}");
    }

    /// <summary>Make the instance known to the proxy under its address, checked, at weight 0; or correct the address of a server that is there.</summary>
    /// <param name="Generation">The generation.</param>
    /// <param name="Index">Which of its instances.</param>
    /// <param name="Address">Where it can be reached, <c>address:port</c>.</param>
    public sealed record AddServer(int Generation, int Index, string Address) : Move
    {
        /// <inheritdoc/>
        public override string Key => string.Create(CultureInfo.InvariantCulture, $"server g{Generation}-{Index} {Address}");
    }

    /// <summary>Set weights and read them back. Weights that rise are set before those that fall, so that there is never none.</summary>
    /// <param name="Servers">The servers whose weights are to change.</param>
    public sealed record SetWeights(IReadOnlyList<ServerWeight> Servers) : Move
    {
        /// <inheritdoc/>
        public override string Key => $"weights {string.Join(' ', Servers)}";
    }

    /// <summary>Take the server out of the proxy. Without <paramref name="CutSessions"/> a server with requests in flight stays.</summary>
    /// <param name="Generation">The generation.</param>
    /// <param name="Index">Which of its instances.</param>
    /// <param name="CutSessions">Whether what is still in flight is cut: its drain deadline has passed, or nothing answers.</param>
    public sealed record RemoveServer(int Generation, int Index, bool CutSessions) : Move
    {
        /// <inheritdoc/>
        public override string Key => string.Create(CultureInfo.InvariantCulture, $"remove-server g{Generation}-{Index}{(CutSessions ? " cut" : "")}");
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
        public override string Key => string.Create(CultureInfo.InvariantCulture, $"stop g{Generation}-{Index} {Id}");
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
        public override string Key => string.Create(CultureInfo.InvariantCulture, $"remove g{Generation}-{Index} {Id}");
    }

    /// <summary>Send requests of Ingot's own through the proxy.</summary>
    /// <param name="Path">What to ask for with GET.</param>
    /// <param name="Rate">Requests a second.</param>
    public sealed record StartSynthetic(string Path, int Rate) : Move
    {
        /// <inheritdoc/>
        public override string Key => string.Create(CultureInfo.InvariantCulture, $"synthetic {Path} {Rate}/s");
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
/// <param name="Weight">Its weight, 0 to 256.</param>
public sealed record ProxyServer(int Generation, int Index, string Address, int Weight)
{
    /// <summary><c>g2-0=10.0.0.2:80*5</c>.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"g{Generation}-{Index}={Address}*{Weight}");
}

/// <summary>The weight a server is to have.</summary>
/// <param name="Generation">The generation of the instance behind it.</param>
/// <param name="Index">The index of the instance behind it.</param>
/// <param name="Weight">0 to 256.</param>
public sealed record ServerWeight(int Generation, int Index, int Weight)
{
    /// <summary><c>g2-0=5</c>.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"g{Generation}-{Index}={Weight}");
}

using Ingot.Oci.Content;

namespace Ingot.Plans;

/// <summary>What a person says of the images of a build, over what their templates say.</summary>
public sealed record PlanOptions
{
    /// <summary>Build arguments for every template; they win over the project's.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Arguments { get; init; } = [];

    /// <summary>Labels for every image; they win over the template's.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Labels { get; init; } = [];

    /// <summary>Contexts by name, which FROM, <c>--from</c> and <c>--mount</c> find before anything else: a directory,
    /// <c>docker-image://NAME</c>, <c>oci-layout://DIR</c>, or a git repository.</summary>
    public IReadOnlyDictionary<string, string> Contexts { get; init; } = new Dictionary<string, string>();

    /// <summary>What the images run on.</summary>
    public Platform Platform { get; init; } = Platform.Host;

    /// <summary>What commands run with.</summary>
    public RunSettings Run { get; init; } = new();

    /// <summary>Stages that are made anew, whatever the cache holds: names of the Dockerfile, of the project's images, or
    /// <c>image/stage</c>.</summary>
    public IReadOnlyList<string> FreshStages { get; init; } = [];
}

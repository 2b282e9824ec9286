using System.Net;

namespace Ingot.Instances;

/// <summary>The targets of one home, by the names <c>ingot.yaml</c> has for them.</summary>
/// <param name="byName">What each name stands for; <see cref="First"/> among them.</param>
public sealed class Targets(IReadOnlyDictionary<string, ITarget> byName)
{
    /// <summary>The one meant where no name is given: what a stage ran on before it stopped naming a target. With a second kind that has
    /// to be recorded with the release.</summary>
    public const string First = "docker";

    // A kind of target is a row: its name, and how one is made for a home.
    private static readonly (string Name, Func<TargetHome, ITarget> Make)[] s_kinds =
    [
        (First, home => new DockerTarget(home.Directory, home.Id, home.Time) { Credentials = home.Credentials }),
    ];

    /// <summary>The names.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. s_kinds.Select(kind => kind.Name)];

    /// <summary>Everything instances of this home can run on.</summary>
    public IEnumerable<ITarget> All => byName.Values;

    /// <summary>A target for each kind.</summary>
    public static Targets Of(TargetHome home) =>
        new(s_kinds.ToDictionary(kind => kind.Name, kind => kind.Make(home), StringComparer.Ordinal));

    /// <summary>The target that a stage names.</summary>
    public ITarget Named(string? name) => byName[name ?? First];
}

/// <summary>Whose instances run on a target.</summary>
/// <param name="Directory">The home's directory.</param>
/// <param name="Id">What tells this home's instances from those of others.</param>
/// <param name="Time">The clock.</param>
/// <param name="Credentials">What an engine shows to the registry of a repository; null for nothing.</param>
public sealed record TargetHome(string Directory, string Id, TimeProvider Time, Func<string, NetworkCredential?> Credentials);

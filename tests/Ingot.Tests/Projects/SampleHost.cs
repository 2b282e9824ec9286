using Ingot.Evidence.Signatures;
using Ingot.Oci.Content;
using Ingot.Projects;

namespace Ingot.Tests.Projects;

/// <summary>A host below a directory, with keys of its own and no server.</summary>
internal sealed class SampleHost(string directory) : IProjectSurroundings
{
    /// <summary>What was said, a line each.</summary>
    public RecordedProgress Said { get; } = new();

    public string Keys => Path.Combine(directory, "keys");

    public ProjectHost Host => new()
    {
        Places = new ProjectPlaces
        {
            Content = Path.Combine(directory, "store"),
            Cache = Path.Combine(directory, "cache"),
            Work = Path.Combine(directory, "work"),
            Recipes = Path.Combine(directory, "recipes"),
        },
        Surroundings = this,
        Version = "0.1.0",
        Progress = Said,
    };

    public KeyStore OpenKeys() => new(Keys);

    public async Task<IReadOnlyList<TrustedKey>> TrustedKeysAsync(CancellationToken cancellationToken) =>
        await OpenKeys().PublicKeyAsync(cancellationToken) is { } key ? [new TrustedKey(key, "own")] : [];

    public IEnumerable<Digest> Needed() => [];

    public Task<OwnRegistry?> FindRegistryAsync(string registry, CancellationToken cancellationToken) =>
        Task.FromResult<OwnRegistry?>(null);
}

/// <summary>Remembers what is said.</summary>
internal sealed class RecordedProgress : IProjectProgress
{
    private readonly List<string> _lines = [];

    public IReadOnlyList<string> Lines => _lines;

    public void Report(ProjectEvent progress)
    {
        if (progress is ProjectEvent.Note note)
            _lines.Add($"{note.Area,-8} {note.Text}");
    }

    public IBuildWatch WatchBuild(string? log) => NoProjectProgress.Instance.WatchBuild(log);

    public ITransferWatch WatchTransfer(string verb, string name) => NoProjectProgress.Instance.WatchTransfer(verb, name);
}

using System.Collections.Concurrent;
using System.Text;
using Ingot.Builds.Files;
using Ingot.Builds.Layers;
using Ingot.Builds.Remote;
using Ingot.Oci.Content;
using Ingot.Oci.Linux;
using Ingot.Oci.Tar;
using Ingot.Plans;

namespace Ingot.Builds.Steps;

/// <summary>What copies read from web servers and repositories. Nothing is fetched before it is needed: to know a key,
/// a checksum or a commit is enough.</summary>
internal sealed class RemoteInputs : IDisposable
{
    // As Docker's builder has it: what came over the network is its owner's alone.
    private const int DownloadMode = 0b110_000_000;

    private readonly BuildSession _session;
    private readonly ConcurrentDictionary<string, Lazy<Task<ContextFiles>>> _trees = new();
    private readonly ConcurrentBag<IDisposable> _opened = [];

    public RemoteInputs(BuildSession session) => _session = session;

    public void Dispose()
    {
        foreach (var opened in _opened)
            opened.Dispose();
    }

    /// <summary>What a source of a copy reads.</summary>
    public Task<CopyInput> OfAsync(CopyStep step, TreeSource remote, CancellationToken cancellationToken) => remote switch
    {
        TreeSource.Download download => OfAsync(step, download, cancellationToken),
        TreeSource.Git git => OfAsync(git, [], files => All(step, files), cancellationToken),
        _ => throw new InvalidOperationException($"'{remote}' is not remote"),
    };

    private async Task<CopyInput> OfAsync(CopyStep step, TreeSource.Download download, CancellationToken cancellationToken)
    {
        var content = download.Checksum ?? (await _session.Downloads.FetchAsync(download, cancellationToken)).Content;
        return new DownloadInput(this, step, download, content, SelectionOf(step, download, new DownloadedFile(content, Size: 0)).Digest);
    }

    private SourceSelection SelectionOf(CopyStep step, TreeSource.Download download, DownloadedFile file)
    {
        var entry = new TarEntry
        {
            Path = "",
            Type = TarEntryType.File,
            Mode = DownloadMode,
            Size = file.Size,
            ModifiedTime = _session.Settings.Epoch
        };
        return new SourceSelection([new SelectedSource(download.Name,
            [new SelectedFile(entry, file.Content, new FileOrigin(0, download.Name))])
        {
            MayBeArchive = step.Unpacking == Unpacking.All,
        }]);
    }

    /// <summary>What is selected in a repository.</summary>
    /// <param name="git">The repository.</param>
    /// <param name="what">All that decides what is selected, beside the files.</param>
    /// <param name="select">Selects.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public async Task<CopyInput> OfAsync(
        TreeSource.Git git, IReadOnlyList<string> what, Func<ContextFiles, SourceSelection> select, CancellationToken cancellationToken)
    {
        var commit = await _session.Repositories.ResolveAsync(git, cancellationToken);
        string kept = git.KeepGitDirectory ? $"{SafeAddress.OfRepository(git.Repository)} {commit.Reference}" : "";
        string selected = string.Concat(what.Select(w => "\n" + w));
        var digest = Digest.Of(Encoding.UTF8.GetBytes($"git {commit.Id}\n{git.Subdirectory}\n{kept}{selected}"));
        return new RepositoryInput(this, git, commit, select, digest);
    }

    private static SourceSelection All(CopyStep step, ContextFiles files) =>
        new(SourceSelector.Select(files, step with { Parents = false, Sources = [new CopySource("", step.Span)] }, _ => { }));

    private Task<ContextFiles> TreeAsync(TreeSource.Git git, GitCommit commit, CancellationToken cancellationToken) =>
        _trees.GetOrAdd($"{git} {commit}", _ => new(() => MaterialiseAsync(git, commit, cancellationToken))).Value;

    private async Task<ContextFiles> MaterialiseAsync(TreeSource.Git git, GitCommit commit, CancellationToken cancellationToken)
    {
        var tree = await _session.Repositories.MaterialiseAsync(git, commit, _session.Workspace.NewDirectory("git"), cancellationToken);
        using var directory = new RootedDirectory(tree.Directory);
        var files = new ContextFiles(
            new TreeSource.Context(directory.Path, SafeAddress.OfRepository(git.Repository), IgnoreFile: null),
            _session.Settings.Epoch);
        _opened.Add(files);
        return files;
    }

    private sealed class DownloadInput(RemoteInputs inputs, CopyStep step, TreeSource.Download download, Digest content, Digest selected)
        : KnownInput(selected)
    {
        public override IReadOnlyList<Material> Materials { get; } = [new Material(SafeAddress.Of(download.Address), content.ToString())];

        public override async Task<SourceSelection> SelectAsync(CancellationToken cancellationToken) =>
            inputs.SelectionOf(step, download, await inputs._session.Downloads.FetchAsync(download, cancellationToken));

        public override Task<IFileOpener> OpenAsync(CancellationToken cancellationToken) =>
            Task.FromResult<IFileOpener>(new DownloadOpener(inputs._session.Layers.Local, content));
    }

    private sealed class RepositoryInput(
        RemoteInputs inputs, TreeSource.Git git, GitCommit commit,
        Func<ContextFiles, SourceSelection> select, Digest selected) : KnownInput(selected)
    {
        public override IReadOnlyList<Material> Materials { get; } = [new Material(SafeAddress.OfRepository(git.Repository), commit.Id)];

        public override async Task<SourceSelection> SelectAsync(CancellationToken cancellationToken) =>
            select(await inputs.TreeAsync(git, commit, cancellationToken));

        public override async Task<IFileOpener> OpenAsync(CancellationToken cancellationToken) =>
            new ContextOpener(await inputs.TreeAsync(git, commit, cancellationToken));
    }

    private sealed class DownloadOpener(IContentStore store, Digest content) : IFileOpener
    {
        // A store of files opens at once.
        public Stream Open(FileOrigin origin) => store.OpenAsync(content).AsTask().GetAwaiter().GetResult()
            ?? throw new BuildCacheException($"the download '{content}' is gone from the cache: build again");

        public void Dispose()
        {
        }
    }
}

using System.Text;
using Ingot.Builds.Files;
using Ingot.Builds.Layers;
using Ingot.Oci.Content;
using Ingot.Plans;

namespace Ingot.Builds.Steps;

/// <summary>What a copy reads, and how to open it.</summary>
internal abstract class CopyInput
{
    /// <summary>Nothing.</summary>
    public static CopyInput Nothing { get; } = new NoFiles();

    /// <summary>What it reads that is neither of the person nor of the plan, with its digest or commit.</summary>
    public virtual IReadOnlyList<Material> Materials => [];

    /// <summary>How many bytes must be read before the digest is known.</summary>
    public virtual long UnreadBytes => 0;

    /// <summary>The digest of the selection, which may be known without selecting; reads what must be read for it.</summary>
    public abstract Task<Digest> DigestAsync(CancellationToken cancellationToken);

    /// <summary>The files; some may not have been read yet.</summary>
    public abstract Task<SourceSelection> SelectAsync(CancellationToken cancellationToken);

    /// <summary>The files, each of which was read.</summary>
    public virtual Task<SourceSelection> ReadAsync(CancellationToken cancellationToken) => SelectAsync(cancellationToken);

    /// <summary>Makes ready to read.</summary>
    public abstract Task<IFileOpener> OpenAsync(CancellationToken cancellationToken);

    /// <summary>Takes contents that were read meanwhile; false when they are not what the digest says.</summary>
    public virtual bool Learn(IReadOnlyDictionary<FileOrigin, Digest> contents) => true;

    /// <summary>Several, one after the other.</summary>
    public static CopyInput Of(IReadOnlyList<CopyInput> parts) => parts.Count switch
    {
        0 => Nothing,
        1 => parts[0],
        _ => new SeveralInputs(parts),
    };

    private sealed class NoFiles : CopyInput
    {
        private static readonly SourceSelection s_none = new([]);

        public override Task<Digest> DigestAsync(CancellationToken cancellationToken) => Task.FromResult(s_none.Digest);

        public override Task<SourceSelection> SelectAsync(CancellationToken cancellationToken) => Task.FromResult(s_none);

        public override Task<IFileOpener> OpenAsync(CancellationToken cancellationToken) =>
            Task.FromResult<IFileOpener>(new OpenedFiles([]));
    }
}

/// <summary>Several inputs; of a file the origin says which.</summary>
internal sealed class SeveralInputs(IReadOnlyList<CopyInput> parts) : CopyInput
{
    public override IReadOnlyList<Material> Materials { get; } = [.. parts.SelectMany(p => p.Materials)];

    public override long UnreadBytes => parts.Sum(p => p.UnreadBytes);

    public override async Task<Digest> DigestAsync(CancellationToken cancellationToken)
    {
        var digests = new List<Digest>();
        foreach (var part in parts)
            digests.Add(await part.DigestAsync(cancellationToken));
        return Digest.Of(Encoding.ASCII.GetBytes(string.Join('\n', digests)));
    }

    public override Task<SourceSelection> SelectAsync(CancellationToken cancellationToken) =>
        JoinAsync(p => p.SelectAsync(cancellationToken));

    public override Task<SourceSelection> ReadAsync(CancellationToken cancellationToken) => JoinAsync(p => p.ReadAsync(cancellationToken));

    public override async Task<IFileOpener> OpenAsync(CancellationToken cancellationToken)
    {
        var openers = new List<IFileOpener>();
        try
        {
            foreach (var part in parts)
                openers.Add(await part.OpenAsync(cancellationToken));
            return new OpenedFiles(openers);
        }
        catch
        {
            openers.ForEach(o => o.Dispose());
            throw;
        }
    }

    public override bool Learn(IReadOnlyDictionary<FileOrigin, Digest> contents)
    {
        bool isRight = true;
        foreach (var part in contents.GroupBy(c => c.Key.Part))
            isRight &= parts[part.Key].Learn(part.ToDictionary(c => c.Key with { Part = 0 }, c => c.Value));
        return isRight;
    }

    private async Task<SourceSelection> JoinAsync(Func<CopyInput, Task<SourceSelection>> select)
    {
        var sources = new List<SelectedSource>();
        for (int i = 0; i < parts.Count; i++)
        {
            var selection = await select(parts[i]);
            sources.AddRange(selection.Sources
                .Select(s => s with { Files = [.. s.Files.Select(f => f with { Origin = f.Origin with { Part = i } })] }));
        }

        return new SourceSelection(sources);
    }
}

/// <summary>Files of several inputs.</summary>
internal sealed class OpenedFiles(IReadOnlyList<IFileOpener> parts) : IFileOpener
{
    public Stream Open(FileOrigin origin) => parts[origin.Part].Open(origin);

    public void Dispose()
    {
        foreach (var part in parts)
            part.Dispose();
    }
}

/// <summary>What is selected in a tree that is known by its digest, be it layers or a commit: nothing need be selected to say what it
/// comes to.</summary>
internal abstract class KnownInput(Digest digest) : CopyInput
{
    public sealed override Task<Digest> DigestAsync(CancellationToken cancellationToken) => Task.FromResult(digest);
}

/// <summary>A selection in a context, of which ever more is read.</summary>
/// <param name="files">The context.</param>
/// <param name="select">Selects, when it is first needed.</param>
/// <param name="known">Its digest, when that is known from what the context looks like; then no file need be read to say it, and what is
/// read must agree.</param>
/// <param name="keep">Is told the digest when it had to be found out.</param>
/// <param name="parallelism">How many files may be read at a time.</param>
internal sealed class ContextInput(
    ContextFiles files, Func<SourceSelection> select, Digest? known, Action<Digest> keep, int parallelism) : CopyInput
{
    private readonly Lock _gate = new();
    private SourceSelection? _selection;
    private Digest? _digest = known;

    public override long UnreadBytes => _digest is null ? Current.Unread.Sum(f => f.Entry.Size) : 0;

    // As far as it is known.
    private SourceSelection Current
    {
        get
        {
            lock (_gate)
                return _selection ??= select();
        }
    }

    public override Task<Digest> DigestAsync(CancellationToken cancellationToken) => Task.Run(Complete, cancellationToken: default);

    public override Task<SourceSelection> SelectAsync(CancellationToken cancellationToken) => Task.FromResult(Current);

    public override Task<SourceSelection> ReadAsync(CancellationToken cancellationToken) => Task.Run(Read, cancellationToken: default);

    public override Task<IFileOpener> OpenAsync(CancellationToken cancellationToken) =>
        Task.FromResult<IFileOpener>(new ContextOpener(files));

    public override bool Learn(IReadOnlyDictionary<FileOrigin, Digest> contents)
    {
        lock (_gate)
        {
            if (!Current.Unread.Any())
                return true;
            _selection = files.Learn(Current, contents);
            return _selection.Unread.Any() || IsWhatIsKnown(_selection);
        }
    }

    private Digest Complete()
    {
        lock (_gate)
            return _digest ?? Read().Digest;
    }

    private SourceSelection Read()
    {
        lock (_gate)
        {
            var read = Current.Unread.Any() ? files.Read(Current, parallelism) : Current;
            if (!IsWhatIsKnown(read))
                throw new BuildCacheException("files changed while they were copied: build again");
            return _selection = read;
        }
    }

    private bool IsWhatIsKnown(SourceSelection whole)
    {
        if (_digest is not { } said)
        {
            keep(whole.Digest);
            _digest = whole.Digest;
            return true;
        }

        return said == whole.Digest;
    }
}

/// <summary>Files of a context, which stays open for others.</summary>
internal sealed class ContextOpener(ContextFiles files) : IFileOpener
{
    public Stream Open(FileOrigin origin) => files.Open(origin);

    public void Dispose()
    {
    }
}

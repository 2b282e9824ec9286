using Ingot.Builds.Files;
using Ingot.Builds.Layers;
using Ingot.Plans;

namespace Ingot.Builds.Steps;

/// <summary>Reads what one copy selected, and unpacks its archives, until it is disposed.</summary>
internal sealed class CopyReading(BuildSession session, CopyInput input) : IDisposable
{
    private readonly List<ArchiveFiles> _archives = [];
    private IFileOpener? _opener;

    /// <summary>The contents of files that had not been read when they were selected, when that is done.</summary>
    public Dictionary<FileOrigin, Oci.Content.Digest> Read { get; } = [];

    public void Dispose()
    {
        _archives.ForEach(a => a.Dispose());
        _opener?.Dispose();
    }

    /// <summary>The content of a file, owned by the caller.</summary>
    public async Task<Stream> OpenAsync(SelectedFile file, CancellationToken cancellationToken)
    {
        if (file.Open is { } open)
            return open();

        _opener ??= await input.OpenAsync(cancellationToken);
        return _opener.Open(file.Origin);
    }

    /// <summary>The sources, with what they hold in place of those that are archives to be unpacked.</summary>
    public async Task<IReadOnlyList<SelectedSource>> UnpackAsync(
        CopyStep step, IReadOnlyList<SelectedSource> sources, CancellationToken cancellationToken)
    {
        var unpacked = new List<SelectedSource>();
        foreach (var source in sources)
            unpacked.Add(source is { MayBeArchive: true, Files: [{ Entry.Type: Oci.Tar.TarEntryType.File }] }
                ? await UnpackAsync(step, source, cancellationToken)
                : source);
        return unpacked;
    }

    private async Task<SelectedSource> UnpackAsync(CopyStep step, SelectedSource source, CancellationToken cancellationToken)
    {
        var file = source.Files[0];
        _opener ??= await input.OpenAsync(cancellationToken);
        Stream Open() => file.Open?.Invoke() ?? _opener.Open(file.Origin);
        if (!await ArchiveFiles.IsArchiveAsync(Open, cancellationToken))
            return source;

        string spool = Path.Combine(session.Workspace.NewDirectory("archive"), "contents");
        try
        {
            var archive = await ArchiveFiles.ReadAsync(source.Name, Open, file, spool, session.Settings.Epoch,
                ArchiveLimits.Default, cancellationToken);
            _archives.Add(archive);
            return source with { Files = archive.Files, IsArchive = true };
        }
        catch (ArchiveException e)
        {
            throw CopyExecution.Problem(step, "build-add-archive", e.Message);
        }
    }
}

using Ingot.Builds.Files;

namespace Ingot.Builds.Layers;

/// <summary>Opens files by their origin, until it is disposed.</summary>
internal sealed class FileOpener(Func<FileOrigin, Stream> open, IEnumerable<IDisposable> owned) : IDisposable
{
    public Stream Open(FileOrigin origin) => open(origin);

    public void Dispose()
    {
        foreach (var disposable in owned)
            disposable.Dispose();
    }
}

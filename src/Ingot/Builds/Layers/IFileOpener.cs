using Ingot.Builds.Files;

namespace Ingot.Builds.Layers;

/// <summary>Opens files by their origin, until it is disposed.</summary>
internal interface IFileOpener : IDisposable
{
    /// <summary>The content of a file, owned by the caller.</summary>
    Stream Open(FileOrigin origin);
}

/// <summary>Files of the layers of a chain.</summary>
/// <param name="layers">The layers, the lowest first.</param>
internal sealed class ChainOpener(IReadOnlyList<LayerFiles> layers) : IFileOpener
{
    public Stream Open(FileOrigin origin) => layers[origin.Layer].OpenRead(origin.Path);

    public void Dispose()
    {
        foreach (var layer in layers)
            layer.Dispose();
    }
}

using Ingot.Oci.Tar;
using Microsoft.Win32.SafeHandles;

namespace Ingot.Oci.Layers;

/// <summary>What stacked overlay layers show of a directory: the topmost that has it speaks.</summary>
internal sealed class LowerLayers : IDisposable
{
    private readonly List<SafeFileHandle> _roots = [];

    /// <summary>Opens the layers, the topmost first.</summary>
    public LowerLayers(IEnumerable<string> directories)
    {
        foreach (string directory in directories)
            _roots.Add(LinuxFiles.OpenRoot(directory));
    }

    /// <summary>The status of the directory at <paramref name="path"/>; null when the layers show none there.</summary>
    public FileStatus? Find(string path)
    {
        foreach (var root in _roots)
        {
            var (status, isFinal) = Find(root, path);
            if (status is not null || isFinal)
                return status;
        }

        return null;
    }

    public void Dispose()
    {
        foreach (var root in _roots)
            root.Dispose();
    }

    // Final: this layer hides what lower ones have, with a whiteout, an opaque directory or something that is no directory.
    private static (FileStatus? Status, bool IsFinal) Find(SafeFileHandle root, string path)
    {
        var at = root;
        bool isOpaque = false;
        try
        {
            foreach (string part in path.Split('/'))
            {
                byte[] name = TarPath.Encode(part);
                if (LinuxFiles.TryOpenDirectory(at, name) is not { } next)
                    return (null, isOpaque || LinuxFiles.TryStatus(at, name) is not null);

                if (at != root)
                    at.Dispose();
                at = next;
                isOpaque |= LinuxFiles.GetAttribute(at, OverlayAttribute.Opaque) is not null;
            }

            return (LinuxFiles.Status(at, []), true);
        }
        finally
        {
            if (at != root)
                at.Dispose();
        }
    }
}

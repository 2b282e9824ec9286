using Ingot.Oci.Tar;
using Microsoft.Win32.SafeHandles;

namespace Ingot.Oci.Layers;

/// <summary>Opens directories below a root component by component, never through a symbolic link, and keeps the way to the last one open:
/// entries mostly come in order.</summary>
internal sealed class DirectoryChain : IDisposable
{
    /// <summary>Opens, or makes, the directory <paramref name="name"/> in <paramref name="parent"/>; null when there is none.</summary>
    public delegate SafeFileHandle? Enter(SafeFileHandle parent, byte[] name, string path);

    private readonly List<(string Path, SafeFileHandle Handle)> _open;

    /// <summary>Owns <paramref name="root"/>.</summary>
    public DirectoryChain(SafeFileHandle root) => _open = [("", root)];

    public SafeFileHandle Root => _open[0].Handle;

    /// <summary>The directory at <paramref name="path"/>, valid until the next call;
    /// null when <paramref name="enter"/> found none on the way.</summary>
    public SafeFileHandle? Find(string path, Enter enter)
    {
        while (!IsWithin(path, _open[^1].Path))
            Close();

        while (_open[^1].Path.Length < path.Length)
        {
            var (at, handle) = _open[^1];
            int start = at.Length == 0 ? 0 : at.Length + 1;
            int slash = path.IndexOf('/', start);
            string next = slash < 0 ? path : path[..slash];
            if (enter(handle, TarPath.Encode(next[start..]), next) is not { } entered)
                return null;
            _open.Add((next, entered));
        }

        return _open[^1].Handle;
    }

    /// <summary>Closes what lies at or below a path that is about to be removed.</summary>
    public void Forget(string path)
    {
        while (_open.Count > 1 && IsWithin(_open[^1].Path, path))
            Close();
    }

    public void Dispose()
    {
        foreach (var (_, handle) in _open)
            handle.Dispose();
    }

    private static bool IsWithin(string path, string directory) =>
        directory.Length == 0
            || (path.StartsWith(directory, StringComparison.Ordinal) && (path.Length == directory.Length || path[directory.Length] == '/'));

    private void Close()
    {
        _open[^1].Handle.Dispose();
        _open.RemoveAt(_open.Count - 1);
    }
}

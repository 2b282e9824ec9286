using System.Buffers;
using System.Security.Cryptography;
using Ingot.Oci.Content;
using Ingot.Oci.Tar;
using Microsoft.Win32.SafeHandles;

namespace Ingot.Oci.Layers;

/// <summary>Unpacks layers. Nothing is read or written outside the directory, whatever the archive says: every component of every path is
/// opened without following links.</summary>
/// <remarks>
/// A layer is refused (<see cref="LayerException"/>) when programs would disagree on what it holds: a file below its own symbolic link, a
/// path that is a directory and something else, a hard link to nothing. The directory must belong to the caller alone, and is in an
/// undefined state after an exception.
/// </remarks>
public sealed class LayerExtractor : IDisposable
{
    private const int CopyBytes = 256 << 10;
    private const int MaxNameBytes = 255;
    private const int SetIdBits = 0b110_000_000_000;
    private const int ImpliedMode = 0b111_101_101;

    private readonly ExtractOptions _options;
    private readonly DirectoryChain _directories;
    private readonly LowerLayers _lower;
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private readonly Dictionary<string, FileRecord> _files = [];
    private readonly HashSet<string> _whiteouts = [];
    private readonly HashSet<string> _hidden = [];
    private readonly HashSet<string> _opaque = [];

    // The directories that the layer has something in, and the time each is to have in the end.
    private readonly Dictionary<string, DateTimeOffset> _entered = [];
    private long _bytes;

    private LayerExtractor(string directory, ExtractOptions options)
    {
        _options = options;
        _directories = new DirectoryChain(LinuxFiles.OpenRoot(directory));
        _lower = new LowerLayers(options.LowerDirectories);
    }

    private bool IsOverlay => _options.Whiteouts == WhiteoutForm.Overlay;

    /// <summary>Unpacks an uncompressed layer into <paramref name="directory"/>, which must be there, and reads <paramref name="tar"/> to
    /// its end. Sets owners, modes, times and capabilities; needs root.</summary>
    public static async Task<LayerIndex> ExtractAsync(
        Stream tar, string directory, ExtractOptions options, CancellationToken cancellationToken = default)
    {
        using var extractor = new LayerExtractor(directory, options);
        using var reader = new TarReader(tar, options.Limits, leaveOpen: true);
        while (await reader.NextAsync(cancellationToken).ConfigureAwait(false) is { } entry)
            await extractor.ExtractAsync(entry, reader, cancellationToken).ConfigureAwait(false);

        extractor.SetDirectoryTimes();
        return new LayerIndex(extractor._files.Values, extractor._whiteouts);
    }

    /// <summary>Unpacks a layer from a store, verifying the blob and, when given, the diff id.</summary>
    public static async Task<LayerIndex> ExtractAsync(
        IContentStore store, Descriptor blob, Digest? diffId, string directory, ExtractOptions options,
        CancellationToken cancellationToken = default)
    {
        var tar = await LayerBlob.OpenAsync(store, blob, diffId, cancellationToken).ConfigureAwait(false);
        await using (tar.ConfigureAwait(false))
            return await ExtractAsync(tar, directory, options, cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _directories.Dispose();
        _lower.Dispose();
        _hash.Dispose();
    }

    private async ValueTask ExtractAsync(TarEntry entry, TarReader reader, CancellationToken cancellationToken)
    {
        Check(entry);
        if (Whiteout.IsWhiteout(entry.Path))
        {
            ApplyWhiteout(entry);
            return;
        }

        long offset = reader.Position;
        Digest? digest = null;
        switch (entry.Type)
        {
            case TarEntryType.Directory:
                ExtractDirectory(entry);
                break;
            case TarEntryType.File:
                digest = await ExtractFileAsync(entry, reader.Content, cancellationToken).ConfigureAwait(false);
                break;
            case TarEntryType.HardLink:
                ExtractHardLink(entry);
                return;
            default:
                ExtractSpecial(entry);
                break;
        }

        _files[entry.Path] = new FileRecord(entry, digest, entry.Size, digest is null ? 0 : offset);
    }

    private void Check(TarEntry entry)
    {
        _bytes += entry.Size;
        if (_bytes > _options.MaxBytes)
            throw new LayerException($"the layer has more than {_options.MaxBytes} bytes of content, at '{entry.Path}'");

        if (entry.Path.Contains(Whiteout.Prefix, StringComparison.Ordinal)
            && TarPath.Parent(entry.Path).Split('/').Any(Whiteout.IsWhiteout))
            throw new LayerException($"'{entry.Path}' lies in a whiteout");
        if (HasLongName(entry.Path))
            throw new LayerException($"'{entry.Path}' has a name of more than {MaxNameBytes} bytes, which Linux does not support");
        if (entry.UserId >= uint.MaxValue || entry.GroupId >= uint.MaxValue)
            throw new LayerException($"'{entry.Path}' has the owner {entry.UserId}:{entry.GroupId}, which Linux does not support");

        if (entry.Type is TarEntryType.CharacterDevice or TarEntryType.BlockDevice)
            CheckDevice(entry);
    }

    // A character is at most three bytes (or, as two, four): short paths need no closer look.
    private static bool HasLongName(string path) =>
        path.Length * 3 > MaxNameBytes && path.Split('/').Any(name => TarPath.Encode(name).Length > MaxNameBytes);

    private void CheckDevice(TarEntry entry)
    {
        if (!_options.AllowDevices)
            throw new LayerException($"'{entry.Path}' is a device, which an image has no use for: a runtime brings its own");
        if (entry is { Type: TarEntryType.CharacterDevice, DeviceMajor: 0, DeviceMinor: 0 })
            throw new LayerException($"'{entry.Path}' is the device 0:0, which an overlay file system takes for a deletion");
    }

    private void ExtractDirectory(TarEntry entry)
    {
        if (entry.Path.Length > 0)
            PlaceDirectory(entry);

        var directory = Find(entry.Path);
        LinuxFiles.SetOwner(directory, [], entry.UserId, entry.GroupId);
        LinuxFiles.SetMode(directory, [], entry.Mode);
        SetAttributes(directory, entry);
        _entered[entry.Path] = entry.ModifiedTime;
    }

    private void PlaceDirectory(TarEntry entry)
    {
        if (_files.TryGetValue(entry.Path, out var earlier) && earlier.Type != TarEntryType.Directory)
            throw new LayerException($"'{entry.Path}' is a {earlier.Type} and a directory in one layer");

        // Opening it makes it, whatever lies there of lower layers.
        Find(entry.Path);
    }

    private async ValueTask<Digest> ExtractFileAsync(TarEntry entry, Stream content, CancellationToken cancellationToken)
    {
        var (parent, name) = ClearWay(entry);
        using var file = LinuxFiles.CreateFile(parent, name);
        byte[] buffer = ArrayPool<byte>.Shared.Rent(CopyBytes);
        try
        {
            int read;
            while ((read = await content.ReadAsync(buffer, cancellationToken).ConfigureAwait(false)) > 0)
            {
                _hash.AppendData(buffer.AsSpan(0, read));
                LinuxFiles.Write(file, buffer.AsSpan(0, read));
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }

        LinuxFiles.SetOwner(file, [], entry.UserId, entry.GroupId);
        // After the owner: a change of owner clears the set-id bits and the capabilities.
        LinuxFiles.SetMode(file, [], entry.Mode);
        SetAttributes(file, entry);
        LinuxFiles.SetTime(file, [], entry.ModifiedTime);
        return Digest.FromHash(_hash.GetHashAndReset());
    }

    private void ExtractHardLink(TarEntry entry)
    {
        string targetPath = entry.LinkTarget!;
        var target = _files.GetValueOrDefault(targetPath);
        // A link to a file of a lower layer needs that file here.
        if (targetPath == entry.Path || target?.Type == TarEntryType.Directory || (target is null && IsOverlay))
            throw new LayerException(
                $"the hard link '{entry.Path}' names '{targetPath}', which is not a file that the layer brought before");

        ClearWay(entry);
        using var targetParent = OpenExisting(TarPath.Parent(targetPath), entry);
        byte[] targetName = TarPath.Encode(TarPath.Name(targetPath));
        if (LinuxFiles.TryStatus(targetParent, targetName) is not { IsDirectory: false })
            throw new LayerException($"the hard link '{entry.Path}' names '{targetPath}', where there is no file");

        LinuxFiles.MakeHardLink(targetParent, targetName, Find(TarPath.Parent(entry.Path)), TarPath.Encode(TarPath.Name(entry.Path)));
        if (!IsOverlay)
            DescribeAnew(entry);
        _files[entry.Path] = new FileRecord(entry, target?.Digest, target?.Size ?? 0, target?.Offset ?? 0);
    }

    // As Docker and containerd do: what the header of a link says of owner and rights, the file has from then on. Only what gives rights is
    // taken from there: links of careful archives say what their file does, and those of others mostly nothing.
    private void DescribeAnew(TarEntry entry)
    {
        var parent = Find(TarPath.Parent(entry.Path));
        byte[] name = TarPath.Encode(TarPath.Name(entry.Path));
        var status = LinuxFiles.Status(parent, name);
        bool givesRights = (entry.Mode & ~status.Mode & SetIdBits) != 0
            || entry.ExtendedAttributes?.ContainsKey(OverlayAttribute.Capability) == true;
        if (!status.IsFile || !givesRights)
            return;

        using var file = LinuxFiles.OpenFile(parent, name);
        var attributes = LinuxFiles.GetAttribute(file, OverlayAttribute.Capability);
        LinuxFiles.SetOwner(file, [], entry.UserId, entry.GroupId);
        LinuxFiles.SetMode(file, [], entry.Mode);
        // A change of owner cleared them.
        if (attributes is not null)
            LinuxFiles.SetAttribute(file, OverlayAttribute.Capability, attributes);
        SetAttributes(file, entry);
    }

    private void ExtractSpecial(TarEntry entry)
    {
        var (parent, name) = ClearWay(entry);
        switch (entry.Type)
        {
            case TarEntryType.SymbolicLink:
                LinuxFiles.MakeSymbolicLink(parent, name, TarPath.Encode(entry.LinkTarget!));
                break;
            case TarEntryType.Fifo:
                LinuxFiles.MakeNode(parent, name, LinuxFiles.FifoType, 0, 0);
                break;
            default:
                int type = entry.Type == TarEntryType.BlockDevice ? LinuxFiles.BlockDeviceType : LinuxFiles.CharacterDeviceType;
                LinuxFiles.MakeNode(parent, name, type, entry.DeviceMajor, entry.DeviceMinor);
                break;
        }

        LinuxFiles.SetOwner(parent, name, entry.UserId, entry.GroupId);
        if (entry.Type != TarEntryType.SymbolicLink)
            LinuxFiles.SetMode(parent, name, entry.Mode);
        LinuxFiles.SetTime(parent, name, entry.ModifiedTime);
    }

    // Overlay attributes would redirect the file system; labels and access lists belong to the host.
    private static void SetAttributes(SafeFileHandle file, TarEntry entry)
    {
        foreach (var (name, value) in entry.ExtendedAttributes ?? [])
        {
            if (name.StartsWith(OverlayAttribute.Prefix, StringComparison.Ordinal)
                || name.StartsWith("user.overlay.", StringComparison.Ordinal))
                throw new LayerException($"'{entry.Path}' has the attribute '{name}', which steers overlay file systems");
            if (name.StartsWith("user.", StringComparison.Ordinal)
                || (name == OverlayAttribute.Capability && entry.Type is TarEntryType.File or TarEntryType.HardLink))
                LinuxFiles.SetAttribute(file, name, value);
        }
    }

    // Removes what lies where a file, link, device or pipe is to be made.
    private (SafeFileHandle Parent, byte[] Name) ClearWay(TarEntry entry)
    {
        if (_entered.ContainsKey(entry.Path))
            throw new LayerException($"'{entry.Path}' is a directory and a {entry.Type} in one layer");

        var parent = Find(TarPath.Parent(entry.Path));
        byte[] name = TarPath.Encode(TarPath.Name(entry.Path));
        if (LinuxFiles.TryStatus(parent, name) is { } existing)
            Remove(parent, name, entry.Path, existing);
        return (parent, name);
    }

    private void Remove(SafeFileHandle parent, byte[] name, string path, FileStatus existing)
    {
        _directories.Forget(path);
        if (existing.IsDirectory)
            LinuxFiles.RemoveTree(parent, name);
        else
            LinuxFiles.Unlink(parent, name);
    }

    private SafeFileHandle Find(string path)
    {
        if (path.Length == 0)
            _entered.TryAdd("", LinuxFiles.Status(_directories.Root, []).ModifiedTime);
        return _directories.Find(path, EnterOrMake)!;
    }

    private SafeFileHandle EnterOrMake(SafeFileHandle parent, byte[] name, string path)
    {
        if (LinuxFiles.TryOpenDirectory(parent, name) is { } existing)
        {
            if (!_entered.ContainsKey(path))
                _entered[path] = LinuxFiles.Status(existing, []).ModifiedTime;
            return existing;
        }

        if (_files.TryGetValue(path, out var inTheWay))
            throw new LayerException($"something lies below '{path}', which the same layer made a {inTheWay.Type}");

        // What lower layers, or a whiteout of this one, put there; a directory over it hides it, as when layers are stacked.
        if (LinuxFiles.TryStatus(parent, name) is not null)
            LinuxFiles.Unlink(parent, name);
        return MakeImplied(parent, name, path);
    }

    private SafeFileHandle MakeImplied(SafeFileHandle parent, byte[] name, string path)
    {
        bool isHidden = _hidden.Contains(path);
        var lower = isHidden || IsWithinOpaque(TarPath.Parent(path)) ? null : _lower.Find(path);
        LinuxFiles.MakeDirectory(parent, name);
        var directory = LinuxFiles.OpenDirectory(parent, name);
        LinuxFiles.SetOwner(directory, [], lower?.UserId ?? 0, lower?.GroupId ?? 0);
        LinuxFiles.SetMode(directory, [], lower?.Mode ?? ImpliedMode);
        if (isHidden)
            _opaque.Add(path);
        if (isHidden && IsOverlay)
            LinuxFiles.SetAttribute(directory, OverlayAttribute.Opaque, OverlayAttribute.OpaqueValue);
        _entered[path] = lower?.ModifiedTime ?? DateTimeOffset.UnixEpoch;
        return directory;
    }

    private SafeFileHandle OpenExisting(string path, TarEntry link)
    {
        // A way of its own: the caller still needs the one to the link.
        using var way = new DirectoryChain(LinuxFiles.OpenDirectory(_directories.Root, "."u8));
        var found = way.Find(path, static (parent, name, _) => LinuxFiles.TryOpenDirectory(parent, name))
            ?? throw new LayerException($"the hard link '{link.Path}' names '{link.LinkTarget}', where there is no file");
        return LinuxFiles.OpenDirectory(found, "."u8);
    }

    private void ApplyWhiteout(TarEntry entry)
    {
        if (entry.Type != TarEntryType.File)
            throw new LayerException($"the whiteout '{entry.Path}' is a {entry.Type}");

        string hidden = Whiteout.Hidden(entry.Path);
        if (Whiteout.IsOpaque(entry.Path))
            HideLowerContent(hidden);
        else if (TarPath.Name(hidden) is "" or "." or ".." || Whiteout.IsWhiteout(hidden))
            throw new LayerException($"'{entry.Path}' is not a whiteout of anything");
        else
            Hide(hidden, entry.ModifiedTime);
        _whiteouts.Add(entry.Path);
    }

    private void Hide(string path, DateTimeOffset time)
    {
        _hidden.Add(path);
        // Whiteouts are about lower layers only: what this one brought stays.
        if (_entered.ContainsKey(path))
            HideLowerContent(path);
        if (_entered.ContainsKey(path) || _files.ContainsKey(path))
            return;

        var parent = Find(TarPath.Parent(path));
        byte[] name = TarPath.Encode(TarPath.Name(path));
        if (LinuxFiles.TryStatus(parent, name) is { } existing)
            Remove(parent, name, path, existing);
        if (!IsOverlay || HidesNothing(TarPath.Parent(path)))
            return;

        LinuxFiles.MakeNode(parent, name, LinuxFiles.CharacterDeviceType, 0, 0);
        LinuxFiles.SetTime(parent, name, time);
    }

    // A directory that the kernel does not merge with lower ones shows a whiteout in it as a name that cannot be opened.
    private bool HidesNothing(string directory) =>
        IsWithinOpaque(directory) || (directory.Length > 0 && _options.LowerDirectories.Count > 0 && _lower.Find(directory) is null);

    // Whether this layer hides everything that lower ones have there.
    private bool IsWithinOpaque(string directory)
    {
        for (string at = directory; at.Length > 0; at = TarPath.Parent(at))
        {
            if (_opaque.Contains(at))
                return true;
        }

        return false;
    }

    private void HideLowerContent(string path)
    {
        var directory = Find(path);
        _opaque.Add(path);
        if (!IsOverlay)
            RemoveLower(directory, path);
        else if (path.Length > 0)
            LinuxFiles.SetAttribute(directory, OverlayAttribute.Opaque, OverlayAttribute.OpaqueValue);
        else
            throw new LayerException("the layer hides the whole root, which an overlay file system cannot say");
    }

    private void RemoveLower(SafeFileHandle directory, string path)
    {
        foreach (byte[] name in LinuxFiles.List(directory))
        {
            string child = TarPath.Join(path, TarPath.Decode(name));
            if (_files.TryGetValue(child, out var file) && file.Type != TarEntryType.Directory)
                continue;

            if (!_entered.ContainsKey(child))
            {
                LinuxFiles.RemoveTree(directory, name);
                continue;
            }

            using var inner = LinuxFiles.OpenDirectory(directory, name);
            RemoveLower(inner, child);
        }
    }

    private void SetDirectoryTimes()
    {
        foreach (var (path, time) in _entered)
        {
            if (_directories.Find(path, static (parent, name, _) => LinuxFiles.TryOpenDirectory(parent, name)) is { } directory)
                LinuxFiles.SetTime(directory, [], time);
        }
    }
}

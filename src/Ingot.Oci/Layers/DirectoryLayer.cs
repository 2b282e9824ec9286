using Ingot.Oci.Content;
using Ingot.Oci.Tar;
using Microsoft.Win32.SafeHandles;

namespace Ingot.Oci.Layers;

/// <summary>Writes a directory as a layer. Equal directories give equal bytes: entries are sorted, whiteouts come before what stands beside
/// them, the first path of an inode is the file and the others link to it, times are whole seconds, and of the extended attributes only
/// <c>security.capability</c> is kept. Sockets are left out.</summary>
public sealed class DirectoryLayer
{
    private const int DefaultDirectoryMode = 0b111_101_101;

    private readonly LayerWriter _layer;
    private readonly DirectoryLayerOptions _options;
    private readonly Dictionary<(long Device, long Inode), string> _written = [];

    private DirectoryLayer(LayerWriter layer, DirectoryLayerOptions options)
    {
        _layer = layer;
        _options = options;
    }

    private bool IsOverlay => _options.Form == DirectoryForm.OverlayUpper;

    /// <summary>Writes everything in <paramref name="directory"/> through <paramref name="layer"/>. The directory must not change
    /// meanwhile. Its own entry is written only when it is not owned by root with mode 0755.</summary>
    public static async Task WriteAsync(
        LayerWriter layer, string directory, DirectoryLayerOptions options, CancellationToken cancellationToken = default)
    {
        using var root = LinuxFiles.OpenRoot(directory);
        var walk = new DirectoryLayer(layer, options);
        await walk.WriteRootAsync(root, cancellationToken).ConfigureAwait(false);
    }

    private async Task WriteRootAsync(SafeFileHandle root, CancellationToken cancellationToken)
    {
        var status = LinuxFiles.Status(root, []);
        var entry = EntryOf(root, [], status, _options.Prefix);
        bool isOrdinary = status is { Mode: DefaultDirectoryMode, UserId: 0, GroupId: 0 };
        if (_options.Prefix.Length == 0 && !isOrdinary)
            await _layer.WriteAsync(entry, cancellationToken).ConfigureAwait(false);

        await WriteTreeAsync(new Frame(root, entry, ChildrenOf(root, entry.Path)), cancellationToken).ConfigureAwait(false);
    }

    // A stack of its own: how deep directories nest is the image's choice, not ours.
    private async Task WriteTreeAsync(Frame top, CancellationToken cancellationToken)
    {
        var frames = new Stack<Frame>([top]);
        try
        {
            while (frames.TryPeek(out var frame))
            {
                cancellationToken.ThrowIfCancellationRequested();
                if (frame.Children.TryDequeue(out var child))
                {
                    if (await WriteChildAsync(frame, child, cancellationToken).ConfigureAwait(false) is { } inner)
                        frames.Push(inner);
                    continue;
                }

                Leave(frames.Pop(), isTop: frame == top);
            }
        }
        finally
        {
            foreach (var frame in frames.Where(frame => frame != top))
                frame.Directory.Dispose();
        }
    }

    // A directory's time is set last: every change in it moves it.
    private void Leave(Frame frame, bool isTop)
    {
        if (_options.ApplyToSource)
            LinuxFiles.SetTime(frame.Directory, [], frame.Entry.ModifiedTime);
        if (!isTop)
            frame.Directory.Dispose();
    }

    private async Task<Frame?> WriteChildAsync(Frame frame, Child child, CancellationToken cancellationToken)
    {
        string path = TarPath.Join(frame.Entry.Path, TarPath.Decode(child.EmittedName));
        if (child.IsWhiteout)
        {
            await WriteWhiteoutAsync(frame.Directory, child, path, cancellationToken).ConfigureAwait(false);
            return null;
        }

        if (TarPath.Name(path).StartsWith(Whiteout.Prefix, StringComparison.Ordinal))
            throw new LayerException(
                $"'{path}' cannot be in a layer: a name that begins with '{Whiteout.Prefix}' there means a deletion; rename or delete it");
        if (IsTooLong(path))
            throw new LayerException(
                $"'{path}' has a path of more than {TarLimits.Default.MaxNameBytes} bytes, which no program could open");
        if (child.Status.IsDirectory)
            return await WriteDirectoryAsync(frame.Directory, child, path, cancellationToken).ConfigureAwait(false);

        if (child.Status.IsSocket)
            Discard(frame.Directory, child);
        else
            await WriteFileAsync(frame.Directory, child, path, cancellationToken).ConfigureAwait(false);
        return null;
    }

    private static bool IsTooLong(string path) =>
        path.Length * 3 > TarLimits.Default.MaxNameBytes && TarPath.Encode(path).Length > TarLimits.Default.MaxNameBytes;

    private async Task WriteWhiteoutAsync(SafeFileHandle parent, Child child, string path, CancellationToken cancellationToken)
    {
        var entry = new TarEntry
        {
            Path = path,
            Type = TarEntryType.File,
            ModifiedTime = WholeSeconds(_options.Epoch ?? DateTimeOffset.UnixEpoch),
        };
        var result = _options.Filter?.Invoke(entry, LayerContent.Empty) ?? FilterResult.Keep;
        if (result is FilterResult.Kept)
            await _layer.WriteAsync(entry, cancellationToken).ConfigureAwait(false);
        else if (result is FilterResult.Replaced or FilterResult.Patched)
            throw new InvalidOperationException($"the whiteout '{path}' cannot get content");
        else if (!_options.ApplyToSource)
            return;
        else if (Whiteout.IsOpaque(path))
            LinuxFiles.RemoveAttribute(parent, OverlayAttribute.Opaque);
        else
            LinuxFiles.Unlink(parent, child.Name);
    }

    private async Task<Frame?> WriteDirectoryAsync(SafeFileHandle parent, Child child, string path, CancellationToken cancellationToken)
    {
        var directory = LinuxFiles.OpenDirectory(parent, child.Name);
        try
        {
            CheckOverlay(directory, path);
            var entry = EntryOf(directory, [], child.Status, path);
            var result = Decide(entry, LayerContent.Empty);
            if (result is FilterResult.Dropped)
            {
                directory.Dispose();
                Discard(parent, child);
                return null;
            }

            var kept = Kept(entry, result);
            await _layer.WriteAsync(kept, cancellationToken).ConfigureAwait(false);
            ApplyMetadata(directory, entry, kept);
            return new Frame(directory, kept, ChildrenOf(directory, path));
        }
        catch
        {
            directory.Dispose();
            throw;
        }
    }

    private async Task WriteFileAsync(SafeFileHandle parent, Child child, string path, CancellationToken cancellationToken)
    {
        using var file = child.Status.IsFile ? LinuxFiles.OpenFile(parent, child.Name) : null;
        if (file is not null)
            CheckOverlay(file, path);

        var entry = LinkOrEntry(parent, file, child, path);
        switch (Decide(entry, file is null ? LayerContent.Empty : LayerContent.Of(file, child.Status.Size)))
        {
            case FilterResult.Dropped:
                Discard(parent, child);
                break;
            case FilterResult.Replaced replaced:
                await ReplaceAsync(parent, child, Replacement(entry, replaced), replaced.Content, cancellationToken).ConfigureAwait(false);
                break;
            case FilterResult.Patched patched:
                Patch(parent, child, entry, patched);
                await KeepAsync(parent, child, file, entry, entry, cancellationToken).ConfigureAwait(false);
                break;
            case var result:
                await KeepAsync(parent, child, file, entry, Kept(entry, result), cancellationToken).ConfigureAwait(false);
                break;
        }
    }

    // In place, before it is read: the file itself is what later steps see.
    private void Patch(SafeFileHandle parent, Child child, TarEntry entry, FilterResult.Patched patched)
    {
        if (entry.Type != TarEntryType.File || !_options.ApplyToSource)
            throw new InvalidOperationException($"'{entry.Path}' cannot be patched: it is a {entry.Type}, or its directory may not change");

        using var file = LinuxFiles.OpenFileForWriting(parent, child.Name);
        foreach (var patch in patched.Patches)
        {
            if (patch.Offset < 0 || patch.Offset + patch.Bytes.Length > entry.Size)
                throw new InvalidOperationException($"a patch at {patch.Offset} of '{entry.Path}' is not within its {entry.Size} bytes");
            RandomAccess.Write(file, patch.Bytes, patch.Offset);
        }
    }

    private async Task KeepAsync(
        SafeFileHandle parent, Child child, SafeFileHandle? file, TarEntry entry, TarEntry kept, CancellationToken cancellationToken)
    {
        var content = kept.Type == TarEntryType.File && file is not null ? new FileContent(file) : null;
        await _layer.WriteAsync(kept, content, cancellationToken).ConfigureAwait(false);
        // A hard link's metadata is its file's, and was applied there.
        if (kept.Type == TarEntryType.HardLink)
            return;

        if (child.Status.Links > 1)
            _written.TryAdd((child.Status.Device, child.Status.Inode), kept.Path);
        if (file is not null)
            ApplyMetadata(file, entry, kept);
        else
            ApplyMetadata(parent, child, entry, kept);
        if (_options.ApplyToSource)
            LinuxFiles.SetTime(parent, child.Name, kept.ModifiedTime);
    }

    private async Task ReplaceAsync(SafeFileHandle parent, Child child, TarEntry entry, byte[] content, CancellationToken cancellationToken)
    {
        await _layer.WriteAsync(entry, content, cancellationToken).ConfigureAwait(false);
        if (!_options.ApplyToSource)
            return;

        // A new inode, so that other names of the old one keep their content.
        LinuxFiles.Unlink(parent, child.Name);
        using var file = LinuxFiles.CreateFile(parent, child.Name);
        LinuxFiles.Write(file, content);
        LinuxFiles.SetOwner(file, [], entry.UserId, entry.GroupId);
        LinuxFiles.SetMode(file, [], entry.Mode);
        foreach (var (name, value) in entry.ExtendedAttributes ?? [])
            LinuxFiles.SetAttribute(file, name, value);
        LinuxFiles.SetTime(file, [], entry.ModifiedTime);
    }

    private FilterResult Decide(TarEntry entry, LayerContent content) => _options.Filter?.Invoke(entry, content) ?? FilterResult.Keep;

    private static TarEntry Kept(TarEntry entry, FilterResult result)
    {
        if (result is not FilterResult.Kept { Entry: { } changed })
            return result is FilterResult.Kept
                ? entry
                : throw new InvalidOperationException($"'{entry.Path}' cannot get content: it is a {entry.Type}");

        bool isSame = (changed.Path, changed.Type, changed.Size, changed.LinkTarget, changed.DeviceMajor, changed.DeviceMinor)
            == (entry.Path, entry.Type, entry.Size, entry.LinkTarget, entry.DeviceMajor, entry.DeviceMinor);
        return isSame ? changed : throw new InvalidOperationException("a filter may change the mode, owner, "
            + $"time and attributes of '{entry.Path}', nothing else");
    }

    private static TarEntry Replacement(TarEntry entry, FilterResult.Replaced replaced) => entry.Type is TarEntryType.File
        or TarEntryType.HardLink
        ? (replaced.Entry ?? entry) with { Path = entry.Path, Type = TarEntryType.File, LinkTarget = null, Size = replaced.Content.Length }
        : throw new InvalidOperationException($"'{entry.Path}' cannot get content: it is a {entry.Type}");

    private void Discard(SafeFileHandle parent, Child child)
    {
        if (_options.ApplyToSource)
            LinuxFiles.RemoveTree(parent, child.Name);
    }

    private void ApplyMetadata(SafeFileHandle file, TarEntry before, TarEntry after)
    {
        if (!_options.ApplyToSource)
            return;

        ApplyOwnerAndMode(file, [], before, after);
        foreach (string name in LinuxFiles.ListAttributes(file)
            .Where(name => !name.StartsWith(OverlayAttribute.Prefix, StringComparison.Ordinal)))
        {
            if (after.ExtendedAttributes?.ContainsKey(name) != true)
                LinuxFiles.RemoveAttribute(file, name);
        }

        // Also puts back what a change of owner takes away.
        foreach (var (name, value) in after.ExtendedAttributes ?? [])
            LinuxFiles.SetAttribute(file, name, value);
    }

    private void ApplyMetadata(SafeFileHandle parent, Child child, TarEntry before, TarEntry after)
    {
        if (_options.ApplyToSource)
            ApplyOwnerAndMode(parent, child.Name, before, after);
    }

    private static void ApplyOwnerAndMode(SafeFileHandle parent, byte[] name, TarEntry before, TarEntry after)
    {
        bool isNewOwner = (after.UserId, after.GroupId) != (before.UserId, before.GroupId);
        if (isNewOwner)
            LinuxFiles.SetOwner(parent, name, after.UserId, after.GroupId);
        // A change of owner clears the set-id bits; a symbolic link has no mode to set.
        if ((isNewOwner || after.Mode != before.Mode) && after.Type != TarEntryType.SymbolicLink)
            LinuxFiles.SetMode(parent, name, after.Mode);
    }

    private TarEntry LinkOrEntry(SafeFileHandle parent, SafeFileHandle? file, Child child, string path)
    {
        var entry = file is null ? EntryOf(parent, child.Name, child.Status, path) : EntryOf(file, [], child.Status, path);
        return child.Status.Links > 1 && _written.TryGetValue((child.Status.Device, child.Status.Inode), out string? first)
            ? entry with { Type = TarEntryType.HardLink, LinkTarget = first, Size = 0, ExtendedAttributes = null }
            : entry;
    }

    // With an empty name, the handle is the file itself and is open for its attributes.
    private TarEntry EntryOf(SafeFileHandle handle, byte[] name, FileStatus status, string path) => new()
    {
        Path = path,
        Type = TypeOf(status),
        // Linux says 0777 of every symbolic link; other writers and file systems differ.
        Mode = status.IsSymbolicLink ? 0b111_111_111 : status.Mode,
        UserId = status.UserId,
        GroupId = status.GroupId,
        Size = status.IsFile ? status.Size : 0,
        ModifiedTime = Clamp(status.ModifiedTime),
        LinkTarget = status.IsSymbolicLink ? TarPath.Decode(LinuxFiles.ReadLink(handle, name)) : null,
        DeviceMajor = status.IsCharacterDevice || status.IsBlockDevice ? status.DeviceMajor : 0,
        DeviceMinor = status.IsCharacterDevice || status.IsBlockDevice ? status.DeviceMinor : 0,
        ExtendedAttributes = name.Length == 0 && status.IsFile ? Attributes(handle) : null,
    };

    private static SortedDictionary<string, byte[]>? Attributes(SafeFileHandle file) =>
        LinuxFiles.GetAttribute(file, OverlayAttribute.Capability) is { } value
            ? new(StringComparer.Ordinal) { [OverlayAttribute.Capability] = value }
            : null;

    private DateTimeOffset Clamp(DateTimeOffset time) => WholeSeconds(_options.Epoch is { } epoch && time > epoch ? epoch : time);

    private static DateTimeOffset WholeSeconds(DateTimeOffset time) => DateTimeOffset.FromUnixTimeSeconds(time.ToUnixTimeSeconds());

    private static TarEntryType TypeOf(FileStatus status) => status switch
    {
        { IsDirectory: true } => TarEntryType.Directory,
        { IsFile: true } => TarEntryType.File,
        { IsSymbolicLink: true } => TarEntryType.SymbolicLink,
        { IsCharacterDevice: true } => TarEntryType.CharacterDevice,
        { IsBlockDevice: true } => TarEntryType.BlockDevice,
        _ => TarEntryType.Fifo,
    };

    private void CheckOverlay(SafeFileHandle file, string path)
    {
        if (!IsOverlay)
            return;

        foreach (string name in (string[])[OverlayAttribute.Redirect, OverlayAttribute.MetadataOnly])
        {
            if (LinuxFiles.GetAttribute(file, name) is not null)
                throw new LayerException(
                    $"'{path}' is not all there: it has '{name}'; mount the overlay with redirect_dir=off,metacopy=off");
        }
    }

    private Queue<Child> ChildrenOf(SafeFileHandle directory, string path)
    {
        var children = new List<Child>();
        foreach (byte[] name in LinuxFiles.List(directory))
        {
            var status = LinuxFiles.Status(directory, name);
            bool isWhiteout = IsOverlay && status.IsOverlayWhiteout;
            children.Add(new Child(name, isWhiteout ? [.. ".wh."u8, .. name] : name, status, isWhiteout));
        }

        if (IsOverlay && path.Length > 0 && LinuxFiles.GetAttribute(directory, OverlayAttribute.Opaque) is { } value
            && value.AsSpan().SequenceEqual(OverlayAttribute.OpaqueValue))
            children.Add(new Child([], TarPath.Encode(Whiteout.Opaque), default, IsWhiteout: true));

        children.Sort(CompareChildren);
        return new Queue<Child>(children);
    }

    // The image specification wants whiteouts before their siblings.
    private static int CompareChildren(Child left, Child right)
    {
        int rank = right.IsWhiteout.CompareTo(left.IsWhiteout);
        return rank != 0 ? rank : left.EmittedName.AsSpan().SequenceCompareTo(right.EmittedName);
    }

    private readonly record struct Child(byte[] Name, byte[] EmittedName, FileStatus Status, bool IsWhiteout);

    private sealed record Frame(SafeFileHandle Directory, TarEntry Entry, Queue<Child> Children);
}

using Ingot.Oci.Content;
using Ingot.Oci.Tar;

namespace Ingot.Oci.Layers.Erofs;

/// <summary>Gives the nodes of a tree what their inodes say, as <see cref="LayerExtractor"/> gives it to files.</summary>
internal sealed class ErofsInodes : IDisposable
{
    private const int ImpliedMode = 0b111_101_101;
    private const int LinkMode = 0b111_111_111;
    private const int WhiteoutMode = 0b110_000_000;
    private const int MaxLinkBytes = 4095;
    private const long MaxFileBytes = 1L << 41;
    private const int MaxDeviceMajor = 0xFFF;
    private const int MaxDeviceMinor = 0xFFFFF;

    private readonly ErofsOptions _options;
    private readonly LowerLayers _lower;
    private readonly Dictionary<ErofsNode, bool> _hasLower = [];

    private ErofsInodes(ErofsOptions options)
    {
        _options = options;
        _lower = new LowerLayers(options.LowerDirectories);
    }

    /// <summary>Describes every node, and drops the deletions that delete nothing.</summary>
    public static void Describe(ErofsTree tree, ErofsOptions options)
    {
        using var inodes = new ErofsInodes(options);
        foreach (var node in tree.Nodes)
        {
            node.IsWithinOpaque = node.IsOpaque || node.Parent is { IsWithinOpaque: true };
            inodes.Describe(node);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _lower.Dispose();

    private void Describe(ErofsNode node)
    {
        switch (node.Kind)
        {
            case ErofsNodeKind.ImpliedDirectory:
                DescribeImplied(node);
                break;
            case ErofsNodeKind.Whiteout when HidesNothing(node.Parent!):
                node.Kind = ErofsNodeKind.Dropped;
                return;
            case ErofsNodeKind.Whiteout:
                node.Mode = ErofsFormat.CharacterDeviceType | WhiteoutMode;
                break;
            default:
                DescribeEntry(node, node.Record!.Entry);
                break;
        }

        if (node.IsDirectory)
            node.Links = 2;
        if (node.IsDirectory && node.Parent is { } parent)
            parent.Links++;
        if (node.IsOpaque)
            node.Attributes = ErofsAttributes.Encode(node.Path, node.Record?.Entry, isOpaque: true);
    }

    private void DescribeImplied(ErofsNode node)
    {
        var lower = node.Parent is not { } parent || node.IsHidden || parent.IsWithinOpaque ? null : _lower.Find(node.Path);
        node.Mode = ErofsFormat.DirectoryType | (lower?.Mode ?? ImpliedMode);
        node.UserId = lower?.UserId ?? 0;
        node.GroupId = lower?.GroupId ?? 0;
        node.ModifiedTime = lower?.ModifiedTime ?? DateTimeOffset.UnixEpoch;
    }

    private void DescribeEntry(ErofsNode node, TarEntry entry)
    {
        Check(entry);
        if (node.Record!.Size is < 0 or > MaxFileBytes)
            throw new LayerException($"'{entry.Path}' has {node.Record.Size} bytes: EROFS reads 2 TiB");
        if (entry.Type == TarEntryType.HardLink)
            return;

        node.Mode = ErofsFormat.TypeOf(entry.Type) | (entry.Type == TarEntryType.SymbolicLink ? LinkMode : entry.Mode & 0xFFF);
        node.UserId = entry.UserId;
        node.GroupId = entry.GroupId;
        node.ModifiedTime = entry.ModifiedTime;
        node.Size = entry.Type == TarEntryType.File ? node.Record.Size : 0;
        if (entry.Type is TarEntryType.File or TarEntryType.Directory && entry.ExtendedAttributes is { Count: > 0 })
            node.Attributes = ErofsAttributes.Encode(entry.Path, entry, isOpaque: false);
        if (entry.Type == TarEntryType.SymbolicLink)
            node.Size = LinkBytes(entry);
        if (entry.Type is TarEntryType.CharacterDevice or TarEntryType.BlockDevice)
            node.Device = DeviceOf(entry);
    }

    private static void Check(TarEntry entry)
    {
        if (entry.UserId is < 0 or >= uint.MaxValue || entry.GroupId is < 0 or >= uint.MaxValue)
            throw new LayerException($"'{entry.Path}' has the owner {entry.UserId}:{entry.GroupId}, which Linux does not support");
        if (entry.Path.Contains(Whiteout.Prefix, StringComparison.Ordinal) && entry.Path.Split('/').Any(Whiteout.IsWhiteout))
            throw new LayerException($"'{entry.Path}' lies in a whiteout");
    }

    private static long LinkBytes(TarEntry entry)
    {
        int bytes = TarPath.Encode(entry.LinkTarget ?? "").Length;
        return bytes is > 0 and <= MaxLinkBytes
            ? bytes
            : throw new LayerException($"the symbolic link '{entry.Path}' has a text of {bytes} bytes: 1 to {MaxLinkBytes} are allowed");
    }

    private uint DeviceOf(TarEntry entry)
    {
        if (!_options.AllowDevices)
            throw new LayerException($"'{entry.Path}' is a device, which an image has no use for: a runtime brings its own");
        if (entry is { Type: TarEntryType.CharacterDevice, DeviceMajor: 0, DeviceMinor: 0 })
            throw new LayerException($"'{entry.Path}' is the device 0:0, which an overlay file system takes for a deletion");
        if (entry.DeviceMajor is < 0 or > MaxDeviceMajor || entry.DeviceMinor is < 0 or > MaxDeviceMinor)
            throw new LayerException($"'{entry.Path}' is the device {entry.DeviceMajor}:{entry.DeviceMinor}, which Linux does not support");

        uint major = (uint)entry.DeviceMajor, minor = (uint)entry.DeviceMinor;
        return (minor & 0xFF) | (major << 8) | ((minor & ~0xFFu) << 12);
    }

    // A directory that the kernel does not merge with lower ones shows a whiteout in it as a name that cannot be opened.
    private bool HidesNothing(ErofsNode directory) =>
        directory.IsWithinOpaque || (directory.Parent is not null && _options.LowerDirectories.Count > 0 && !HasLower(directory));

    private bool HasLower(ErofsNode directory)
    {
        if (!_hasLower.TryGetValue(directory, out bool known))
            _hasLower[directory] = known = _lower.Find(directory.Path) is not null;
        return known;
    }
}

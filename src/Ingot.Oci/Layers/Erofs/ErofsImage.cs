using Ingot.Oci.Content;
using Ingot.Oci.Tar;

namespace Ingot.Oci.Layers.Erofs;

/// <summary>Makes a layer mountable without unpacking it: an <see href="https://docs.kernel.org/filesystems/erofs.html">EROFS</see> image
/// that holds names, metadata and links, while the contents stay where they are,
/// in the layer's uncompressed archive or in other files beside it.</summary>
/// <remarks>
/// The mounted image is what <see cref="LayerExtractor"/> makes of the layer with <see cref="WhiteoutForm.Overlay"/>: a lower directory for
/// overlay file systems. Equal layers give equal bytes. A layer that cannot be said in an image is refused (<see cref="LayerException"/>):
/// unpack it then.
/// </remarks>
public sealed class ErofsImage
{
    private const long MaxBytes = 1 << 30;
    private const int PageBytes = 4096;

    private readonly ErofsTree _tree;
    private readonly ErofsDirectory _directories;
    private readonly IReadOnlyList<ErofsDevice> _devices;
    private readonly ErofsOptions _options;
    private long _end;
    private int _inodes;

    private ErofsImage(ErofsTree tree, IReadOnlyList<ErofsDevice> devices, ErofsOptions options)
    {
        _tree = tree;
        _directories = new ErofsDirectory(tree);
        _devices = devices;
        _options = options;
    }

    /// <summary>Writes the image of a layer.</summary>
    /// <param name="output">Where to; it stays open.</param>
    /// <param name="index">What is in the layer.</param>
    /// <param name="devices">The files that hold the contents, in the order in which they will be given when the image is mounted; the
    /// first is the layer's archive, unless the options say otherwise. At least one.</param>
    /// <param name="options">How; null for the defaults.</param>
    public static void Write(Stream output, LayerIndex index, IReadOnlyList<ErofsDevice> devices, ErofsOptions? options = null) =>
        output.Write(Encode(index, devices, options ?? new ErofsOptions()));

    private static byte[] Encode(LayerIndex index, IReadOnlyList<ErofsDevice> devices, ErofsOptions options)
    {
        Check(devices);
        var tree = ErofsTree.Of(index);
        ErofsInodes.Describe(tree, options);
        var image = new ErofsImage(tree, devices, options);
        image.Place();
        return image.Encode();
    }

    private static void Check(IReadOnlyList<ErofsDevice> devices)
    {
        ArgumentOutOfRangeException.ThrowIfZero(devices.Count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(devices.Count, ErofsFormat.MaxDevices);
        if (devices.FirstOrDefault(device => device.Bytes < 0 || ErofsFormat.Blocks(device.Bytes) >= uint.MaxValue)
            is { Bytes: not 0 } wrong)
            throw new LayerException($"the contents lie in a file of {wrong.Bytes} bytes: EROFS reads 2 TiB");
    }

    // Inodes first, in the order of the tree, so that one who walks it reads forwards; then what does not fit behind its inode.
    private void Place()
    {
        _end = ErofsFormat.DevicesPosition + ((long)_devices.Count * ErofsFormat.DeviceBytes);
        foreach (var node in _tree.Nodes.Where(node => node.HasInode))
            PlaceInode(node);
        foreach (var node in _tree.Nodes
            .Where(node => node.HasInode && node is { IsInline: false, Size: > 0 } && !ErofsFormat.IsFile(node)))
        {
            node.DataPosition = _end = Up(_end, ErofsFormat.BlockBytes);
            _end += node.Size;
        }

        // Whole pages: what reads images elsewhere reads a page at least.
        _end = Up(_end, PageBytes);
        if (_end > MaxBytes)
            throw new LayerException($"the layer's names and attributes come to {_end} bytes: {MaxBytes} are allowed");
    }

    private void PlaceInode(ErofsNode node)
    {
        if (node.IsDirectory)
            node.Size = _directories.Size(node);
        long head = ErofsFormat.InodeBytes + node.Attributes.Length;
        node.IsInline = !ErofsFormat.IsFile(node) && node.Size > 0 && head + node.Size <= ErofsFormat.BlockBytes;
        long length = ErofsFormat.IsFile(node) ? Up(head, ErofsFormat.ChunkIndexBytes)
            + (ErofsFormat.Chunks(node.Size) * ErofsFormat.ChunkIndexBytes)
            : node.IsInline ? head + node.Size
            : head;

        // What stands behind an inode must be in its block: what fits into one is not split.
        long left = ErofsFormat.BlockBytes - (_end % ErofsFormat.BlockBytes);
        if (length > left && length <= ErofsFormat.BlockBytes)
            _end += left;
        node.Position = _end;
        _end = Up(_end + length, ErofsFormat.SlotBytes);
        _inodes++;
    }

    private byte[] Encode()
    {
        byte[] image = new byte[_end];
        int number = 0;
        foreach (var node in _tree.Nodes.Where(node => node.HasInode))
            Encode(image, node, ++number);
        for (int i = 0; i < _devices.Count; i++)
            ErofsFormat.WriteDevice(image.AsSpan(ErofsFormat.DevicesPosition + (i * ErofsFormat.DeviceBytes)), _devices[i]);
        ErofsFormat.WriteSuperblock(image, _tree.Nodes[0].Position, _inodes, _devices.Count);
        return image;
    }

    private void Encode(byte[] image, ErofsNode node, int number)
    {
        var at = image.AsSpan((int)node.Position);
        ErofsFormat.WriteInode(at, node, number);
        node.Attributes.CopyTo(at[ErofsFormat.InodeBytes..]);
        int behind = ErofsFormat.InodeBytes + node.Attributes.Length;
        if (ErofsFormat.IsFile(node) && node.Size > 0)
        {
            ErofsFormat.WriteChunkIndexes(at[(int)Up(behind, ErofsFormat.ChunkIndexBytes)..], node.Size, PlaceOf(node.Record!));
            return;
        }

        var content = node.IsInline ? at[behind..] : image.AsSpan((int)node.DataPosition);
        if (node.IsDirectory)
            _directories.Write(content[..(int)node.Size], node);
        else if (ErofsFormat.IsSymbolicLink(node))
            TarPath.Encode(node.Record!.LinkTarget!).CopyTo(content);
    }

    private ErofsPlace PlaceOf(FileRecord file)
    {
        var place = _options.PlaceOf?.Invoke(file) ?? new ErofsPlace(1, file.Offset);
        // The kernel reads whole blocks, and calls it an error when the last one is not all there.
        if (place.Device < 1 || place.Device > _devices.Count || place.Offset < 0
            || place.Offset > _devices[place.Device - 1].Bytes - Up(file.Size, ErofsFormat.BlockBytes))
            throw new LayerException(
                $"the {file.Size} bytes of '{file.Path}' at {place.Offset} of device {place.Device} do not lie within it");
        if (place.Offset % ErofsFormat.BlockBytes != 0)
            throw new LayerException($"the content of '{file.Path}' lies at {place.Offset} of device {place.Device}, "
                + $"which is not a multiple of {ErofsFormat.BlockBytes}");
        return place;
    }

    private static long Up(long value, long unit) => (value + unit - 1) & -unit;
}

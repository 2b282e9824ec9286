namespace Ingot.Oci.Layers.Erofs;

/// <summary>A file beside the image that holds contents, such as the layer's uncompressed archive.</summary>
/// <param name="Bytes">Its length. Contents in it are padded to 512 bytes, as in archives: the kernel reads that far.</param>
public readonly record struct ErofsDevice(long Bytes);

/// <summary>Where a file's content lies.</summary>
/// <param name="Device">The number of the device: the first one is 1.</param>
/// <param name="Offset">Where in the device the content begins, in bytes: a multiple of 512. Everywhere in an archive it is.</param>
public readonly record struct ErofsPlace(int Device, long Offset);

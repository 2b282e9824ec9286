using Ingot.Oci.Linux;
using Ingot.Testing;
using Ingot.Tools;

namespace Ingot.Tests.Builds;

/// <summary>A disk of a few pages, which is soon full. It is mounted where nobody else sees it, and goes with this.</summary>
internal sealed class SmallDisk : IDisposable
{
    private readonly RootedDirectory _root;

    private SmallDisk(RootedDirectory root) => _root = root;

    /// <summary>The disk's directory.</summary>
    public string Path => _root.HandlePath;

    public static async Task<SmallDisk> MakeAsync(TemporaryDirectory directory, long bytes)
    {
        Assert.SkipUnless(LinuxTree.IsRoot, "needs root: disks are mounted");
        string name = System.IO.Path.GetFileName(directory.Make($"disk{Guid.NewGuid():N}"));
        string point = directory.At(name);
        return new SmallDisk(await Mounts.SecludedAsync(directory.Root, [new MemoryMount(name, bytes)], () => new RootedDirectory(point)));
    }

    public void Dispose() => _root.Dispose();
}

using System.Diagnostics;
using Ingot.Testing;

namespace Ingot.Tests.Builds.Remote;

/// <summary>A disk of a few pages, which is soon full.</summary>
internal sealed class SmallDisk : IDisposable
{
    private SmallDisk(string path) => Path = path;

    /// <summary>The disk's directory.</summary>
    public string Path { get; }

    public static async Task<SmallDisk> MakeAsync(TemporaryDirectory directory, long bytes)
    {
        Assert.SkipUnless(LinuxTree.IsRoot, "needs root: disks are mounted");
        string path = directory.Make($"disk{Guid.NewGuid():N}");
        await LinuxTree.RunAsync(directory.Root, "mount", "-t", "tmpfs", "-o", $"mode=700,size={bytes}", "tmpfs", path);
        return new SmallDisk(path);
    }

    public void Dispose() => Process.Start("umount", ["-l", Path]).WaitForExit();
}

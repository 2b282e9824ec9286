using System.Diagnostics;

namespace Ingot.Testing;

/// <summary>A directory that is gone when the test is, whatever the modes of what lies in it.</summary>
public sealed class TemporaryDirectory : IDisposable
{
    public TemporaryDirectory() => Root = Directory.CreateTempSubdirectory("ingot-test-").FullName;

    public string Root { get; }

    /// <summary>The path of something in the directory.</summary>
    public string At(params string[] parts) => Path.Combine([Root, .. parts]);

    /// <summary>Makes a directory in it and returns its path.</summary>
    public string Make(params string[] parts) => Directory.CreateDirectory(At(parts)).FullName;

    // The base library follows neither bytes that are no text nor devices: rm does.
    public void Dispose()
    {
        using var rm = Process.Start("rm", ["-rf", "--", Root]);
        rm.WaitForExit();
    }
}

using Ingot.Evidence;

namespace Ingot.Tests.Evidence;

/// <summary>A root filesystem in a temporary directory, beside a file that is outside of it.</summary>
internal sealed class TestRoot : IDisposable
{
    private readonly string _parent = Directory.CreateTempSubdirectory("ingot-root-").FullName;

    public TestRoot(params (string Path, string Text)[] files)
    {
        Path = System.IO.Path.Combine(_parent, "root");
        Directory.CreateDirectory(Path);
        File.WriteAllText(Outside, "outside");
        foreach (var (path, text) in files)
            Write(path, text);
        Root = new ImageRoot(Path);
    }

    public string Path { get; }

    public string Outside => System.IO.Path.Combine(_parent, "outside");

    public ImageRoot Root { get; }

    public void Write(string path, string text, int mode = 0b110_100_100)
    {
        string full = Full(path);
        File.WriteAllText(full, text);
        File.SetUnixFileMode(full, (UnixFileMode)mode);
    }

    public void Write(string path, byte[] bytes, int mode)
    {
        string full = Full(path);
        File.WriteAllBytes(full, bytes);
        File.SetUnixFileMode(full, (UnixFileMode)mode);
    }

    public void Link(string path, string target) => File.CreateSymbolicLink(Full(path), target);

    public void Dispose()
    {
        Root.Dispose();
        // The base library cannot delete names that are no text.
        using var remove = System.Diagnostics.Process.Start("rm", ["-rf", _parent]);
        remove.WaitForExit();
    }

    private string Full(string path)
    {
        string full = System.IO.Path.Combine(Path, path);
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(full)!);
        return full;
    }
}

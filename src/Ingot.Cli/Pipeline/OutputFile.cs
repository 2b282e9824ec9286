using System.Security.Cryptography;
using Ingot.Oci.Linux;

namespace Ingot.Cli.Pipeline;

/// <summary>A file that a person asked for: whole or not there at all. A device, a pipe or a terminal is written where it is, and stays
/// what it is.</summary>
internal sealed class OutputFile : IDisposable
{
    private const int NameBytes = 8;

    private static readonly string[] s_special = ["/dev/stdout", "/dev/stderr", "/dev/fd/", "/proc/"];

    private readonly string _path;
    private readonly string? _partial;
    private bool _isDone;

    private OutputFile(string path, string? partial, FileStream stream)
    {
        _path = path;
        _partial = partial;
        Stream = stream;
    }

    /// <summary>What is written to.</summary>
    public FileStream Stream { get; }

    /// <summary>How much was written; 0 where nobody can say.</summary>
    public long Size => _partial is null ? 0 : Stream.Length;

    /// <summary>A name beside a path that nobody can have put anything at.</summary>
    public static string PartialOf(string path) => $"{path}.{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(NameBytes))}.partial";

    /// <summary>Begins to write one.</summary>
    /// <param name="path">Absolute.</param>
    public static OutputFile Open(string path)
    {
        if (IsSpecial(path))
        {
            var device = new FileStream(path, FileMode.Append, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete);
            return new OutputFile(path, null, device);
        }

        // What is new is made, and never opened: a link of the name would be followed.
        string partial = PartialOf(path);
        return new OutputFile(path, partial, new FileStream(partial, FileMode.CreateNew, FileAccess.Write));
    }

    /// <summary>Puts what was written where it was asked for.</summary>
    public void Finish()
    {
        Stream.Dispose();
        if (_partial is not null)
            File.Move(_partial, _path, overwrite: true);
        _isDone = true;
    }

    public void Dispose()
    {
        Stream.Dispose();
        if (_partial is not null && !_isDone)
            File.Delete(_partial);
    }

    // What a shell sent its output to may be an ordinary file, which /dev/stdout is a link to: also that is no reason to replace the link.
    private static bool IsSpecial(string path)
    {
        using var found = RootedDirectory.FindNamed(path);
        if (found is null)
            return false;
        return found.Status.Type is not (Kernel.S_IFREG or Kernel.S_IFDIR)
            || s_special.Any(s => path.StartsWith(s, StringComparison.Ordinal));
    }
}

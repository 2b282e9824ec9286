using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;

namespace Ingot.Oci.Tests.Layers;

/// <summary>Makes and lists files that the base library cannot, with other programs than the ones under test.</summary>
internal static partial class LinuxTree
{
    /// <summary>Whether devices and owners can be set, as the tests of layers need.</summary>
    public static bool IsRoot => Environment.IsPrivilegedProcess;

    public const string NeedsRoot = "needs root: layers hold owners and devices";

    /// <summary>Runs lines of shell in a directory.</summary>
    public static async Task MakeAsync(string directory, string script)
    {
        var start = new ProcessStartInfo("sh", ["-euc", script]) { WorkingDirectory = directory, RedirectStandardError = true };
        start.Environment["LC_ALL"] = "C.UTF-8";
        start.Environment["TZ"] = "UTC";
        using var process = Process.Start(start)!;
        string errors = await process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 0, errors);
    }

    /// <summary>Every file below a directory: type, mode, owner, size of files, time, path, link target; hard links share a number, devices show theirs.</summary>
    public static async Task<string> ListAsync(string directory, bool withTimes = true)
    {
        const string Format = @"%P\t%y %m %U:%G %s %T@ %n %i %l\n";
        var start = new ProcessStartInfo("find", [directory, "-mindepth", "1", "-printf", Format]) { RedirectStandardOutput = true, StandardOutputEncoding = Encoding.Latin1 };
        start.Environment["LC_ALL"] = "C";
        using var process = Process.Start(start)!;
        string output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();

        var inodes = new Dictionary<string, int>();
        var lines = output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Order(StringComparer.Ordinal).Select(line => Describe(directory, line, withTimes, inodes));
        return string.Join('\n', lines);
    }

    private static string Describe(string directory, string line, bool withTimes, Dictionary<string, int> inodes)
    {
        string[] parts = line.Split('\t');
        string path = parts[0];
        string[] fields = parts[1].Split(' ', 8);
        string type = fields[0], size = type is "f" ? " " + fields[3] : "", time = withTimes ? " " + fields[4][..fields[4].IndexOf('.', StringComparison.Ordinal)] : "";
        string link = type == "l" ? " -> " + fields[7] : "";
        string full = Path.Combine(directory, path);
        string device = type is "c" or "b" ? " " + DeviceOf(full) : "";
        string opaque = type == "d" && GetAttribute(full, "trusted.overlay.opaque") is not null ? " opaque" : "";
        string capability = type == "f" && GetAttribute(full, "security.capability") is not null ? " capability" : "";
        string shared = "";
        if (type != "d" && fields[5] != "1")
        {
            if (!inodes.TryGetValue(fields[6], out int number))
                inodes[fields[6]] = number = inodes.Count + 1;
            shared = $" #{number}";
        }

        return $"{path} {type} {fields[1]} {fields[2]}{size}{time}{link}{device}{opaque}{capability}{shared}";
    }

    public static void SetAttribute(string path, string name, byte[] value)
    {
        if (LSetXAttr(path, name, value, (nuint)value.Length, 0) != 0)
            throw new IOException($"could not set '{name}' of '{path}': {Marshal.GetLastPInvokeErrorMessage()}");
    }

    public static byte[]? GetAttribute(string path, string name)
    {
        byte[] value = new byte[4096];
        nint length = LGetXAttr(path, name, value, (nuint)value.Length);
        return length < 0 ? null : value[..(int)length];
    }

    private static string DeviceOf(string path)
    {
        using var process = Process.Start(new ProcessStartInfo("stat", ["-c", "%t,%T", path]) { RedirectStandardOutput = true })!;
        return process.StandardOutput.ReadToEnd().Trim();
    }

    [LibraryImport("libc", EntryPoint = "lsetxattr", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int LSetXAttr(string path, string name, byte[] value, nuint size, int flags);

    [LibraryImport("libc", EntryPoint = "lgetxattr", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial nint LGetXAttr(string path, string name, byte[] value, nuint size);
}

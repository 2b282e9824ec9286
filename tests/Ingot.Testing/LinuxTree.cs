using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;
using Xunit;

namespace Ingot.Testing;

/// <summary>Makes and lists files that the base library cannot, with other programs than the ones under test.</summary>
public static partial class LinuxTree
{
    /// <summary>Whether devices and owners can be set, as the tests of layers need.</summary>
    public static bool IsRoot => Environment.IsPrivilegedProcess;

    public const string NeedsRoot = "needs root: layers hold owners and devices";

    /// <summary>Runs lines of shell in a directory.</summary>
    public static Task MakeAsync(string directory, string script) => RunAsync(directory, "sh", "-euc", script);

    /// <summary>Runs a program in a directory and returns its output; an exit code other than 0 fails the test with what it said.</summary>
    public static async Task<string> RunAsync(string directory, string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            WorkingDirectory = directory,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["LC_ALL"] = "C.UTF-8";
        start.Environment["TZ"] = "UTC";
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync();
        string output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 0, $"{program} {string.Join(' ', arguments)}: {await errors}");
        return output;
    }

    /// <summary>Every file below a directory: type, mode, owner, size of files, time, path, link target; hard links share a number,
    /// devices show theirs.</summary>
    public static async Task<string> ListAsync(string directory, bool withTimes = true)
    {
        // What find has to say besides, about names that an overlay lists and does not open, is not looked at.
        const string Format = @"%P\t%y %m %U:%G %s %T@ %n %D:%i %l\n";
        var start = new ProcessStartInfo("find", [directory, "-mindepth", "1", "-printf", Format])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardOutputEncoding = Encoding.Latin1,
        };
        start.Environment["LC_ALL"] = "C";
        using var process = Process.Start(start)!;
        process.ErrorDataReceived += static (_, _) => { };
        process.BeginErrorReadLine();
        string output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();

        var inodes = new Dictionary<string, int>();
        var lines = output.Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Order(StringComparer.Ordinal)
            .Select(line => Describe(directory, line, withTimes, inodes));
        return string.Join('\n', lines);
    }

    private static string Describe(string directory, string line, bool withTimes, Dictionary<string, int> inodes)
    {
        string[] parts = line.Split('\t');
        string path = parts[0];
        string[] fields = parts[1].Split(' ', 8);
        string type = fields[0], size = type is "f" ? " " + fields[3] : "",
            time = withTimes ? " " + fields[4][..fields[4].IndexOf('.', StringComparison.Ordinal)] : "";
        string link = type == "l" ? " -> " + fields[7] : "";
        // The list is in Latin-1, a character a byte.
        byte[] full = [.. Encoding.UTF8.GetBytes(directory), (byte)'/', .. Encoding.Latin1.GetBytes(path), 0];
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

    public static byte[]? GetAttribute(string path, string name, int maxBytes = 4096) =>
        GetAttribute([.. Encoding.UTF8.GetBytes(path), 0], name, maxBytes);

    private static byte[]? GetAttribute(byte[] path, string name, int maxBytes = 4096)
    {
        byte[] value = new byte[maxBytes];
        nint length = LGetXAttr(path, name, value, (nuint)value.Length);
        return length < 0 ? null : value[..(int)length];
    }

    private static string DeviceOf(byte[] path)
    {
        // An argument is text, and a path need not be: the shell makes its bytes.
        string escaped = string.Concat(path[..^1].Select(b => @"\0" + Convert.ToString(b, 8)));
        using var process = Process.Start(new ProcessStartInfo("sh", ["-c", "stat -c %t,%T \"$(printf %b \"$1\")\"", "sh", escaped])
        {
            RedirectStandardOutput = true,
        })!;
        return process.StandardOutput.ReadToEnd().Trim();
    }

    [LibraryImport("libc", EntryPoint = "lsetxattr", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int LSetXAttr(string path, string name, byte[] value, nuint size, int flags);

    [LibraryImport("libc", EntryPoint = "lgetxattr", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial nint LGetXAttr(byte[] path, string name, byte[] value, nuint size);
}

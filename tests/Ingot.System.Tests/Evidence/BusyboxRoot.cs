using Ingot.Evidence;
using Ingot.Testing;
using Ingot.Tools;

namespace Ingot.SystemTests.Evidence;

/// <summary>A root filesystem of one static program, with a shell, a small web server and two users.
/// Null when the package cannot be had.</summary>
internal sealed class BusyboxRoot : IDisposable
{
    private static readonly string[] s_programs = ["sh", "cat", "echo", "ls", "httpd", "nc", "sleep", "id", "env", "touch", "wget", "ps",
        "sed", "true", "false", "kill", "yes", "tr", "wc", "test", "pwd"];
    private static readonly Lazy<Task<string?>> s_program = new(FindAsync);

    private BusyboxRoot(string directory)
    {
        Location = directory;
        Scratch = directory + "-scratch";
        Root = new ImageRoot(directory);
    }

    public string Location { get; }

    public string Scratch { get; }

    public ImageRoot Root { get; }

    public static async Task<BusyboxRoot?> CreateAsync(bool shell = true)
    {
        if (await s_program.Value is not { } program)
            return null;

        string directory = Directory.CreateTempSubdirectory("ingot-busybox-").FullName;
        foreach (var name in new[] { "bin", "etc", "www", "home/web" })
            Directory.CreateDirectory(Path.Combine(directory, name));
        File.Copy(program, Path.Combine(directory, "bin/busybox"));
        foreach (var name in s_programs.Where(p => shell || p != "sh"))
            File.CreateSymbolicLink(Path.Combine(directory, "bin", name), "busybox");
        File.WriteAllText(Path.Combine(directory, "etc/passwd"), "root:x:0:0:root:/root:/bin/sh\nweb:x:1000:1000:web:/home/web:/bin/sh\n");
        File.WriteAllText(Path.Combine(directory, "etc/group"), "root:x:0:\nweb:x:1000:\nmedia:x:44:web\n");
        File.WriteAllText(Path.Combine(directory, "www/index.html"), "hello from inside\nsecond line\n");
        Cgi(directory, "moved", "printf 'Status: 302 Found\r\nLocation: /index.html\r\n\r\n'");
        Cgi(directory, "mirror",
            "printf 'Content-Type: text/plain\r\n\r\n'; echo \"method $REQUEST_METHOD user $REMOTE_USER agent $HTTP_USER_AGENT\"; cat");
        return new BusyboxRoot(directory);
    }

    private static void Cgi(string directory, string name, string script)
    {
        string path = Path.Combine(directory, "www/cgi-bin", name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, $"#!/bin/sh\n{script}\n");
        File.SetUnixFileMode(path, (UnixFileMode)0b111_101_101);
    }

    public void Dispose()
    {
        Root.Dispose();
        Directory.Delete(Location, recursive: true);
        if (Directory.Exists(Scratch))
            Directory.Delete(Scratch, recursive: true);
    }

    private static async Task<string?> FindAsync()
    {
        if (File.Exists("/bin/busybox"))
            return "/bin/busybox";

        string cache = TestCache.At("busybox");
        string program = Path.Combine(cache, "bin/busybox");
        if (File.Exists(program))
            return program;

        try
        {
            // On the same filesystem, where it can be renamed.
            string fresh = TestCache.At($"busybox.{Environment.ProcessId}");
            Directory.CreateDirectory(fresh);
            await CommandRunner.RunAsync(new Command("apt-get", "--quiet", "download", "busybox-static") { Directory = fresh });
            await CommandRunner.RunAsync(new Command("dpkg-deb", "-x", Directory.GetFiles(fresh, "*.deb").Single(),
                Path.Combine(fresh, "root")));
            if (!Directory.Exists(cache))
                Directory.Move(Path.Combine(fresh, "root"), cache);
            Directory.Delete(fresh, recursive: true);
        }
        catch (Exception e) when (e is ToolException or IOException or InvalidOperationException)
        {
            return null;
        }

        // Where the distribution has one /usr, the program is there.
        return new[] { program, Path.Combine(cache, "usr/bin/busybox") }.FirstOrDefault(File.Exists);
    }
}

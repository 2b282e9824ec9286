using Ingot.SystemTests.Evidence;
using Ingot.Testing;
using Ingot.Tools;

namespace Ingot.SystemTests.Builds;

/// <summary>A project of one image with a shell, which needs no base and no network.</summary>
public sealed class BusyboxProject(string directory)
{
    public string Directory => directory;

    /// <summary>Writes the project; its Dockerfile copies the shell, and then has <paramref name="instruction"/>.</summary>
    public async Task WriteAsync(string instruction)
    {
        Assert.SkipUnless(LinuxTree.IsRoot, "needs root");
        using var busybox = await BusyboxRoot.CreateAsync();
        Assert.SkipWhen(busybox is null, "needs busybox-static: apt-get install busybox-static");
        System.IO.Directory.CreateDirectory(At("root/bin"));
        File.Copy(Path.Combine(busybox.Location, "bin/busybox"), At("root/bin/busybox"));
        foreach (var name in (string[])["sh", "cat", "echo", "mkdir", "date", "head", "sleep", "true", "gzip"])
            File.CreateSymbolicLink(At("root/bin/" + name), "busybox");
        await File.WriteAllTextAsync(At("root/bin/notes"), "as it was\n");
        await File.WriteAllTextAsync(At("Dockerfile"), $"FROM scratch\nCOPY root/ /\n{instruction}\n");
        await File.WriteAllTextAsync(At("ingot.yaml"), "ingot: 1\nproject: again\nimages:\n  app: { dockerfile: Dockerfile }\n");
    }

    public string At(string path) => Path.Combine(directory, path);

    /// <summary>Makes a commit of everything, at a time in seconds since 1970.</summary>
    public async Task CommitAsync(string message, string time = "1000000000")
    {
        await GitAsync("add", ".");
        await CommandRunner.RunAsync(new Command("git", "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-qm", message)
        {
            Directory = directory,
            Environment = new Dictionary<string, string> { ["GIT_COMMITTER_DATE"] = time + " +0000" },
        });
    }

    public async Task<string> GitAsync(params IReadOnlyList<string> arguments) =>
        await CommandRunner.RunAsync(new Command("git", [.. arguments]) { Directory = directory });
}

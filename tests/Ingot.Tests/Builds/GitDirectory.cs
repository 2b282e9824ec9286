using System.Diagnostics;
using Ingot.Testing;

namespace Ingot.Tests.Builds;

/// <summary>Repositories made with git as people use it, without this host's configuration,
/// in a directory that every user may enter.</summary>
internal sealed class GitDirectory : IDisposable
{
    public const uint Stranger = 54321;

    private readonly TemporaryDirectory _directory = new();

    public GitDirectory()
    {
        Assert.SkipUnless(File.Exists("/usr/bin/git"), "needs git: apt-get install git");
        File.SetUnixFileMode(_directory.Root, (UnixFileMode)0b111_101_101);
    }

    public string At(params string[] parts) => _directory.At(parts);

    public void Dispose() => _directory.Dispose();

    /// <summary>A repository with a commit of <c>app/Dockerfile</c>, <c>app/data</c> and <c>other</c>.</summary>
    public string MakeRepository(string name, string options = "")
    {
        _directory.Make(name, "app");
        File.WriteAllText(At(name, "app", "Dockerfile"), "FROM scratch\nCOPY data /\n");
        File.WriteAllText(At(name, "app", "data"), "committed\n");
        File.WriteAllText(At(name, "other"), "other\n");
        Shell(name, $"git init -q -b main {options} . && git add . && git commit -qm first");
        return At(name);
    }

    public string Shell(string name, string script)
    {
        var start = new ProcessStartInfo("sh", ["-e", "-c", script])
        {
            WorkingDirectory = At(name),
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var (variable, value) in (ReadOnlySpan<(string, string)>)[
            ("GIT_AUTHOR_NAME", "t"), ("GIT_AUTHOR_EMAIL", "t@example.org"), ("GIT_COMMITTER_NAME", "t"),
            ("GIT_COMMITTER_EMAIL", "t@example.org"),
            ("GIT_AUTHOR_DATE", "1600000000 +0000"), ("GIT_COMMITTER_DATE", "1600000000 +0000"), ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_CONFIG_COUNT", "2"), ("GIT_CONFIG_KEY_0", "safe.directory"), ("GIT_CONFIG_VALUE_0", "*"),
            ("GIT_CONFIG_KEY_1", "protocol.file.allow"), ("GIT_CONFIG_VALUE_1", "always")])
            start.Environment[variable] = value;
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, output + errors.Result);
        return output;
    }

    public string Head(string name) => Shell(name, "git rev-parse HEAD").Trim();
}

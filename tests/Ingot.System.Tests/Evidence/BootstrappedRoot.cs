using Ingot.Testing;
using Ingot.Tools;

namespace Ingot.SystemTests.Evidence;

/// <summary>Debian root filesystems for tests, made once and kept beside the temporary files. Tests must not change them.</summary>
internal static class BootstrappedRoot
{
    private static readonly Lazy<Task<string?>> s_minimal = new(() => FindAsync("minbase-bookworm", "bookworm", include: null));
    private static readonly Lazy<Task<string?>> s_peers = new(() => FindAsync("peers-trixie", "trixie", include: "cosign,goss"));

    /// <summary>A minimal Debian 12; skips the test when it cannot be made.</summary>
    public static Task<string> MinimalAsync() => RequireAsync(s_minimal.Value);

    /// <summary>Stock cosign 2 and goss, of Debian 13: the host's C library may be too old for them.
    /// Skips the test when they cannot be had.</summary>
    public static Task<string> PeersAsync() => RequireAsync(s_peers.Value);

    /// <summary>Runs a program of a root filesystem to its end.</summary>
    public static Task<CommandResult> RunAsync(string root, params IReadOnlyList<string> command) =>
        CommandRunner.TryRunAsync(new Command("chroot", [root, "env", "HOME=/tmp", .. command]), onLine: null,
            TestContext.Current.CancellationToken);

    private static async Task<string> RequireAsync(Task<string?> making)
    {
        Assert.SkipUnless(Environment.UserName == "root", "bootstrapping needs root");
        string? root = await making;
        Assert.SkipWhen(root is null, "a Debian root filesystem cannot be had: there is no network, or no mmdebstrap");
        return root!;
    }

    private static async Task<string?> FindAsync(string name, string suite, string? include)
    {
        string directory = TestCache.At(name);
        for (int i = 0; i < 1200; i++)
        {
            try
            {
                using var only = new FileStream(directory + ".lock", FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
                return Directory.Exists(directory) ? directory : await MakeAsync(directory, suite, include);
            }
            catch (IOException)
            {
                // Another process is making it.
                await Task.Delay(250);
            }
        }

        return null;
    }

    private static async Task<string?> MakeAsync(string directory, string suite, string? include)
    {
        string fresh = directory + ".new";
        string[] packages = include is null ? [] : ["--include=" + include];
        try
        {
            await CommandRunner.RunAsync(new Command("rm", "-rf", fresh));
            await CommandRunner.RunAsync(new Command("mmdebstrap", ["--quiet", "--variant=minbase", .. packages, suite, fresh]));
            Directory.Move(fresh, directory);
            return directory;
        }
        catch (ToolException)
        {
            return null;
        }
    }
}

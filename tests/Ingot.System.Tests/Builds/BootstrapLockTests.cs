using System.Text.Json;
using System.Text.RegularExpressions;
using Ingot.SystemTests.Evidence;
using Ingot.SystemTests.Shop;
using Ingot.Testing;

namespace Ingot.SystemTests.Builds;

/// <summary>A bootstrap from the real mirror is locked, made again from the lock, and refused where the lock cannot be kept.</summary>
public sealed class BootstrapLockTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private readonly IngotProgram _ingot;

    public BootstrapLockTests() => _ingot = new IngotProgram(_directory.At("home"), server: null);

    private string Lock => _directory.At("project/ingot.lock");

    public void Dispose()
    {
        using var remove = System.Diagnostics.Process.Start("rm", ["-rf", _directory.At("home")]);
        remove.WaitForExit();
        _directory.Dispose();
    }

    [Fact]
    public async Task WhatWasInstalledIsInstalledAgainOrNamed()
    {
        Assert.SkipUnless(LinuxTree.IsRoot, "needs root");
        await BootstrappedRoot.MinimalAsync();
        _directory.Make("project");
        await File.WriteAllTextAsync(_directory.At("project/ingot.yaml"), "ingot: 1\nproject: locked\nimages:\n  base: { debian: { suite: bookworm } }\n");
        var refused = await BuildAsync(2, "--locked");
        Assert.Contains("the packages of 'base' are not in ingot.lock", refused.Error + refused.Output, StringComparison.Ordinal);

        var first = await BuildAsync(0);
        string locked = await File.ReadAllTextAsync(Lock);
        Assert.Matches("\n      \"bash:[a-z0-9]+\": [^ ]+ sha256:[0-9a-f]{64}\n", locked);
        Assert.Contains("lock     base is ", first.Error, StringComparison.Ordinal);
        // Locked or not, it is the same: nothing runs.
        Assert.Equal(Digest(first), Digest(await BuildAsync(0, "--locked")));
        // Without the cache, from what the record says was installed.
        await _ingot.ExpectAsync(0, "-C", _directory.At("project"), "reproduce", "base");

        await File.WriteAllTextAsync(Lock, Regex.Replace(locked, "(\"bash:[a-z0-9]+\": )[^ ]+", "${1}1.0-1"));
        var gone = await BuildAsync(3, "--locked");
        Assert.Contains("the mirror has no 'bash' 1.0-1 any more", gone.Error + gone.Output, StringComparison.Ordinal);
        Assert.Contains("--update=base", gone.Error + gone.Output, StringComparison.Ordinal);
    }

    private Task<Ended> BuildAsync(int exitCode, params string[] options) => _ingot.ExpectAsync(exitCode, ["-C", _directory.At("project"), "-o", exitCode == 0 ? "json" : "text", "build", "base", .. options]);

    private static string Digest(Ended built) => JsonDocument.Parse(built.Output).RootElement.GetProperty("images")[0].GetProperty("digest").GetString()!;
}

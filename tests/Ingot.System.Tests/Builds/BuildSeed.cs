using System.Diagnostics;
using System.Text.Json;

[assembly: AssemblyFixture(typeof(Ingot.SystemTests.Builds.BuildSeed))]

namespace Ingot.SystemTests.Builds;

/// <summary>The home that every <see cref="BuildFixture"/> begins with a copy of: its base is bootstrapped once,
/// not once a class.</summary>
public sealed class BuildSeed : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("ingot-seed-").FullName;
    private JsonElement? _first;

    /// <summary>Gives a directory a <c>place</c> with the ordinary project and a <c>home</c> that has built it; returns what the program
    /// printed when it did.</summary>
    public async Task<JsonElement> CopyToAsync(string directory)
    {
        string project = Path.Combine(_directory, "place"), home = Path.Combine(_directory, "home");
        if (_first is null)
        {
            BuildFixture.Write(project, BuildFixture.Ordinary);
            _first = await BuildFixture.ProgramAsync(project, home, umask: "022", noCache: false);
        }

        using var copy = Process.Start("cp", ["-a", "--reflink=auto", project, home, directory]);
        await copy.WaitForExitAsync();
        Assert.Equal(0, copy.ExitCode);
        return _first.Value;
    }

    // Not the base library's way: names in images may be no text.
    public void Dispose() => Process.Start("rm", ["-rf", _directory]).WaitForExit();
}

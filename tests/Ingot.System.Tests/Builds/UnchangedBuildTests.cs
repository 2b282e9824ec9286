using System.Diagnostics;
using System.Text.Json;

namespace Ingot.SystemTests.Builds;

/// <summary>The command line: that it answers from memory only what building would have said.</summary>
public sealed class UnchangedBuildTests(BuildFixture fixture) : IClassFixture<BuildFixture>
{
    [Fact]
    public async Task WhatIsAnsweredIsAlwaysWhatBuildingSays()
    {
        Assert.SkipWhen(BuildFixture.Missing is not null, BuildFixture.Missing ?? "");
        string project = Path.Combine(fixture.Directory, "unchanged");
        BuildFixture.Write(project, new Dictionary<string, string>
        {
            ["ingot.yaml"] = BuildFixture.Base + "  app: { dockerfile: Dockerfile }\n",
            ["Dockerfile"] = "FROM base\nCOPY src /src\nENV A=1\n",
            ["src/a"] = "a",
            ["src/b"] = "b",
        });
        await Task.Delay(100, TestContext.Current.CancellationToken);
        string first = await SaidAsync(project);
        string remembered = Path.Combine(fixture.Home, "cache", "unchanged");
        Assert.NotEmpty(Directory.GetFiles(remembered));
        Assert.Equal(first, await SaidAsync(project));

        await ChangeAsync(project, first, "printf B > src/b");
        await ChangeAsync(project, first, "touch src/c");
        await ChangeAsync(project, first, "echo 'ENV B=2' >> Dockerfile");
        await ChangeAsync(project, first, "echo src/a > .dockerignore");
        await ChangeAsync(project, first, "rm .dockerignore && echo src/b > Dockerfile.dockerignore");
        await ChangeAsync(project, first, "sed -i 's/Dockerfile }/Dockerfile, args: { X: y } }/' ingot.yaml");

        // An image that went is built again.
        string last = await SaidAsync(project);
        File.Delete(Path.Combine(fixture.Home, "content/blobs/sha256", last.Split("sha256:")[1][..64]));
        Assert.Equal(last, await SaidAsync(project));
        Assert.True(File.Exists(Path.Combine(fixture.Home, "content/blobs/sha256", last.Split("sha256:")[1][..64])));

        // A Dockerfile of no project.
        BuildFixture.Write(Path.Combine(project, "alone"),
            new Dictionary<string, string> { ["Dockerfile"] = "FROM scratch\nCOPY file /file\n", ["file"] = "1" });
        await Task.Delay(100, TestContext.Current.CancellationToken);
        string[] alone = ["-C", "alone", "build", "-f", "Dockerfile", "--epoch", "2026-01-31T12:00:00Z"];
        int before = Directory.GetFiles(remembered).Length;
        string one = (await RunAsync(project, alone)).Output;
        Assert.Equal(before + 1, Directory.GetFiles(remembered).Length);
        Assert.Equal(one.Split('\n')[^2].Split(" (")[0], (await RunAsync(project, alone)).Output.Split(" (")[0]);
        File.WriteAllText(Path.Combine(project, "alone/file"), "2");
        Assert.NotEqual(one.Split('\n')[^2].Split(" (")[0], (await RunAsync(project, alone)).Output.Split('\n')[^2].Split(" (")[0]);

        // What is to be explained, shown in detail or done again is never answered from memory, nor is a mistake.
        int count = Directory.GetFiles(remembered).Length;
        await RunAsync(project, "build", "app", "--explain");
        Assert.Equal(count, Directory.GetFiles(remembered).Length);
        await RunAsync(project, "build", "app", "--verbose");
        Assert.Equal(count, Directory.GetFiles(remembered).Length);
        Assert.Equal(2, (await RunAsync(project, "build", "ap")).ExitCode);
        Assert.Equal(2, (await RunAsync(project, "build", "ap")).ExitCode);
    }

    private async Task ChangeAsync(string project, string first, string script)
    {
        using (var process = Process.Start(new ProcessStartInfo("sh", ["-ec", script]) { WorkingDirectory = project })!)
            await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        string built = (await RunAsync(project, "-o", "json", "build", "app")).Output;
        string digest = JsonDocument.Parse(built).RootElement.GetProperty("images")[0].GetProperty("digest").GetString()!;
        string said = await SaidAsync(project);
        Assert.Contains(digest, said, StringComparison.Ordinal);
        Assert.Equal(said, await SaidAsync(project));
        Assert.NotEqual(first, said);
    }

    private async Task<string> SaidAsync(string project)
    {
        var (output, exitCode) = await RunAsync(project, "build", "app");
        Assert.Equal(0, exitCode);
        return output.Split('\n', StringSplitOptions.RemoveEmptyEntries)[^1].Split(" (")[0];
    }

    private async Task<(string Output, int ExitCode)> RunAsync(string project, params string[] arguments)
    {
        var start = new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, "Ingot.Cli"), arguments)
        {
            WorkingDirectory = project,
            RedirectStandardOutput = true,
        };
        start.Environment["INGOT_HOME"] = fixture.Home;
        using var process = Process.Start(start)!;
        string output = await process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return (output, process.ExitCode);
    }
}

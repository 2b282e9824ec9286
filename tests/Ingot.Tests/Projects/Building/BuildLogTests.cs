using Ingot.Builds;
using Ingot.Oci.Content;
using Ingot.Plans;
using Ingot.Projects;
using Ingot.Projects.Building;
using Ingot.Testing;

namespace Ingot.Tests.Projects.Building;

public sealed class BuildLogTests : IDisposable
{
    private static readonly StepLabel s_first = new("web", 1, 2, "COPY . .");
    private static readonly StepLabel s_second = new("web", 2, 2, "RUN make");
    private static readonly Digest s_digest = Digest.Of("image"u8);

    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void WhatABuildSaidIsReadBack()
    {
        string id = Keep(log =>
        {
            log.Report(new BuildEvent.StepCached(s_first));
            log.Report(new BuildEvent.StepStarted(s_second, []));
            log.Report(new BuildEvent.StepOutput(s_second, "one\u001b[2J\r\n\u202etwo"));
            log.Report(new BuildEvent.StepFinished(s_second, TimeSpan.FromSeconds(1.5), 3));
            log.Report(new BuildEvent.ImageFinished("web", s_digest, 3));
        });

        var build = BuildLogs.TryRead(_directory.Root, id)!;

        Assert.Equal("shop", build.Project);
        Assert.Equal([new LoggedImage("web", s_digest)], build.Images);
        Assert.Equal(["web 1/2 cached", "web 2/2 finished"], build.Steps.Select(s => $"{s.Step} {s.Outcome}"));
        Assert.Equal(["one\u001b[2J\r\n\u202etwo"], build.Steps[1].Output);
        Assert.Equal(1.5, build.Steps[1].Seconds);
        Assert.DoesNotContain(File.ReadAllText(FileOf(id)), c => c != '\n' && char.IsControl(c));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(FileOf(id)));
    }

    [Fact]
    public void ABuildInWhichNothingRanLeavesNone()
    {
        Keep(log =>
        {
            log.Report(new BuildEvent.StepCached(s_first));
            log.Report(new BuildEvent.ImageFinished("web", s_digest, 3));
        });
        Assert.Empty(BuildLogs.Ids(_directory.Root));
    }

    [Fact]
    public void TheLogOfABuildThatWasKilledIsReadAsFarAsItGoes()
    {
        string id = Keep(log =>
        {
            log.Report(new BuildEvent.StepStarted(s_second, []));
            log.Report(new BuildEvent.StepOutput(s_second, "one"));
        });
        File.AppendAllText(FileOf(id),
            "\0\0\n[]\nnull\n{\"kind\":\"output\",\"step\":\"nobody 1/1\"}\n{\"kind\":\"output\",\"step\":\"web 2/2\",\"te");

        var step = Assert.Single(BuildLogs.TryRead(_directory.Root, id)!.Steps);

        Assert.Equal("stopped", step.Outcome);
        Assert.Equal(["one"], step.Output);
    }

    [Theory]
    [InlineData("")]
    [InlineData("{}")]
    [InlineData("not a log")]
    [InlineData("{\"kind\":\"image\",\"name\":\"web\",\"digest\":\"sha256:no\"}")]
    public void WhatIsNoLogIsNone(string text)
    {
        Directory.CreateDirectory(BuildLogs.DirectoryOf(_directory.Root));
        File.WriteAllText(FileOf("20260101T000000-00000000"), text);
        Assert.Null(BuildLogs.TryRead(_directory.Root, "20260101T000000-00000000"));
        Assert.Null(BuildLogs.Find(_directory.Root, _ => true));
    }

    [Fact]
    public void ALogThatCannotBeKeptDoesNotStopTheBuild()
    {
        File.WriteAllText(BuildLogs.DirectoryOf(_directory.Root), "a file is in its place");
        Keep(log =>
        {
            log.Report(new BuildEvent.StepStarted(s_second, []));
            log.Report(new BuildEvent.StepOutput(s_second, "one"));
            Assert.False(log.IsKept);
        });
    }

    [Fact]
    public void AFloodIsCut()
    {
        string id = Keep(log =>
        {
            log.Report(new BuildEvent.StepStarted(s_second, []));
            for (int i = 0; i < 70; i++)
                log.Report(new BuildEvent.StepOutput(s_second, new string('x', 1 << 20)));
            log.Report(new BuildEvent.StepFailed(s_second, TimeSpan.Zero));
        });

        var build = BuildLogs.TryRead(_directory.Root, id)!;

        Assert.True(build.IsCut);
        Assert.Equal("failed", build.Steps[0].Outcome);
        Assert.InRange(new FileInfo(FileOf(id)).Length, 60 << 20, 65 << 20);
    }

    // As it is in the file one of these characters is six.
    [Theory]
    [InlineData('\u001b')]
    [InlineData('\u202e')]
    public void AFloodOfWhatIsWrittenLongerIsCutToo(char character)
    {
        string id = Keep(log =>
        {
            log.Report(new BuildEvent.StepStarted(s_second, []));
            for (int i = 0; i < 30; i++)
                log.Report(new BuildEvent.StepOutput(s_second, new string(character, 1 << 19)));
            log.Report(new BuildEvent.StepFailed(s_second, TimeSpan.Zero));
        });

        Assert.True(BuildLogs.TryRead(_directory.Root, id)!.IsCut);
        Assert.InRange(new FileInfo(FileOf(id)).Length, 56 << 20, 65 << 20);
    }

    [Fact]
    public void TheOldestGoAndTheNewestStays()
    {
        Directory.CreateDirectory(BuildLogs.DirectoryOf(_directory.Root));
        foreach (int day in Enumerable.Range(1, 9))
            File.WriteAllText(FileOf($"2026010{day}T000000-00000000"), new string('x', 100));
        File.WriteAllText(Path.Combine(BuildLogs.DirectoryOf(_directory.Root), "other.log"), "not ours");

        BuildLogs.Prune(_directory.Root, maxLogs: 5);
        Assert.Equal(["20260109T000000-00000000", "20260108T000000-00000000"], BuildLogs.Ids(_directory.Root).Take(2));
        Assert.Equal(5, BuildLogs.Ids(_directory.Root).Count);
        BuildLogs.Prune(_directory.Root, maxBytes: 250);
        Assert.Equal(2, BuildLogs.Ids(_directory.Root).Count);
        BuildLogs.Prune(_directory.Root, maxBytes: 10);
        Assert.Single(BuildLogs.Ids(_directory.Root));
        Assert.True(File.Exists(Path.Combine(BuildLogs.DirectoryOf(_directory.Root), "other.log")));
    }

    private string Keep(Action<BuildLog> report)
    {
        var plan = new Plan { Project = "shop", Directory = "/srv/shop", Stages = [], Images = [], Platform = Platform.Host };
        using var log = new BuildLog(_directory.Root, plan, TimeProvider.System);
        report(log);
        return log.Id;
    }

    private string FileOf(string id) => Path.Combine(BuildLogs.DirectoryOf(_directory.Root), id + BuildLog.Extension);
}

using Ingot.Diagnostics;
using Ingot.Templates.Dockerfile;
using Ingot.Templates.Project;
using Ingot.Testing;

namespace Ingot.Tests.Templates;

/// <summary>The files that newcomers meet first have nothing to complain of.</summary>
public sealed class ExampleTests
{
    private static readonly string s_shop = Path.Combine(Repository.Root, "examples", "shop");

    [Fact]
    public void TheShopsProjectIsRead()
    {
        var diagnostics = new DiagnosticBag();

        var project = ProjectParser.Parse(Read("ingot.yaml"), diagnostics);

        Assert.Empty(diagnostics);
        Assert.NotNull(project);
        Assert.Equal(["base", "web"], project.Images.Select(image => image.Name));
        Assert.Equal(["test", "staging", "production"], project.Stages.Select(stage => stage.Name));
        Assert.All(project.Stages, stage => Assert.Null(stage.Approvals));
        var web = Assert.IsType<DockerfileImage>(project.Images[1]);
        Assert.Contains(new KeyValuePair<string, string>("VERSION", web.Version!), web.Arguments);
        Assert.Contains(new KeyValuePair<string, string>("FAIL_PERCENT", "0"), web.Arguments);
        Assert.All([web.Dockerfile, .. web.Tests], file => Assert.True(File.Exists(Path.Combine(s_shop, file)), file));
        var service = Assert.Single(project.Services);
        Assert.Equal([10, 50], service.Rollout.Canary);
        Assert.Equal(0.1, service.Rollout.Detect);
        Assert.Equal("127.0.0.1:8080", service.Listen["production"].ToString());
    }

    [Fact]
    public void TheShopsDockerfileIsRead()
    {
        var diagnostics = new DiagnosticBag();

        DockerfileParser.Parse(Read("web/Dockerfile"), diagnostics);

        Assert.Empty(diagnostics);
    }

    // As the walk-through says, two versions and a broken one are made with sed: each edit must find what it looks for.
    [Theory]
    [InlineData("version: 1.0.0")]
    [InlineData("VERSION: 1.0.0")]
    [InlineData("FAIL_PERCENT: \"0\"")]
    [InlineData("production: { gates: [claims-hold], target: docker }")]
    public void TheEditsOfTheWalkThroughFindTheirText(string text) =>
        Assert.Contains(text, Read("ingot.yaml").Text, StringComparison.Ordinal);

    private static SourceText Read(string file) => new(file, File.ReadAllText(Path.Combine(s_shop, file)));
}

using System.Globalization;
using System.Text;
using Ingot.Diagnostics;
using Ingot.Templates.Project;

namespace Ingot.Tests.Templates;

public class ProjectVectorTests
{
    private const string Area = "project";

    public static TheoryData<string> Names => Vector.Names(Area);

    [Theory]
    [MemberData(nameof(Names))]
    public void EveryVectorIsReadAsItSays(string name)
    {
        var vector = Vector.Read(Area, name);
        DiagnosticBag diagnostics = [];
        var project = ProjectParser.Parse(new SourceText("ingot.yaml", vector.Input), diagnostics);
        vector.Check(Area, DockerfileVectorTests.Print(diagnostics) + (project is null ? "" : Print(project)));
        Assert.Equal(diagnostics.HasErrors, project is null);
    }

    [Theory]
    [InlineData("staging", "ALL=x LOG_LEVEL=debug")]
    [InlineData("live", "ALL=x LOG_LEVEL=info ONLY=")]
    [InlineData("test", "ALL=x")]
    [InlineData("no-such-stage", "ALL=x")]
    public void AStageHasItsOwnValuesOfVariables(string stage, string expected)
    {
        var project = ProjectParser.Parse(new SourceText("ingot.yaml", Vector.Read(Area, "config_for_stages").Input), [])!;
        Assert.Equal(expected, string.Join(' ', project.Services[0].ConfigOf(stage).Select(v => $"{v.Key}={v.Value}")));
    }

    [Fact]
    public void HostileVectorsOutnumberGoodOnes()
    {
        int refused = Vector.All(Area).Count(vector => vector.Expected.StartsWith("error ", StringComparison.Ordinal));
        Assert.True(refused > Names.Count / 2, $"{refused} of {Names.Count} are refused");
    }

    private static string Print(ProjectDefinition project)
    {
        StringBuilder text = new($"project {project.Name}{Print(project.Epoch)}{Print(project.Compression)}\n");
        foreach (var image in project.Images)
            Print(text, image);
        foreach (var service in project.Services)
            Print(text, service);
        foreach (var stage in project.Stages)
            Print(text, stage);
        return text.ToString();
    }

    private static string Print(EpochDefinition? epoch) =>
        epoch is null ? "" : $" epoch {epoch.Time?.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture) ?? "of commit"}";

    private static string Print(CompressionDefinition? compression) =>
        compression is null ? "" : $" compressed with {compression.Name} at {compression.Span.Line}:{compression.Span.Column}";

    private static void Print(StringBuilder text, ImageDefinition image)
    {
        text.Append(CultureInfo.InvariantCulture, $"image {image.Name} {image.Span.Line}:{image.Span.Column}+{image.Span.Length}");
        text.Append(image switch
        {
            DebianImage debian => $" debian {debian.Suite} "
                + $"[{string.Join(", ", debian.Packages)}]{(debian.Mirror is null ? "" : " from " + debian.Mirror)}"
                + $"{(debian.KeepsDocumentation ? " with documentation" : "")}",
            DockerfileImage file => $" dockerfile {file.Dockerfile} in {file.Context}{(file.Target is null ? "" : " to " + file.Target)} "
                + $"[{string.Join(", ", file.Arguments.Select(a => $"{a.Key}={Vector.Quote(a.Value)}"))}]",
            _ => throw new InvalidOperationException(image.GetType().Name),
        });
        text.Append(CultureInfo.InvariantCulture, $" version {image.Version ?? "none"} tests [{string.Join(", ", image.Tests)}] claims "
            + $"[{string.Join(", ", image.Claims)}]{Print(image.Epoch)}{Print(image.Compression)}"
            + $"{(image.Processors is null ? "" : $" processors {image.Processors}")}"
            + $"{(image.RulesOff.Count == 0 ? "" : $" without [{string.Join(", ", image.RulesOff)}]")}\n");
    }

    private static void Print(StringBuilder text, ServiceDefinition service)
    {
        var (health, limits, rollout) = (service.Health, service.Limits, service.Rollout);
        text.Append(CultureInfo.InvariantCulture, $"service {service.Name} {service.Span.Line}:{service.Span.Column}+{service.Span.Length} "
            + $"runs {service.Image} port {service.Port}\n");
        text.Append(CultureInfo.InvariantCulture, $"  listen {Pairs(service.Listen)} replicas {Pairs(service.Replicas)}\n");
        text.Append(CultureInfo.InvariantCulture, $"  health {health.Path} every {health.Interval} for {health.Timeout} healthy "
            + $"{health.Healthy} unhealthy {health.Unhealthy} deadline "
            + $"{health.Deadline}{(service.RequestTimeout is { } time ? $" request {time}" : "")}\n");
        text.Append(CultureInfo.InvariantCulture, $"  config {Pairs(service.Config)}{Print(service.StageConfig)} writable "
            + $"{Pairs(service.Writable)} limits {limits.Memory} {limits.Cpus} {limits.Pids}\n");
        text.Append(CultureInfo.InvariantCulture, $"  rollout [{string.Join(", ", rollout.Canary)}] observe {rollout.Observe} deadline "
            + $"{rollout.StepDeadline} drain {rollout.Drain} failed {rollout.FailedRequests}");
        text.Append(CultureInfo.InvariantCulture,
            $" detect {rollout.Detect} synthetic {(rollout.Synthetic is { } s ? $"{s.Path} {s.Rate}" : "none")} keep {rollout.Keep}\n");
    }

    private static string Print(IReadOnlyDictionary<string, IReadOnlyDictionary<string, string>> stages) =>
        string.Concat(stages.Select(variable => $" {variable.Key} {Pairs(variable.Value)}"));

    private static void Print(StringBuilder text, StageDefinition stage)
    {
        text.Append(CultureInfo.InvariantCulture, $"stage {stage.Name} {stage.Span.Line}:{stage.Span.Column}+{stage.Span.Length} gates "
            + $"[{string.Join(", ", stage.Gates)}] target {stage.Target ?? "none"} soak {stage.Soak}");
        text.Append(CultureInfo.InvariantCulture,
            $" approvals {(stage.Approvals is { } a ? $"{a.Count} of [{string.Join(", ", a.From)}]" : "none")}\n");
    }

    private static string Pairs<T>(IReadOnlyDictionary<string, T> pairs) =>
        $"[{string.Join(", ", pairs.Select(p => $"{p.Key}={p.Value}"))}]";
}

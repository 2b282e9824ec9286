using System.Text;
using System.Text.RegularExpressions;
using Ingot.Diagnostics;
using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Plans;
using Ingot.Templates.Project;
using Ingot.Tests.Templates;

namespace Ingot.Tests.Plans;

/// <summary>The files of a project, each after a line <c>-- name --</c>; then diagnostics, plan and configurations. A line
/// <c>argument NAME=value</c>, or <c>context NAME=value</c>, before the first file is one of the command line's.</summary>
public sealed partial class PlanVectorTests : IDisposable
{
    private const string Area = "plan";

    private readonly string _directory = Directory.CreateTempSubdirectory("ingot-plan-").FullName;

    public static TheoryData<string> Names => Vector.Names(Area);

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Theory]
    [MemberData(nameof(Names))]
    public async Task EveryVectorIsPlannedAsItSays(string name)
    {
        var vector = Vector.Read(Area, name);
        WriteFiles(vector.Input);
        var diagnostics = new DiagnosticBag();
        var plan = await PlanAsync(vector.Input, diagnostics);
        Assert.Equal(diagnostics.HasErrors, plan is null);
        vector.Check(Area, DockerfileVectorTests.Print(diagnostics) + (plan is null ? "" : Print(plan)));
    }

    private async Task<Plan?> PlanAsync(string input, DiagnosticBag diagnostics)
    {
        var project = ProjectParser.Parse(
            new SourceText("ingot.yaml", await File.ReadAllTextAsync(Path.Combine(_directory, "ingot.yaml"))), diagnostics);
        Assert.NotNull(project);
        return await Planner.PlanAsync(project, new PlanSettings
        {
            Directory = _directory,
            Targets = [.. Given(input, "target").Select(g => g.Name)],
            Options = new PlanOptions
            {
                Platform = new Platform { Os = "linux", Architecture = "amd64" },
                Arguments = [.. Given(input, "argument").Select(g => KeyValuePair.Create(g.Name, g.Value))],
                Contexts = Given(input, "context").ToDictionary(g => g.Name, g => g.Value),
            },
            FindImage = (reference, _, _) => Task.FromResult(reference == "tools:1" ? Tools() : null),
        }, diagnostics);
    }

    private static StoredImage Tools() => new(Digest.Of("tools"u8), new ImageConfig
    {
        Architecture = "amd64",
        Os = "linux",
        RootFs = new RootFileSystem { DiffIds = [] },
        Config = new ContainerConfig { Env = ["PATH=/opt/tools", "TOOL=saw"], WorkingDir = "/opt", User = "worker", Cmd = ["tool"] },
        History = [new HistoryEntry { CreatedBy = "made elsewhere" }],
    });

    private void WriteFiles(string input)
    {
        string? name = null;
        var text = new StringBuilder();
        foreach (var line in input.Split('\n').Append("-- end --"))
        {
            if (FileHead().Match(line) is not { Success: true } head)
            {
                text.Append(line).Append('\n');
                continue;
            }

            if (name is not null)
            {
                string path = Path.Combine(_directory, name);
                Directory.CreateDirectory(Path.GetDirectoryName(path)!);
                File.WriteAllText(path, text.ToString());
            }

            name = head.Groups["name"].Value;
            text.Clear();
        }
    }

    private static IEnumerable<(string Name, string Value)> Given(string input, string kind) => input.Split('\n')
        .TakeWhile(line => !FileHead().IsMatch(line))
        .Where(line => line.StartsWith(kind + " ", StringComparison.Ordinal))
        .Select(line => line[(kind.Length + 1)..].Split('=', 2))
        .Select(pair => (pair[0], pair.Length > 1 ? pair[1] : ""));

    private static string Print(Plan plan)
    {
        var text = new StringBuilder(plan.ToString());
        foreach (var image in plan.Images)
        {
            var config = new ImageConfig
            {
                Architecture = "",
                Os = "",
                RootFs = new RootFileSystem { DiffIds = [] },
                Config = plan.Stage(image.Stage).Config,
            };
            string json = Encoding.UTF8.GetString(ImageJson.Write(config));
            int start = json.IndexOf("\"config\":", StringComparison.Ordinal) + "\"config\":".Length;
            text.Append("config ").Append(image.Name).Append(' ')
                .Append(json[start..json.IndexOf(",\"rootfs\"", StringComparison.Ordinal)]).Append('\n');
        }

        return text.ToString();
    }

    [GeneratedRegex("^-- (?<name>[^ ]+) --$")]
    private static partial Regex FileHead();
}

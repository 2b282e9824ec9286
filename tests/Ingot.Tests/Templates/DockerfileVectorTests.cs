using System.Globalization;
using System.Text;
using Ingot.Diagnostics;
using Ingot.Templates.Dockerfile;

namespace Ingot.Tests.Templates;

public class DockerfileVectorTests
{
    private const string Area = "dockerfile";

    public static TheoryData<string> Names => Vector.Names(Area);

    [Theory]
    [MemberData(nameof(Names))]
    public void EveryVectorIsReadAsItSays(string name)
    {
        var vector = Vector.Read(Area, name);
        DiagnosticBag diagnostics = [];
        var syntax = DockerfileParser.Parse(new SourceText("Dockerfile", vector.Input), diagnostics);
        vector.Check(Area, Print(diagnostics) + (diagnostics.HasErrors ? "" : Print(syntax)));
    }

    [Fact]
    public void HostileVectorsOutnumberGoodOnes()
    {
        int refused = Vector.All(Area).Count(vector => vector.Expected.StartsWith("error ", StringComparison.Ordinal));
        Assert.True(refused > Names.Count / 2, $"{refused} of {Names.Count} are refused");
    }

    internal static string Print(DiagnosticBag diagnostics)
    {
        StringBuilder text = new();
        foreach (var diagnostic in diagnostics)
        {
            string where = diagnostic.Span is { } span ? $" {span.Line}:{span.Column}+{span.Length}" : "";
            string path = diagnostic.Path is null ? "" : $" {diagnostic.Path}";
            string detail = diagnostic.Detail is null ? "" : $" ({diagnostic.Detail})";
            text.Append(CultureInfo.InvariantCulture, $"{(diagnostic.Severity == Severity.Error ? "error" : "warning")}{where}{path} "
                + $"{diagnostic.Code}: {diagnostic.Summary}{detail}\n");
        }

        return text.ToString();
    }

    private static string Print(DockerfileSyntax syntax)
    {
        StringBuilder text = new();
        if (syntax.Check is { } check)
            text.Append(CultureInfo.InvariantCulture, $"check skip [{string.Join(", ", check.Skip)}] experimental "
                + $"[{string.Join(", ", check.Experimental)}] error {check.Error} at "
                + $"{check.Span.Line}:{check.Span.Column}+{check.Span.Length}\n");
        foreach (var empty in syntax.EmptyContinuations)
            text.Append(CultureInfo.InvariantCulture, $"empty continuation at {empty.Line}\n");
        if (syntax.Escape != '\\')
            text.Append(CultureInfo.InvariantCulture, $"escape {syntax.Escape}\n");
        foreach (var argument in syntax.GlobalArguments)
            Print(text, "", argument);
        foreach (var stage in syntax.Stages)
        {
            Print(text, "", stage.From);
            foreach (var instruction in stage.Instructions)
                Print(text, "  ", instruction);
        }

        return text.ToString();
    }

    private static void Print(StringBuilder text, string indent, Instruction instruction)
    {
        text.Append(CultureInfo.InvariantCulture,
            $"{indent}{instruction.Span.Line}:{instruction.Span.Column}+{instruction.Span.Length} {instruction.Text}\n");
        foreach (string line in Parts(instruction))
            text.Append(CultureInfo.InvariantCulture, $"{indent}  {line}\n");
    }

    private static IEnumerable<string> Parts(Instruction instruction) => instruction switch
    {
        FromInstruction from => [Line("image", from.Image), .. Maybe("platform", from.Platform),
            .. from.StageName is null ? Array.Empty<string>() : [$"name {from.StageName}"]],
        ArgInstruction arg => arg.Arguments.Select(a => a.Default is null ? $"arg {a.Name}" : $"arg {a.Name} = {At(a.Default)}"),
        EnvInstruction env => env.Variables.Select(v => $"env {At(v.Name)} = {At(v.Value)}"),
        LabelInstruction label => label.Labels.Select(v => $"label {At(v.Name)} = {At(v.Value)}"),
        RunInstruction run => [Command(run.Command), .. run.Heredocs.Select(Document),
            .. run.Script is null ? Array.Empty<string>() : [$"script {run.Script.Name}"],
            .. run.Mounts.Select(Mount), .. Maybe("network", run.Network), .. Maybe("security", run.Security)],
        CmdInstruction cmd => [Command(cmd.Command)],
        EntrypointInstruction entrypoint => [Command(entrypoint.Command)],
        CopyInstruction copy => [.. Transfer(copy), .. Maybe("from", copy.From), .. copy.Parents ? ["parents"] : Array.Empty<string>()],
        AddInstruction add => [.. Transfer(add), .. Maybe("checksum", add.Checksum),
            .. add.KeepGitDirectory ? ["keep git directory"] : Array.Empty<string>(),
            .. add.Unpack is { } unpack ? [$"unpack {unpack}"] : Array.Empty<string>()],
        ShellInstruction shell => [$"shell [{string.Join(", ", shell.Shell.Select(Vector.Quote))}]"],
        StopsignalInstruction stop => [Line("signal", stop.Signal)],
        VolumeInstruction volume => volume.Paths.Select(path => Line("path", path)),
        OnbuildInstruction onbuild => [$"trigger {Vector.Quote(onbuild.Trigger)}"],
        MaintainerInstruction maintainer => [Line("name", maintainer.Name)],
        WorkdirInstruction workdir => [Line("path", workdir.Path)],
        UserInstruction user => [Line("user", user.User)],
        ExposeInstruction expose => expose.Ports.Select(port => Line("port", port)),
        HealthcheckInstruction check => [check.Command is null ? "none" : Command(check.Command), .. Options(check)],
        _ => throw new InvalidOperationException(instruction.GetType().Name),
    };

    private static IEnumerable<string> Transfer(TransferInstruction transfer) =>
    [
        .. transfer.Sources.Select(s => Line("source", s)), .. transfer.Heredocs.Select(Document), Line("destination",
            transfer.Destination),
        .. Maybe("chown", transfer.Chown), .. Maybe("chmod", transfer.Chmod), .. transfer.Link ? ["link"] : Array.Empty<string>(),
        .. transfer.Exclude.Select(pattern => Line("exclude", pattern)),
    ];

    private static string Mount(MountSyntax mount) =>
        $"mount {mount.Span.Line}:{mount.Span.Column}+{mount.Span.Length} "
        + $"{string.Join(", ", mount.Options.Select(option => option.Value is null ? option.Key : $"{option.Key}={At(option.Value)}"))}";

    private static IEnumerable<string> Options(HealthcheckInstruction check)
    {
        (string Name, object? Value)[] options =
            [("interval", check.Interval), ("timeout", check.Timeout), ("start-period", check.StartPeriod),
                ("start-interval", check.StartInterval), ("retries", check.Retries)];
        return options.Where(option => option.Value is not null).Select(option => $"{option.Name} {option.Value}");
    }

    private static string Command(CommandLine command) =>
        command.Shell is not null
            ? $"shell {Vector.Quote(command.Shell)}"
            : $"exec [{string.Join(", ", command.Exec!.Select(Vector.Quote))}]";

    private static string Document(Heredoc document) =>
        $"document {document.Name}{(document.Expand ? "" : " literal")} {document.Span.Line}:{document.Span.Column}+{document.Span.Length} "
        + $"{Vector.Quote(document.Content)}";

    private static IEnumerable<string> Maybe(string name, Word? word) => word is null ? [] : [Line(name, word)];

    private static string Line(string name, Word word) => $"{name} {At(word)}";

    private static string At(Word word) => $"{Vector.Quote(word.Text)}@{word.Span.Line}:{word.Span.Column}+{word.Span.Length}";
}

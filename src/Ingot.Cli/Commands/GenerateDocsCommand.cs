using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Schema;
using System.Text.Json.Serialization.Metadata;
using Ingot.Cli.Output;
using Ingot.Server.Api;

namespace Ingot.Cli.Commands;

/// <summary>Writes the documents that are made from the program: the commands, and the shapes of their JSON. Not for users:
/// <c>scripts/generate-docs</c> calls it.</summary>
internal static class GenerateDocsCommand
{
    private static readonly (string Name, JsonTypeInfo Type)[] s_shapes =
    [
        ("build", ReportJson.Default.BuildReport),
        ("build-check", CheckJson.Default.CheckReport),
        ("images", ReportJson.Default.ImagesReport),
        ("inspect", ReportJson.Default.InspectReport),
        ("images-verify", ImageJsonOutput.Default.VerifyStoreReport),
        ("history", ImageJsonOutput.Default.HistoryReport),
        ("reproduce", ReproductionJson.Default.ReproductionReport),
        ("diff", ImageJsonOutput.Default.DiffReport),
        ("import", ImageJsonOutput.Default.ImportReport),
        ("export", ImageJsonOutput.Default.ExportReport),
        ("transfer", ImageJsonOutput.Default.TransferReport),
        ("test", ReportJson.Default.TestReply),
        ("scan", ReportJson.Default.ScanReport),
        ("status", ApiJson.Default.StatusReply),
        ("ps", PsJson.Default.PsReport),
        ("logs", ApiJson.Default.LogLineReply),
        ("up", UpJson.Default.UpReport),
        ("up-dry-run", UpJson.Default.UpPreviewReport),
        ("explain", ApiJson.Default.DecisionReply),
        ("rollout", ApiJson.Default.RolloutReply),
        ("log-show", ApiJson.Default.LogReply),
        ("log-verify", ApiJson.Default.VerifyReply),
        ("logs-build", BuildLogReportJson.Default.BuildLogReport),
        ("prune", PruneJson.Default.PruneReport),
        ("doctor", DoctorJson.Default.DoctorReport),
        ("init", InitJson.Default.InitReport),
        ("version", VersionJson.Default.VersionReport),
        ("keys", ApiJson.Default.KeysReply),
        ("error", OutputJson.Default.ErrorDocument),
    ];

    public static Command Create(Binder bind)
    {
        var directory = new Argument<string>("DIR");
        var command = new Command("generate-docs", "Write the documents that are generated from the program") { directory };
        command.Hidden = true;
        command.SetAction(bind((context, result, _) =>
        {
            string target = context.Resolve(result.GetRequiredValue(directory));
            string schemas = Path.Combine(target, "schemas");
            Directory.CreateDirectory(schemas);
            CommandPage[] pages = [.. CommandPage.Of(result.RootCommandResult.Command)];
            File.WriteAllText(Path.Combine(target, "cli.md"), Commands(pages));
            string manual = Directory.CreateDirectory(Path.Combine(target, "man")).FullName;
            foreach (var (file, text) in ManualPages.Of(pages))
                File.WriteAllText(Path.Combine(manual, file), text);
            foreach (var (name, type) in s_shapes)
                File.WriteAllText(Path.Combine(schemas, name + ".schema.json"), Schema(name, type));
            return Task.FromResult(ExitCode.Done);
        }));
        return command;
    }

    private static string Schema(string name, JsonTypeInfo type)
    {
        var node = type.GetJsonSchemaAsNode(new JsonSchemaExporterOptions
        {
            TreatNullObliviousAsNonNullable = true,
            TransformSchemaNode = (context, schema) => (context.TypeInfo.Type == typeof(Oci.Content.Digest)
                || context.TypeInfo.Type == typeof(Oci.Content.Digest?))
                ? JsonNode.Parse("""{"type":"string","pattern":"^sha256:[0-9a-f]{64}$"}""")!
                : schema,
        });
        var document = node.AsObject();
        document.Insert(0, "$schema", "https://json-schema.org/draft/2020-12/schema");
        document.Insert(1, "title", $"ingot: the JSON of '{name}'");
        return document.ToJsonString(new JsonSerializerOptions
        {
            WriteIndented = true,
            IndentSize = 2,
            Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        })
            + "\n";
    }

    private static string Commands(IReadOnlyList<CommandPage> pages)
    {
        var text = new StringBuilder("# Commands\n\n*Generated from the program by `scripts/generate-docs`; change that instead.*\n\n");
        text.Append("`--output json` prints data as JSON, in the shapes of `docs/schemas/`, and every error too.\n");
        text.Append(
            "An option that a command does not have is an error; put `--` before an argument that begins with a dash.\n");
        text.Append("\n| Exit code | Meaning |\n|---|---|\n");
        foreach (var (code, meaning) in ExitCode.All)
            text.Append(CultureInfo.InvariantCulture, $"| {code} | {meaning} |\n");
        text.Append("\n## Every command\n");
        Rows(text, [], pages[0].Options.Where(o => o.Recursive));
        foreach (var page in pages.Where(p => p.Path.Length > 0 && !p.IsGroup))
        {
            text.Append($"\n## ingot {page.Path}{page.Arguments}\n\n{page.Command.Description}.\n");
            Rows(text, page.Command.Arguments, page.Options);
        }

        return text.ToString();
    }

    private static void Rows(StringBuilder text, IEnumerable<Argument> arguments, IEnumerable<Option> options)
    {
        string[] rows =
        [
            .. arguments.Select(a => $"| `{a.Name}` | {a.Description} |"),
            .. options.Select(o => $"| {Names(o)} | {o.Description}{(o.Required ? " (required)" : "")} |"),
        ];
        if (rows.Length > 0)
            text.Append("\n| | |\n|---|---|\n").Append(string.Join('\n', rows)).Append('\n');
    }

    private static string Names(Option option)
    {
        string value = CommandPage.Value(option).Replace("|", "\\|", StringComparison.Ordinal);
        return string.Join(", ", CommandPage.NamesOf(option).Select(name => $"`{name}{value}`"));
    }
}

using System.CommandLine;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Schema;
using System.Text.Json.Serialization.Metadata;
using Ingot.Cli.Output;
using Ingot.Server.Api;

namespace Ingot.Cli.Commands;

/// <summary>Writes the documents that are made from the program: the commands, and the shapes of their JSON. Not for users: <c>scripts/generate-docs</c> calls it.</summary>
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
        ("explain", ApiJson.Default.DecisionReply),
        ("rollout", ApiJson.Default.RolloutReply),
        ("log-show", ApiJson.Default.LogReply),
        ("log-verify", ApiJson.Default.VerifyReply),
        ("logs-build", BuildLogReportJson.Default.BuildLogReport),
        ("prune", PruneJson.Default.PruneReport),
        ("doctor", DoctorJson.Default.DoctorReport),
        ("keys", ApiJson.Default.KeysReply),
        ("error", OutputJson.Default.ErrorDocument),
    ];

    public static Command Create(Binder bind)
    {
        var directory = new Argument<string>("DIR");
        var command = new Command("generate-docs", "Write the documents that are made from the program") { directory };
        command.Hidden = true;
        command.SetAction(bind((context, result, _) =>
        {
            string target = context.Resolve(result.GetRequiredValue(directory));
            string schemas = Path.Combine(target, "schemas");
            Directory.CreateDirectory(schemas);
            File.WriteAllText(Path.Combine(target, "cli.md"), Commands(result.RootCommandResult.Command));
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
            TransformSchemaNode = (context, schema) => (context.TypeInfo.Type == typeof(Oci.Content.Digest) || context.TypeInfo.Type == typeof(Oci.Content.Digest?))
                ? JsonNode.Parse("""{"type":"string","pattern":"^sha256:[0-9a-f]{64}$"}""")!
                : schema,
        });
        var document = node.AsObject();
        document.Insert(0, "$schema", "https://json-schema.org/draft/2020-12/schema");
        document.Insert(1, "title", $"ingot: the JSON of '{name}'");
        return document.ToJsonString(new JsonSerializerOptions { WriteIndented = true, IndentSize = 2, Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping }) + "\n";
    }

    private static string Commands(Command root)
    {
        var text = new StringBuilder("# Commands\n\n*Made by `scripts/generate-docs` from the program; change that.*\n\n");
        text.Append("`-C DIR` before any command chooses the project's directory; `--output json` prints data as JSON, in the shapes of `docs/schemas/`.\n");
        text.Append("Exit codes: 0 done; 1 the answer is no; 2 the input is wrong; 3 the environment is wrong.\n");
        foreach (var command in root.Subcommands.Where(c => !c.Hidden))
            Describe(text, "ingot", command);
        return text.ToString();
    }

    private static void Describe(StringBuilder text, string path, Command command)
    {
        path = $"{path} {command.Name}";
        if (command.Subcommands.Count > 0)
        {
            foreach (var sub in command.Subcommands)
                Describe(text, path, sub);
            return;
        }

        string arguments = string.Concat(command.Arguments.Select(a => a.Arity.MinimumNumberOfValues == 0 ? $" [{a.Name}]" : $" {a.Name}"));
        text.Append('\n').Append("## ").Append(path).Append(arguments).Append("\n\n").Append(command.Description).Append(".\n");
        if (command.Arguments.Count + command.Options.Count > 0)
            text.Append("\n| | |\n|---|---|\n");
        foreach (var argument in command.Arguments)
            text.Append("| `").Append(argument.Name).Append("` | ").Append(argument.Description).Append(" |\n");
        foreach (var option in command.Options.Where(o => o is not System.CommandLine.Help.HelpOption))
            text.Append("| `").Append(option.Name).Append(option.HelpName is null ? "" : " " + option.HelpName).Append("` | ").Append(option.Description).Append(option.Required ? " (required)" : "").Append(" |\n");
    }
}

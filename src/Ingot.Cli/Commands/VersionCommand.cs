using System.CommandLine;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Text.Json.Serialization;

namespace Ingot.Cli.Commands;

/// <summary><c>ingot version</c>.</summary>
internal static class VersionCommand
{
    public static Command Create(Binder bind)
    {
        var command = new Command("version", "The version of this program, the commit it was built from, and what it runs on");
        command.SetAction(bind((context, _, _) =>
        {
            var report = new VersionReport(
                Application.Version, Commit, RuntimeInformation.FrameworkDescription, RuntimeInformation.RuntimeIdentifier);
            if (!context.Terminal.TryJson(report, VersionJson.Default.VersionReport))
            {
                context.Terminal.Line($"ingot    {report.Version}");
                context.Terminal.Line($"commit   {report.Commit ?? "not known: this is a development build"}");
                context.Terminal.Line($"runtime  {report.Runtime}, {report.Platform}");
            }

            return Task.FromResult(ExitCode.Done);
        }));
        return command;
    }

    private static string? Commit => typeof(VersionCommand).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
        .FirstOrDefault(a => a.Key == "Commit")?.Value is { Length: > 0 } commit ? commit : null;
}

/// <summary>What <c>ingot version --output json</c> prints.</summary>
internal sealed record VersionReport(string Version, string? Commit, string Runtime, string Platform);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(VersionReport))]
internal sealed partial class VersionJson : JsonSerializerContext;

using System.CommandLine;
using System.Text.Json.Serialization;
using Ingot.Builds;
using Ingot.Builds.Reproduction;
using Ingot.Cli.Output;
using Ingot.Diagnostics;
using Ingot.Evidence;
using Ingot.Oci.Content;
using Ingot.Oci.Layers.Compression;
using Ingot.Projects.Recipes;
using Ingot.Projects.Reproduction;

namespace Ingot.Cli.Commands;

/// <summary><c>ingot reproduce IMAGE</c>.</summary>
internal static class ReproduceCommand
{
    public static Command Create(Binder bind)
    {
        var name = new Argument<string>("IMAGE")
        {
            Description = "An image that was built on this host, or one in a registry with signed provenance: name[:tag][@digest]",
        };
        var times = new Option<int>("--times") { Description = "How many times to build it", DefaultValueFactory = _ => 1, HelpName = "N" };
        var symbols = new StepAccessSymbols();
        var insecure = Symbols.InsecureRegistry();
        var command = new Command("reproduce", "Build an image again from its record or its signed provenance and compare: "
            + "differences are reported with file, instruction, cause and cure; a match is signed")
        {
            name, times, symbols.Secrets, symbols.Ssh, symbols.Allow, insecure,
        };
        command.SetAction(bind(async (context, result, cancellationToken) =>
        {
            var access = symbols.Read(result, context.Directory);
            string[] plain = result.GetValue(insecure) ?? [];
            var subject = await new ReproductionSubjects(context.Host, context.LocalImages, plain)
                .FindAsync(result.GetRequiredValue(name), cancellationToken);
            CheckAccess(subject.Recipe, access);
            return await RunAsync(context, subject, access, plain, Math.Clamp(result.GetValue(times), 1, 1000), cancellationToken);
        }));
        return command;
    }

    // Without them the build could succeed, and be another.
    private static void CheckAccess(BuildRecipe recipe, StepAccess access)
    {
        List<string> lacking =
        [
            .. recipe.Secrets.Where(id => !access.Secrets.ContainsKey(id)).Select(id => $"--secret id={id},src=FILE"),
            .. recipe.SshAgents.Where(id => !access.SshAgents.ContainsKey(id)).Select(id => $"--ssh {id}"),
            .. recipe.Allow
                .Where(right => !(right == StepAccess.InsecureEntitlement ? access.AllowInsecure : access.AllowHostNetwork))
                .Select(right => $"--allow {right}"),
        ];
        if (lacking.Count > 0)
            throw new InvalidInputException("reproduce-lacks", "the image was built with secrets or rights that are not given now",
                $"add: {string.Join(' ', lacking)}");
    }

    private static async Task<int> RunAsync(
        CommandContext context, ReproductionSubject subject, StepAccess access, IReadOnlyList<string> insecure, int times,
        CancellationToken cancellationToken)
    {
        var found = subject.Image;
        await using var scratch = await ScratchDirectory.CreateAsync(Path.Combine(context.Home.Work, "reproductions"),
            "run", cancellationToken);
        var reproduction = new ImageReproduction(context.Host, subject, scratch.Path, context.Directory, access) { Insecure = insecure };
        var comparison = ImageComparison.Equal;
        int runs = 0;
        while (runs < times && comparison.IsEqual)
            comparison = await reproduction.BuildAsync(++runs, cancellationToken);

        if (comparison.IsEqual)
            await reproduction.SignAsync(runs, cancellationToken);
        foreach (string other in comparison.IsEqual ? [] : OtherHere(subject.Recipe))
            context.Terminal.Progress($"compare  {other}");
        var report = new ReproductionReport(found.Name, found.Descriptor.Digest, comparison.IsEqual, runs, reproduction.Sources,
            [.. comparison.Differences.Select(ReproductionDifference.Of)])
        {
            More = comparison.More,
            Signer = subject.Signer,
        };
        if (!context.Terminal.TryJson(report, ReproductionJson.Default.ReproductionReport))
            Print(context.Terminal, report);
        return comparison.IsEqual ? ExitCode.Done : ExitCode.No;
    }

    /// <summary>What made the image and is another here: it may be why the two differ.</summary>
    internal static IEnumerable<string> OtherHere(BuildRecipe recipe)
    {
        if (recipe.Ingot is { } version && version != Application.Version)
            yield return $"the image was built by ingot {version}, this is {Application.Version}";
        if (LayerCompression.Find(recipe.Codec.Split(' ')[0])?.Codec is { } codec && codec != recipe.Codec)
            yield return $"its layers were compressed by '{recipe.Codec}', and here by '{codec}': the same files may have other bytes";
    }

    private static void Print(Terminal terminal, ReproductionReport report)
    {
        if (report.Reproduced)
        {
            terminal.Line($"{report.Image} is {report.Digest} again, {(report.Runs == 1 ? "built once" : $"each of {report.Runs} times")} "
                + $"from {report.Sources}");
            return;
        }

        terminal.Line($"{report.Image} came out different, built from {report.Sources}:");
        string? layer = null;
        foreach (var difference in report.Differences)
        {
            if (difference.Instruction is { } instruction && instruction != layer)
                terminal.Line($"  made by {instruction}");
            layer = difference.Instruction;
            Print(terminal, difference);
        }

        if (report.More > 0)
            terminal.Line($"  and {report.More} more");
    }

    private static void Print(Terminal terminal, ReproductionDifference difference)
    {
        terminal.Line($"    {(difference.Path.Length == 0 ? "the image" : "/" + difference.Path)}: {difference.What} ({difference.Cause})");
        terminal.Line($"      was {difference.Before}");
        terminal.Line($"      is  {difference.After}");
        if (difference.Reason is not null)
            terminal.Line($"      {difference.Reason}");
        if (difference.Cure is not null)
            terminal.Line($"      cure: {difference.Cure}");
    }
}

/// <summary>What <c>reproduce</c> found.</summary>
internal sealed record ReproductionReport(
    [property: JsonPropertyName("image")] string Image,
    [property: JsonPropertyName("digest")] Digest Digest,
    [property: JsonPropertyName("reproduced")] bool Reproduced,
    [property: JsonPropertyName("runs")] int Runs,
    [property: JsonPropertyName("sources")] string Sources,
    [property: JsonPropertyName("differences")] IReadOnlyList<ReproductionDifference> Differences)
{
    /// <summary>How many more differences there are.</summary>
    [JsonPropertyName("more")]
    public int More { get; init; }

    /// <summary>Whose key signed the provenance it was built from; null for this host's own record.</summary>
    [JsonPropertyName("signer")]
    public string? Signer { get; init; }
}

/// <summary>A difference, as data.</summary>
internal sealed record ReproductionDifference(
    [property: JsonPropertyName("layer")] Digest? Layer,
    [property: JsonPropertyName("instruction")] string? Instruction,
    [property: JsonPropertyName("path")] string Path,
    [property: JsonPropertyName("what")] string What,
    [property: JsonPropertyName("before")] string Before,
    [property: JsonPropertyName("after")] string After,
    [property: JsonPropertyName("cause")] string Cause,
    [property: JsonPropertyName("reason")] string? Reason,
    [property: JsonPropertyName("cure")] string? Cure)
{
    public static ReproductionDifference Of(Difference difference) => new(
        difference.Layer, difference.Instruction, difference.Path, difference.What, difference.Before, difference.After,
        difference.Cause.ToString().ToLowerInvariant(),
        difference.Reason, difference.Cure);
}

[JsonSourceGenerationOptions(DefaultIgnoreCondition = JsonIgnoreCondition.Never)]
[JsonSerializable(typeof(ReproductionReport))]
internal sealed partial class ReproductionJson : JsonSerializerContext;

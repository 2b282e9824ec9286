using System.CommandLine;
using Ingot.Cli.Output;
using Ingot.Cli.Pipeline;
using Ingot.Oci.Content;
using Ingot.Projects.Images;

namespace Ingot.Cli.Commands;

/// <summary><c>ingot diff A B</c>.</summary>
internal static class DiffCommand
{
    private const int ShownFiles = 40;

    public static Command Create(Binder bind)
    {
        var first = new Argument<string>("A") { Description = "An image of the local store" };
        var second = new Argument<string>("B") { Description = "The image to compare with it" };
        var platform = Symbols.Platform("The images of indexes; this host's when left out");
        var all = new Option<bool>("--all") { Description = $"Every file, not only the first {ShownFiles} of each kind" };
        var command = new Command("diff",
            "What changed from one image to another: packages, files, users, capabilities, configuration, size")
        {
            first, second, platform, all,
        };
        command.SetAction(bind(async (context, result, cancellationToken) =>
        {
            var store = new DirectoryStore(context.Home.Content);
            var wanted = Symbols.ReadPlatform(result, platform);
            var a = await context.LocalImages.FindAsync(result.GetRequiredValue(first), cancellationToken);
            var b = await context.LocalImages.FindAsync(result.GetRequiredValue(second), cancellationToken);
            context.Terminal.Status($"comparing {a.Name} with {b.Name}");
            var report = await new ImageDifference(store, context.Home.Work).CompareAsync(
                (a.Name, await LocalImages.LoadAsync(store, a.Descriptor.Digest, wanted, cancellationToken)),
                (b.Name, await LocalImages.LoadAsync(store, b.Descriptor.Digest, wanted, cancellationToken)),
                cancellationToken);
            context.Terminal.Status(null);
            if (!context.Terminal.TryJson(report, ImageJsonOutput.Default.DiffReport))
                Print(context.Terminal, report, result.GetValue(all) ? int.MaxValue : ShownFiles);
            return ExitCode.Done;
        }));
        return command;
    }

    private static void Print(Terminal terminal, DiffReport report, int shown)
    {
        terminal.Line($"from     {report.A.Name} ({report.A.Digest.Short}, {BuildDisplay.Bytes(report.A.Size)} in {report.A.Layers} "
            + $"layers, {report.A.Files} files)");
        terminal.Line($"to       {report.B.Name} ({report.B.Digest.Short}, {BuildDisplay.Bytes(report.B.Size)} in {report.B.Layers} "
            + $"layers, {report.B.Files} files)");
        terminal.Line($"size     {(report.SizeChange < 0 ? "-" : "+")}{BuildDisplay.Bytes(Math.Abs(report.SizeChange))}");
        if (report.Equal)
        {
            terminal.Line("equal    the same files and configuration");
            return;
        }

        PrintPackages(terminal, report.Packages);
        PrintFiles(terminal, report.Files, shown);
        foreach (var path in report.NewSetId)
            terminal.Line($"set-id   {terminal.Bad("+")} /{path} runs as its owner or group");
        foreach (var change in report.Capabilities)
            terminal.Line($"capable  ~ /{change.Path}: {change.Before ?? "none"} -> {change.After ?? "none"}");
        PrintAccounts(terminal, "user", report.Users);
        PrintAccounts(terminal, "group", report.Groups);
        foreach (var change in report.Configuration)
            terminal.Line($"config   ~ {change.Setting}: {change.Before ?? "(none)"} -> {change.After ?? "(none)"}");
    }

    private static void PrintPackages(Terminal terminal, PackageChanges packages)
    {
        foreach (var package in packages.Added)
            terminal.Line($"package  {terminal.Good("+")} {package.Name} {package.Version}");
        foreach (var package in packages.Removed)
            terminal.Line($"package  {terminal.Bad("-")} {package.Name} {package.Version}");
        foreach (var package in packages.Changed)
            terminal.Line($"package  ~ {package.Name} {package.Before} -> {package.After}");
        foreach (var unreadable in packages.Unreadable)
            terminal.Line($"package  ? {unreadable}");
    }

    private static void PrintFiles(Terminal terminal, FileChanges files, int shown)
    {
        foreach (var file in files.Added.Take(shown))
            terminal.Line($"file     {terminal.Good("+")} {Describe(file)}");
        More(terminal, "+", files.Added.Count, shown);
        foreach (var file in files.Removed.Take(shown))
            terminal.Line($"file     {terminal.Bad("-")} {Describe(file)}");
        More(terminal, "-", files.Removed.Count, shown);
        foreach (var file in files.Changed.Take(shown))
            terminal.Line($"file     ~ /{file.Path}: {Changes(file)}");
        More(terminal, "~", files.Changed.Count, shown);
    }

    private static void More(Terminal terminal, string sign, int count, int shown)
    {
        if (count > shown)
            terminal.Line($"file     {sign} and {count - shown} more (--all)");
    }

    private static string Describe(FileRow file) => $"/{file.Path} ({file.Type}, {file.Mode}, "
        + $"{file.UserId}:{file.GroupId}{(file.Type == "file" ? $", {BuildDisplay.Bytes(file.Size)}" : "")})";

    private static string Changes(ChangedFile file)
    {
        var changes = new List<string>();
        if (file.Before.Type != file.After.Type)
            changes.Add($"{file.Before.Type} -> {file.After.Type}");
        else if (file.Content)
            changes.Add(file.Before.Size == file.After.Size
                ? "content"
                : $"content, {BuildDisplay.Bytes(file.Before.Size)} -> {BuildDisplay.Bytes(file.After.Size)}");
        if (file.Before.Mode != file.After.Mode)
            changes.Add($"mode {file.Before.Mode} -> {file.After.Mode}");
        if ((file.Before.UserId, file.Before.GroupId) != (file.After.UserId, file.After.GroupId))
            changes.Add($"owner {file.Before.UserId}:{file.Before.GroupId} -> {file.After.UserId}:{file.After.GroupId}");
        return changes.Count == 0 ? "capabilities" : string.Join(", ", changes);
    }

    private static void PrintAccounts(Terminal terminal, string what, AccountChanges accounts)
    {
        foreach (var account in accounts.Added)
            terminal.Line($"{what,-8} {terminal.Good("+")} {account}");
        foreach (var account in accounts.Removed)
            terminal.Line($"{what,-8} {terminal.Bad("-")} {account}");
    }
}

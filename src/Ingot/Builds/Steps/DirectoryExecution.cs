using Ingot.Builds.Cache;
using Ingot.Builds.Files;
using Ingot.Builds.Layers;
using Ingot.Diagnostics;
using Ingot.Oci.Images;
using Ingot.Oci.Tar;
using Ingot.Plans;

namespace Ingot.Builds.Steps;

/// <summary>Makes directories that are missing.</summary>
internal static class DirectoryExecution
{
    private const int DirectoryMode = 0b111_101_101;

    /// <summary>See <see cref="StepKind{T}.KeyParts"/>.</summary>
    public static IEnumerable<KeyPart> KeyParts(DirectoryStep step, StepSurroundings met) =>
        [met.Below, .. met.Reads, CopyExecution.LayoutPart];

    /// <summary>Makes the layer with the directories of a path that are missing below; nothing when all are there.</summary>
    public static async Task<StepResult> RunAsync(
        BuildSession session, DirectoryStep step, StepWork work, CancellationToken cancellationToken)
    {
        var tree = await session.Layers.TreeAsync(work.Chain, session.Workspace, cancellationToken);
        string path = tree.Resolve(ImagePath.ToLayer(step.Path)) ?? throw Problem(step, $"'{step.Path}' contains a symlink loop");
        var missing = new List<TarEntry>();
        for (; path.Length > 0 && !tree.IsDirectory(path); path = TarPath.Parent(path))
        {
            if (tree.Find(path) is { } file)
                throw Problem(step, $"'/{path}' is a {file.Record.Type} and not a directory");
            missing.Insert(0, new TarEntry
            {
                Path = path,
                Type = TarEntryType.Directory,
                Mode = DirectoryMode,
                ModifiedTime = session.Settings.Epoch
            });
        }

        if (missing.Count == 0)
            return new StepResult();

        var owner = await OwnerAsync(session, step, step.User, work.Chain, cancellationToken);
        var writer = await session.WriterAsync(work.Export, cancellationToken);
        await using (writer)
        {
            foreach (var entry in missing)
                await writer.WriteAsync(entry with { UserId = owner.UserId, GroupId = owner.GroupId }, cancellationToken);
            return await session.FinishAsync(writer, _ => true, cancellationToken);
        }
    }

    /// <summary>The account that a template names, in the layers below when it is no number.</summary>
    public static async Task<(uint UserId, uint GroupId)> OwnerAsync(
        BuildSession session, Step step, string text, LayerChain chain, CancellationToken cancellationToken)
    {
        if (Accounts.None.FindOwner(text, out _) is { } numbers)
            return numbers;

        var accounts = await session.AccountsAsync(chain, cancellationToken);
        return accounts.FindOwner(text, out var unknown)
            ?? throw CopyExecution.Problem(
                step, "build-unknown-user", $"{unknown} is not in the image",
                Suggestion.For(text, accounts.Names) ?? "create the account in an earlier RUN, or write a number");
    }

    private static InvalidInputException Problem(DirectoryStep step, string summary) =>
        CopyExecution.Problem(step, "build-directory", summary);
}

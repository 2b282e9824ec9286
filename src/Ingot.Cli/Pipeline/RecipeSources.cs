using Ingot.Builds;
using Ingot.Cli.Commands;
using Ingot.Diagnostics;
using Ingot.Plans;
using Ingot.Tools;

namespace Ingot.Cli.Pipeline;

/// <summary>Finds the files that an image was built from, and writes them into a directory of their own: those of the commit, whatever lies around now.</summary>
internal sealed class RecipeSources(CommandContext context, BuildRecipe recipe, StepAccess access)
{
    private const string LocalScheme = "file://";

    /// <summary>What the sources are, for people.</summary>
    public string Description { get; private set; } = "";

    /// <summary>The directory of the project; what has to be written for it goes to <paramref name="checkout"/>.</summary>
    public async Task<string> FindAsync(string checkout, CancellationToken cancellationToken)
    {
        if (recipe.Commit is null || recipe.IsDirty)
            return AsItIs();

        if (!Directory.Exists(checkout))
            await CheckOutAsync(checkout, recipe.Commit, cancellationToken);
        return Path.Combine(checkout, recipe.Prefix ?? "");
    }

    // A build of this host from changed files has only the directory.
    private string AsItIs()
    {
        Description = recipe.Commit is null ? $"{recipe.Directory} as it is: it was in no repository" : $"{recipe.Directory} as it is: it differed from commit {recipe.Commit[..12]}";
        return Directory.Exists(recipe.Directory) ? recipe.Directory : throw new InvalidInputException("no-sources", $"the image was built from '{recipe.Directory}', which is not there");
    }

    // A repository that is here and has the commit is nearer than the one it came from; the name of a commit is its content.
    private async Task CheckOutAsync(string checkout, string commit, CancellationToken cancellationToken)
    {
        Description = $"commit {commit[..12]}";
        foreach (string here in new[] { recipe.Directory, context.Directory }.OfType<string>().Where(Directory.Exists))
        {
            if ((await CommandRunner.TryRunAsync(Git.Has(here, commit), onLine: null, cancellationToken)).ExitCode != 0)
                continue;
            string top = await CommandRunner.RunAsync(Git.Top(here), cancellationToken);
            await CommandRunner.RunAsync(Git.Borrow(top.TrimEnd('\n'), checkout), cancellationToken);
            await CommandRunner.RunAsync(Git.CheckOut(checkout, commit), cancellationToken);
            return;
        }

        if (recipe.Remote is not { } remote)
            throw new InvalidInputException("no-sources", $"the image was built from commit {commit}, and nothing says of which repository", "run this in a checkout of it: ingot -C DIR reproduce IMAGE");
        Description += $" of {SafeAddress.OfRepository(remote)}";
        context.Terminal.Progress($"fetch    {Description}");
        Directory.CreateDirectory(checkout);
        var trees = new GitTrees(new GitAccess { Secrets = access.Secrets, SshAgents = access.SshAgents, AllowLocalUnsafe = remote.StartsWith('/') || remote.StartsWith(LocalScheme, StringComparison.Ordinal) });
        await trees.MaterialiseAsync(new TreeSource.Git(remote, commit, "", KeepGitDirectory: false, commit), checkout, cancellationToken);
    }
}

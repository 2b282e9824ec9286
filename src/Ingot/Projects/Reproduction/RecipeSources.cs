using Ingot.Builds;
using Ingot.Builds.Remote;
using Ingot.Diagnostics;
using Ingot.Plans;
using Ingot.Projects.Recipes;
using Ingot.Tools;

namespace Ingot.Projects.Reproduction;

/// <summary>Finds the files that an image was built from, and writes them into a directory of their own: those of the commit, whatever lies
/// around now.</summary>
internal sealed class RecipeSources(ProjectHost host, string near, BuildRecipe recipe, StepAccess access)
{
    private const string LocalScheme = "file:";

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
        Description = recipe.Commit is null
            ? $"{recipe.Directory} as it is: it was in no repository"
            : $"{recipe.Directory} as it is: it differed from commit {recipe.Commit[..12]}";
        return Directory.Exists(recipe.Directory)
            ? recipe.Directory
            : throw new InvalidInputException("no-sources", $"the image was built from '{recipe.Directory}', which does not exist");
    }

    // A repository that is here and has the commit is nearer than the one it came from; the name of a commit is its content.
    private async Task CheckOutAsync(string checkout, string commit, CancellationToken cancellationToken)
    {
        Description = $"commit {commit[..12]}";
        foreach (string here in new[] { recipe.Directory, near }.OfType<string>().Where(Directory.Exists))
        {
            if (await TryCheckOutAsync(here, checkout, commit, cancellationToken))
                return;
        }

        if (recipe.Remote is not { } remote || IsLocal(remote))
            throw NotHere(commit);
        Description += $" of {SafeAddress.OfRepository(remote)}";
        host.Say("fetch", Description);
        Directory.CreateDirectory(checkout);
        var trees = new GitTrees(new GitAccess { Secrets = access.Secrets, SshAgents = access.SshAgents });
        await trees.MaterialiseAsync(new TreeSource.Git(remote, commit, "", KeepGitDirectory: false, commit), checkout, cancellationToken);
    }

    private InvalidInputException NotHere(string commit)
    {
        string why = recipe.Remote is { } place
            ? $"'{place}', where it came from, is a directory of a host"
            : "nothing says of which repository";
        return new InvalidInputException("no-sources", $"the image was built from commit {commit}, and {why}",
            "run this in a checkout of it: ingot -C DIR reproduce IMAGE");
    }

    // The project's own repository names it: that may be anything on this host.
    private static bool IsLocal(string remote) =>
        remote.StartsWith('/') || remote.StartsWith('.') || remote.StartsWith(LocalScheme, StringComparison.Ordinal);

    private async Task<bool> TryCheckOutAsync(string here, string checkout, string commit, CancellationToken cancellationToken)
    {
        try
        {
            if (GitRepository.Find(here) is not { } repository)
                return false;
            using var view = new GitView(repository);
            if ((await CommandRunner.TryRunAsync(view.Has(commit), onLine: null, cancellationToken)).ExitCode != 0)
                return false;
            Directory.CreateDirectory(checkout);
            await GitTrees.MaterialiseAsync(view, commit, checkout, cancellationToken);
            return true;
        }
        catch (Exception e) when (e is ToolException or IOException or UnauthorizedAccessException && !Directory.Exists(checkout))
        {
            host.Say("fetch", IngotException.ReasonOf(e));
            return false;
        }
    }
}

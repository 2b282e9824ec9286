using Ingot.Oci.Content;

namespace Ingot.Server.Registry;

internal sealed partial class RegistryHandler
{
    /// <summary>Lets a manifest in that says something about another, unless there is too much already that no trusted key signed: a
    /// trusted signer's is never in danger of being buried. What is returned is held until it is published,
    /// so that many who push at once are counted.</summary>
    private async Task<IDisposable?> EnterAsync(
        string repository, ManifestFacts facts, Digest digest, string user, CancellationToken cancellationToken)
    {
        if (facts.Subject is not { } subject)
            return null;

        await _unverified.WaitAsync(cancellationToken);
        var turn = new Turn(_unverified);
        try
        {
            await CheckUnverifiedAsync(repository, subject, digest, user, cancellationToken);
            return turn;
        }
        catch
        {
            turn.Dispose();
            throw;
        }
    }

    private async Task CheckUnverifiedAsync(
        string repository, Digest subject, Digest digest, string user, CancellationToken cancellationToken)
    {
        var there = _ledger.Read(view => view.ReferrerActors(repository, subject));
        if (there.Count < Math.Min(_options.MaxUnverified, _options.MaxUnverifiedOfUser) || there.Any(one => one.Digest == digest))
            return;

        // With all that is there: of one bundle in many manifests only the first counts as signed.
        var trusted = await TrustedAsync(subject, [.. there.Select(one => one.Digest), digest], cancellationToken);
        if (trusted.Contains(digest))
            return;

        var unverified = there.Where(one => !trusted.Contains(one.Digest)).ToList();
        int mine = unverified.Count(one => one.Actor == user);
        if (unverified.Count < _options.MaxUnverified && mine < _options.MaxUnverifiedOfUser)
            return;

        string what = mine >= _options.MaxUnverifiedOfUser ? $"{mine} of '{user}'" : $"{unverified.Count}";
        throw new RegistryRefusal(403, ErrorCode.Denied,
            $"the manifest '{digest}' was not accepted: '{repository}' has {what} about '{subject}' that no trusted key signed, "
                + "and accepts no more;"
            + " have it signed by a trusted key, or delete some where that is allowed");
    }

    private async Task<IReadOnlySet<Digest>> TrustedAsync(
        Digest subject, IReadOnlyList<Digest> manifests, CancellationToken cancellationToken) =>
        _options.Trusted is null ? new HashSet<Digest>() : await _options.Trusted(subject, manifests, cancellationToken);

    private sealed class Turn(SemaphoreSlim turns) : IDisposable
    {
        public void Dispose() => turns.Release();
    }
}

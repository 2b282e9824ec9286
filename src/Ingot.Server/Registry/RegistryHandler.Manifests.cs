using Ingot.Oci.Content;
using Ingot.Server.Ledger;

namespace Ingot.Server.Registry;

internal sealed partial class RegistryHandler
{
    private const int MaxTags = 100;
    private const int Attempts = 5;

    // end-3
    private async Task ReadManifestAsync(HttpContext http, RegistryPath.Manifest path)
    {
        var manifest = _ledger.Read(view => Resolve(view, path.Repository, path.Reference));
        var response = http.Response;
        string entityTag = Preconditions.EntityTag(manifest.Digest);
        response.Headers["Docker-Content-Digest"] = manifest.Digest.ToString();
        response.Headers.ETag = entityTag;
        if (Preconditions.IsCurrent(http.Request, entityTag))
        {
            response.StatusCode = 304;
            return;
        }

        response.ContentType = manifest.MediaType;
        response.ContentLength = manifest.Size;
        if (!HttpMethods.IsGet(http.Request.Method))
            return;
        // Large ones are checked by the client, as blobs are: many at once would take the memory.
        if (manifest.Size > ManifestBody.Small)
            await BlobBody.SendAsync(response, _store.PathOf(manifest.Digest), 0, manifest.Size, http.RequestAborted);
        else
            await response.Body.WriteAsync(await _store.ReadRequiredAsync(manifest.Digest, http.RequestAborted), http.RequestAborted);
    }

    // end-7a, end-7b
    private async Task WriteManifestAsync(HttpContext http, RegistryPath.Manifest path)
    {
        var (named, tags) = Names(http, path.Reference);
        AllowAnyBody(http);
        _disk.Require(http.Request.ContentLength ?? _options.MaxManifestBytes);
        using var body = await ManifestBody.ReadAsync(
            http.Request.Body, _options.MaxManifestBytes, _options.Uploads, _largeManifests, http.RequestAborted);
        var json = body.Bytes;
        var digest = Digest.Of(json, named ?? default);
        if (named is { } wanted && wanted != digest)
            throw new RegistryRefusal(400, ErrorCode.DigestInvalid, $"expected '{wanted}' and received {json.Length} bytes of '{digest}'");

        var facts = ManifestFacts.Read(json, http.Request.ContentType);
        await CheckReferencesAsync(path.Repository, facts, http.RequestAborted);
        await CheckConfigAsync(facts, http.RequestAborted);
        await _store.PutAsync(digest, json, http.RequestAborted);
        // The ledger must not name what a power cut could take away.
        _store.SyncNames();
        using (await EnterAsync(path.Repository, facts, digest, _options.Actor(http), http.RequestAborted))
            await PublishAsync(http, path.Repository, digest, json.Length, facts, tags);
        if (facts.Subject is not null)
            _notes.Put(digest, facts.Annotations);

        _log.ManifestPublished(digest, path.Repository, string.Join(", ", tags));
        AnswerCreated(http, $"/v2/{path.Repository}/manifests/{digest}", digest);
        if (facts.Subject is { } subject)
            http.Response.Headers["OCI-Subject"] = subject.ToString();
        string[] given = [.. tags.Where(tag => _ledger.Read(view => view.Tag(path.Repository, tag))?.Digest == digest)];
        if (given.Length > 0)
            http.Response.Headers["OCI-Tag"] = given;
    }

    // end-9
    private async Task DeleteManifestAsync(HttpContext http, RegistryPath.Manifest path)
    {
        bool mayFree = !path.Reference.Contains(':') && _options.IsAdministrator(http);
        if (!mayFree)
            RefuseDeletion(path.Repository, $"manifest '{path.Reference}'");
        var named = mayFree ? _ledger.Read(view => view.Tag(path.Repository, path.Reference)?.Digest) : null;
        bool stays = named is not { } looked || await _options.IsVersion(path.Repository, path.Reference, looked, http.RequestAborted);
        await _ledger.AppendAsync(_options.Actor(http), Decide, http.RequestAborted);
        http.Response.StatusCode = 202;

        IReadOnlyList<LedgerEvent> Decide(LedgerView view)
        {
            var manifest = Resolve(view, path.Repository, path.Reference);
            Preconditions.CheckChange(http.Request, Preconditions.EntityTag(manifest.Digest));
            bool mustStay = mayFree && !_options.IsMutable(path.Repository) && (stays || manifest.Digest != named);
            if (mustStay && view.Decision(path.Repository, manifest.Digest) is { } decision)
                throw Decided(path.Repository, path.Reference, manifest.Digest, decision);
            return path.Reference.Contains(':')
                ? [new LedgerEvent.ManifestDeleted(path.Repository, manifest.Digest, null)]
                : [new LedgerEvent.TagDeleted(path.Repository, path.Reference, manifest.Digest)];
        }
    }

    /// <summary>The manifest a tag or digest names in a repository, or a refusal.</summary>
    private static PublishedManifest Resolve(LedgerView view, string repository, string reference)
    {
        Digest? digest = reference.Contains(':') ? RegistryPath.ParseDigest(reference) : view.Tag(repository, reference)?.Digest;
        if (digest is { } known && view.Manifest(repository, known) is { } manifest)
            return manifest;

        throw view.HasRepository(repository)
            ? new RegistryRefusal(404, ErrorCode.ManifestUnknown, $"the repository '{repository}' has no manifest '{reference}'")
            : new RegistryRefusal(404, ErrorCode.NameUnknown, $"there is no repository '{repository}'");
    }

    /// <summary>What the address calls the manifest: a digest it must have, and the tags it is to get.</summary>
    private static (Digest? Digest, IReadOnlyList<string> Tags) Names(HttpContext http, string reference)
    {
        string[] more = [.. http.Request.Query["tag"].OfType<string>()];
        bool isDigest = reference.Contains(':');
        string[] tags = isDigest ? more : [reference, .. more];
        if (tags.Length > MaxTags)
            throw new RegistryRefusal(414, ErrorCode.ManifestInvalid, $"the request gives {tags.Length} tags: it may give {MaxTags}");
        if (Array.Find(tags, tag => !RegistryPath.IsTag(tag)) is { } wrong)
            throw new RegistryRefusal(400, ErrorCode.ManifestInvalid,
                $"'{wrong}' is not a tag: expected letters, digits, '_', '.' and '-', 128 at most");

        return (isDigest ? RegistryPath.ParseDigest(reference) : null, [.. tags.Distinct(StringComparer.Ordinal)]);
    }

    /// <summary>Refuses a manifest that names what is not here. The subject may come later, foreign layers never.</summary>
    private async Task CheckReferencesAsync(string repository, ManifestFacts facts, CancellationToken cancellationToken)
    {
        foreach (var blob in facts.Blobs.Where(blob => !ManifestFacts.IsForeign(blob)))
        {
            long size = await BlobSizeAsync(repository, blob.Digest, cancellationToken) ?? throw Unknown("blob", blob.Digest);
            CheckSize(blob, size);
        }

        bool isSparse = _options.IsSparse(repository);
        foreach (var (descriptor, found) in _ledger.Read(view =>
            facts.Manifests.Select(manifest => (manifest, view.Manifest(repository, manifest.Digest))).ToList()))
        {
            if (found is null && isSparse)
                continue;
            CheckSize(descriptor, (found ?? throw Unknown("manifest", descriptor.Digest)).Size);
            if (found.MediaType != descriptor.MediaType)
                throw new RegistryRefusal(400, ErrorCode.ManifestInvalid,
                    $"the manifest says '{descriptor.Digest}' is '{descriptor.MediaType}' and it is '{found.MediaType}'");
        }

        RegistryRefusal Unknown(string what, Digest digest) =>
            new(404, ErrorCode.ManifestBlobUnknown,
                $"the manifest refers to the {what} '{digest}', which '{repository}' does not have: push it first");
    }

    private static void CheckSize(Descriptor descriptor, long actual)
    {
        if (descriptor.Size != actual)
            throw new RegistryRefusal(400, ErrorCode.ManifestInvalid,
                $"the manifest says '{descriptor.Digest}' has {descriptor.Size} bytes and it has {actual}");
    }

    /// <summary>Records what is new: nothing, when all of it was published before.</summary>
    private async Task PublishAsync(
        HttpContext http, string repository, Digest digest, long size, ManifestFacts facts, IReadOnlyList<string> tags)
    {
        string actor = _options.Actor(http);
        var parts = await PartsAsync(repository, facts, tags, http.RequestAborted);
        for (int attempt = 1; ; attempt++)
        {
            var growing = await CheckAccessoriesAsync(size, repository, facts, tags, http.RequestAborted);
            try
            {
                await _ledger.AppendAsync(actor, view => Decide(view, growing), http.RequestAborted);
                return;
            }
            catch (TagMoved) when (attempt < Attempts)
            {
                // Somebody signed at the same time: look again at what must not get lost.
            }
        }

        List<LedgerEvent> Decide(LedgerView view, IReadOnlyDictionary<string, Digest?> growing)
        {
            var events = new List<LedgerEvent>();
            CheckExpectation(http.Request, view, repository, digest, tags);
            if (view.Manifest(repository, digest) is null)
                events.Add(Published(repository, digest, size, facts));
            foreach (string tag in tags)
            {
                var bound = view.Tag(repository, tag)?.Digest;
                if (bound == digest)
                    continue;
                if (growing.TryGetValue(tag, out var seen) && seen != bound)
                    throw new TagMoved(tag);
                bool isFixed = bound is not null && !growing.ContainsKey(tag) && !_options.IsMutable(repository);
                if (isFixed && IsPart(view, repository, tag, parts, actor))
                    continue;
                if (isFixed && !IsCompletion(view, repository, tag, facts, actor))
                    throw Immutable(repository, tag, bound!.Value, digest);
                events.Add(new LedgerEvent.TagBound(repository, tag, digest, isFixed ? bound : null));
            }

            return events;
        }
    }

    private static LedgerEvent Published(string repository, Digest digest, long size, ManifestFacts facts) => facts.Subject is { } subject
        ? new LedgerEvent.EvidenceAttached(repository, subject, digest, facts.MediaType, size, facts.ArtifactType, facts.PredicateType)
        : new LedgerEvent.ImagePublished(repository, digest, facts.MediaType, size, facts.ArtifactType);

    /// <summary>For each accessory tag, the manifest it names now, of which the new one keeps everything.</summary>
    private async Task<IReadOnlyDictionary<string, Digest?>> CheckAccessoriesAsync(
        long size, string repository, ManifestFacts facts, IReadOnlyList<string> tags, CancellationToken cancellationToken)
    {
        var growing = new Dictionary<string, Digest?>(StringComparer.Ordinal);
        if (_options.IsMutable(repository))
            return growing;

        foreach (string tag in tags.Where(AccessoryTag.Is))
        {
            var bound = _ledger.Read(view => view.Tag(repository, tag))?.Digest;
            growing[tag] = bound;
            var stored = bound is { } former ? await StoredAsync(repository, tag, former, cancellationToken) : null;
            await CheckGrowthAsync(repository, tag, stored, facts, size, cancellationToken);
            if (stored is not null && MediaType.IsIndex(stored.MediaType) != MediaType.IsIndex(facts.MediaType))
                throw new RegistryRefusal(409, ErrorCode.Denied,
                    $"the tag '{tag}' of '{repository}' was not moved: it names '{stored.MediaType}', "
                        + $"and the new manifest is '{facts.MediaType}'; read what is there and push it with the addition");
            if (bound is { } before && AccessoryTag.Lost(stored!, facts) is { } lost)
                throw new RegistryRefusal(409, ErrorCode.Denied,
                    $"the tag '{tag}' of '{repository}' was not moved: the new manifest lacks '{lost}', which '{before}' holds; "
                        + "signatures and statements can be added, not removed: read what is there and push it with the addition");
        }

        return growing;
    }

    private async Task<ManifestFacts> StoredAsync(string repository, string tag, Digest former, CancellationToken cancellationToken)
    {
        try
        {
            return ManifestFacts.Read(await _store.ReadRequiredAsync(former, cancellationToken), contentType: null);
        }
        catch (RegistryRefusal e)
        {
            // Taken when less was refused: what it holds cannot be told, and so not be kept.
            throw new RegistryRefusal(409, ErrorCode.Denied, $"the tag '{tag}' of '{repository}' was not moved: what is stored there, "
                + $"'{former}', cannot be read any more ({IngotException.ReasonOf(e)}); "
                + "an administrator can free the tag with 'ingot untag', and then push again");
        }
    }

    private static RegistryRefusal Immutable(string repository, string tag, Digest bound, Digest refused)
    {
        string message = $"the tag '{tag}' of '{repository}' is bound to '{bound}' and was not moved to '{refused}': "
            + "tags there never move; publish under a new version, or name the repository in the server's 'mutable' list";
        var refusal = new RegistryRefusal(409, ErrorCode.Denied, message);
        refusal.Headers["Warning"] = $"299 - \"{message}\"";
        return refusal;
    }

    /// <summary>An accessory tag changed between looking and recording.</summary>
    private sealed class TagMoved(
        string tag) : IngotException($"the tag '{tag}' kept being moved by others while it was being moved: try again");
}

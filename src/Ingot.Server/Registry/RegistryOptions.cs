using System.IO.Enumeration;
using Ingot.Oci.Content;
using Ingot.Server.Ledger;

namespace Ingot.Server.Registry;

/// <summary>What a signature or statement under an accessory tag is known by; null when no trusted key made it about that image. The same
/// signature over the same bytes, however it is wrapped, is known by the same text.</summary>
/// <param name="image">The hex digits of the image's digest, as the tag has them.</param>
/// <param name="descriptor">How the manifest lists it, with its annotations.</param>
/// <param name="content">Its bytes.</param>
/// <param name="cancellationToken">Stops it.</param>
public delegate Task<string?> SignatureTrust(
    string image, Descriptor descriptor, ReadOnlyMemory<byte> content, CancellationToken cancellationToken);

/// <summary>What a registry serves, and under which rules.</summary>
public sealed record RegistryOptions
{
    /// <summary>Where publications are recorded; says what is in each repository.</summary>
    public required LedgerStore Ledger { get; init; }

    /// <summary>The bytes. Builders on the same host may share it: what they wrote needs no upload.</summary>
    public required DirectoryStore Store { get; init; }

    /// <summary>A directory for unfinished uploads, on the store's file system.</summary>
    public required string Uploads { get; init; }

    /// <summary>Repositories whose tags may move and whose content may be deleted, as names with <c>*</c> and <c>?</c>. Everywhere else
    /// what is published stays.</summary>
    public IReadOnlyList<string> Mutable { get; init; } = [];

    /// <summary>Repositories whose indexes may name images that are not there, as names with <c>*</c> and <c>?</c>:
    /// mirrors of parts of others.</summary>
    public IReadOnlyList<string> Sparse { get; init; } = [];

    /// <summary>The largest manifest in bytes; the specification asks for 4 MiB at least.</summary>
    public int MaxManifestBytes { get; init; } = 8 << 20;

    /// <summary>How long an upload may stand still before it is thrown away.</summary>
    public TimeSpan UploadTimeout { get; init; } = AbandonedUploads.Timeout;

    /// <summary>How many uploads may be open at once.</summary>
    public int MaxUploads { get; init; } = 2000;

    /// <summary>How many of them one user may have.</summary>
    public int MaxUploadsOfUser { get; init; } = 500;

    /// <summary>The bytes that uploads leave free on their disk; a twentieth of a small one.</summary>
    public long DiskReserve { get; init; } = 1L << 30;

    /// <summary>How many statements about one manifest are taken that no trusted key signed; those of trusted keys are always
    /// taken.</summary>
    public int MaxUnverified { get; init; } = 200;

    /// <summary>How many of these may come from one user.</summary>
    public int MaxUnverifiedOfUser { get; init; } = 100;

    /// <summary>Tells which of some manifests a trusted key signed as evidence about a subject, of several around one bundle the first;
    /// null when no key is known, and all count as unverified.</summary>
    public Func<Digest, IReadOnlyList<Digest>, CancellationToken, Task<IReadOnlySet<Digest>>>? Trusted { get; init; }

    /// <summary>A file for what lists of referrers show, made again when it is missing;
    /// null to keep that only while the server runs.</summary>
    public string? ReferrerNotes { get; init; }

    /// <summary>The clock.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>Who is behind a request, for the ledger.</summary>
    public Func<HttpContext, string> Actor { get; init; } = http => http.User.Identity?.Name ?? "anonymous";

    /// <summary>Whether a request is an administrator's, who may free a tag that names no version of what was decided on.</summary>
    public Func<HttpContext, bool> IsAdministrator { get; init; } = _ => false;

    /// <summary>Whether a tag, by repository, tag and digest, names a version of what was decided on, or that cannot be told:
    /// then it stays.</summary>
    public Func<string, string, Digest, CancellationToken, Task<bool>> IsVersion { get; init; } = (_, _, _, _) => Task.FromResult(true);

    /// <summary>Knows signatures by trusted keys.</summary>
    public SignatureTrust TrustedSignature { get; init; } = (_, _, _, _) => Task.FromResult<string?>(null);

    /// <summary>Whether indexes of a repository may name what is not there.</summary>
    public bool IsSparse(string repository) =>
        Sparse.Any(pattern => FileSystemName.MatchesSimpleExpression(pattern, repository, ignoreCase: false));

    /// <summary>Whether tags may move and content may be deleted in a repository.</summary>
    public bool IsMutable(string repository) =>
        Mutable.Any(pattern => FileSystemName.MatchesSimpleExpression(pattern, repository, ignoreCase: false));
}

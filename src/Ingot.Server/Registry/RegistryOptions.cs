using System.IO.Enumeration;
using Ingot.Oci.Content;
using Ingot.Server.Ledger;

namespace Ingot.Server.Registry;

/// <summary>What a registry serves, and under which rules.</summary>
public sealed record RegistryOptions
{
    /// <summary>Where publications are recorded; says what is in each repository.</summary>
    public required LedgerStore Ledger { get; init; }

    /// <summary>The bytes. Builders on the same host may share it: what they wrote needs no upload.</summary>
    public required DirectoryStore Store { get; init; }

    /// <summary>A directory for unfinished uploads, on the store's file system.</summary>
    public required string Uploads { get; init; }

    /// <summary>Repositories whose tags may move and whose content may be deleted, as names with <c>*</c> and <c>?</c>. Everywhere else what is published stays.</summary>
    public IReadOnlyList<string> Mutable { get; init; } = [];

    /// <summary>The largest manifest in bytes; the specification asks for 4 MiB at least.</summary>
    public int MaxManifestBytes { get; init; } = 8 << 20;

    /// <summary>How long an upload may stand still before it is thrown away.</summary>
    public TimeSpan UploadTimeout { get; init; } = TimeSpan.FromHours(24);

    /// <summary>The clock.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>Who is behind a request, for the ledger.</summary>
    public Func<HttpContext, string> Actor { get; init; } = http => http.User.Identity?.Name ?? "anonymous";

    /// <summary>Whether tags may move and content may be deleted in a repository.</summary>
    public bool IsMutable(string repository) => Mutable.Any(pattern => FileSystemName.MatchesSimpleExpression(pattern, repository, ignoreCase: false));
}

using Ingot.Oci.Tar;

namespace Ingot.Builds.Files;

/// <summary>Extended attributes that are copied: what a program may do. Labels and access lists belong to a host,
/// and layers hold no others.</summary>
internal static class CopiedAttributes
{
    private const string Capability = "security.capability";

    /// <summary>The attributes of an entry that its copy has; null for none.</summary>
    public static SortedDictionary<string, byte[]>? Kept(TarEntry entry) =>
        entry.Type == TarEntryType.File && entry.ExtendedAttributes?.GetValueOrDefault(Capability) is { } capability
            ? new(StringComparer.Ordinal) { [Capability] = capability }
            : null;
}

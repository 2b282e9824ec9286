using Ingot.Oci.Registries;

namespace Ingot.Plans;

/// <summary>Names of contexts, which are matched as references to images, as BuildKit does: <c>docker.io/library/debian:latest</c> is
/// <c>debian</c>. A tag or a digest is part of the name.</summary>
internal static class ContextName
{
    /// <summary>The one spelling of all that mean the same. Names of stages may be written in capitals.</summary>
    public static string Canonical(string name)
    {
        string small = name.ToLowerInvariant();
        return Reference.TryParse(name, out var reference) || Reference.TryParse(small, out reference)
            ? reference.WithDockerDefaults().ToString()
            : small;
    }
}

using Ingot.Oci.Content;

namespace Ingot.Oci.Layers.Compression;

/// <summary>The libraries of the host that codecs call: a missing one is an error of the host with its cure,
/// and no fault of the program.</summary>
internal static class HostLibrary
{
    /// <summary>What <paramref name="use"/> returns.</summary>
    /// <param name="package">The Debian package of the library; null for what needs none.</param>
    /// <param name="use">Calls the library.</param>
    public static T Use<T>(string? package, Func<T> use)
    {
        try
        {
            return use();
        }
        catch (DllNotFoundException e) when (package is not null)
        {
            throw new LayerException($"the library of the package '{package}' is missing: install it with 'apt-get install {package}'", e);
        }
    }
}

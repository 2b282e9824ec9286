using System.Text;
using Ingot.Oci.Content;

namespace Ingot.Projects;

/// <summary>Where work on projects keeps what it makes. All of it is absolute, and on one filesystem.</summary>
public sealed record ProjectPlaces
{
    /// <summary>The layout that images are in.</summary>
    public required string Content { get; init; }

    /// <summary>What stays from build to build.</summary>
    public required string Cache { get; init; }

    /// <summary>What is needed for as long as something is done.</summary>
    public required string Work { get; init; }

    /// <summary>What it takes to build images again, by digest.</summary>
    public required string Recipes { get; init; }

    /// <summary>Keeps other processes of this host away from a thing, by any name of it, while it is held.</summary>
    /// <param name="thing">The thing.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    /// <param name="waiting">Called once when somebody else holds it.</param>
    public Task<FileLock> LockAsync(string thing, CancellationToken cancellationToken, Action? waiting = null)
    {
        string locks = Directory.CreateDirectory(Path.Combine(Work, "locks")).FullName;
        string name = Digest.Of(Encoding.UTF8.GetBytes(thing)).Hex;
        return FileLock.TakeAsync(Path.Combine(locks, name), shared: false, TimeProvider.System, waiting, cancellationToken);
    }
}

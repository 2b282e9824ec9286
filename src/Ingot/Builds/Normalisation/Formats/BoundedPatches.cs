using Ingot.Oci.Layers;

namespace Ingot.Builds.Normalisation.Formats;

/// <summary>Changes of one file, as many as are held in memory: the file may be anybody's, and made for this.</summary>
/// <param name="maxBytes">What they may take.</param>
internal sealed class BoundedPatches(long maxBytes)
{
    /// <summary>What those of any file may take.</summary>
    public const long MaxBytes = 64 << 20;

    // What a change takes, about, with the few bytes that most have.
    private const int Overhead = 128;
    private const int FewBytes = 64;

    private readonly List<ContentPatch> _patches = [];
    private long _held;

    /// <summary>Whether there were more than can be held; then there are none.</summary>
    public bool IsFull => _held > maxBytes;

    /// <summary>The changes; none when there were more than can be held.</summary>
    public IReadOnlyList<ContentPatch> All => _patches;

    /// <summary>Adds one.</summary>
    public void Add(long offset, byte[] bytes)
    {
        _held += Overhead + (bytes.Length > FewBytes ? bytes.Length : 0);
        if (IsFull)
            _patches.Clear();
        else
            _patches.Add(new ContentPatch(offset, bytes));
    }
}

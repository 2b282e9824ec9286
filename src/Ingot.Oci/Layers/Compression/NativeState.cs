using System.Runtime.InteropServices;

namespace Ingot.Oci.Layers.Compression;

/// <summary>Memory of a native library, freed once, at the latest by the garbage collector.</summary>
internal sealed class NativeState : SafeHandle
{
    private readonly Action<nint> _free;

    public NativeState(nint state, Action<nint> free)
        : base(0, ownsHandle: true)
    {
        _free = free;
        SetHandle(state != 0 ? state : throw new InsufficientMemoryException("a compression library has no memory left"));
    }

    public override bool IsInvalid => handle == 0;

    /// <summary>The pointer; throws when it was freed.</summary>
    public nint Pointer
    {
        get
        {
            ObjectDisposedException.ThrowIf(IsClosed, this);
            return handle;
        }
    }

    protected override bool ReleaseHandle()
    {
        _free(handle);
        return true;
    }
}

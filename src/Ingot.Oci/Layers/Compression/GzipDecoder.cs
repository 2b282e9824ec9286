using System.Runtime.InteropServices;
using Ingot.Oci.Content;

namespace Ingot.Oci.Layers.Compression;

/// <summary>Reads gzip members one after the other (<see href="https://www.rfc-editor.org/rfc/rfc1952#section-2.2">RFC 1952,
/// 2.2</see>).</summary>
internal sealed unsafe class GzipDecoder : DecodingStream
{
    // Native code keeps a pointer back to this struct: it must not move.
    private readonly NativeState _state = new((nint)NativeMemory.AllocZeroed((nuint)sizeof(ZLib.Stream)), Free);
    private bool _betweenMembers;

    public GzipDecoder(Stream input)
        : base(input) => ZLib.BeginInflate((ZLib.Stream*)_state.Pointer);

    protected override (int Read, int Written) Decode(ReadOnlySpan<byte> input, Span<byte> output)
    {
        var stream = (ZLib.Stream*)_state.Pointer;
        if (input.IsEmpty && _betweenMembers)
            return (0, 0);

        if (_betweenMembers)
        {
            ZLib.Check(ZLib.ResetInflate(stream), stream);
            _betweenMembers = false;
        }

        fixed (byte* source = input, target = output)
        {
            stream->NextIn = source;
            stream->AvailableIn = (uint)input.Length;
            stream->NextOut = target;
            stream->AvailableOut = (uint)output.Length;
            int result = ZLib.Inflate(stream, ZLib.NoFlush);
            if (result != ZLib.BufferError)
                ZLib.Check(result, stream);
            _betweenMembers = result == ZLib.StreamEnd;
            return (input.Length - (int)stream->AvailableIn, output.Length - (int)stream->AvailableOut);
        }
    }

    protected override void CheckEnded()
    {
        if (!_betweenMembers)
            throw new LayerException("the gzip data ends too early");
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            _state.Dispose();
        base.Dispose(disposing);
    }

    private static void Free(nint state)
    {
        _ = ZLib.EndInflate((ZLib.Stream*)state);
        NativeMemory.Free((void*)state);
    }
}

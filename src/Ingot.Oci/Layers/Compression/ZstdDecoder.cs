using Ingot.Oci.Content;

namespace Ingot.Oci.Layers.Compression;

/// <summary>Reads zstd frames one after the other (<see href="https://www.rfc-editor.org/rfc/rfc8878#section-3">RFC 8878,
/// 3</see>).</summary>
internal sealed unsafe class ZstdDecoder : DecodingStream
{
    private readonly NativeState _decoder = new(Zstd.CreateDecoder(), decoder => Zstd.FreeDecoder(decoder));
    private bool _betweenFrames = true;

    public ZstdDecoder(Stream input)
        : base(input) => Zstd.Check(Zstd.SetDecoderParameter(_decoder.Pointer, Zstd.DecoderMaxWindowLog, Zstd.MaxWindowLog));

    protected override (int Read, int Written) Decode(ReadOnlySpan<byte> input, Span<byte> output)
    {
        fixed (byte* source = input, target = output)
        {
            var from = new Zstd.Buffer { Start = source, Size = (nuint)input.Length };
            var to = new Zstd.Buffer { Start = target, Size = (nuint)output.Length };
            nuint hint = Zstd.Check(Zstd.Decompress(_decoder.Pointer, &to, &from));
            if (from.Position > 0 || to.Position > 0)
                _betweenFrames = hint == 0;
            return ((int)from.Position, (int)to.Position);
        }
    }

    protected override void CheckEnded()
    {
        if (!_betweenFrames)
            throw new LayerException("the zstd data ends too early");
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            _decoder.Dispose();
        base.Dispose(disposing);
    }
}

using System.Security.Cryptography;
using Ingot.Oci.Content;

namespace Ingot.Oci.Layers;

/// <summary>Hashes what is read through it. Leaves both the inner stream and the hash open.</summary>
internal sealed class HashingStream(Stream inner, IncrementalHash hash) : ReadingStream
{
    public override int Read(Span<byte> buffer)
    {
        int read = inner.Read(buffer);
        hash.AppendData(buffer[..read]);
        return read;
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        int read = await inner.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
        hash.AppendData(buffer.Span[..read]);
        return read;
    }
}

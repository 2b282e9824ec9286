using System.Buffers;
using System.Net.Http.Headers;
using Ingot.Oci.Content;

namespace Ingot.Oci.Registries;

/// <summary>One blob on its way to a registry: makes the requests that carry it, whole or from an offset.</summary>
internal sealed record BlobUpload(string Repository, Descriptor Blob, Func<CancellationToken, ValueTask<Stream>> Open)
{
    private const int SkipBytes = 128 << 10;

    /// <summary>A request with the bytes from <paramref name="offset"/> to the end; with none when that is the end.</summary>
    public async Task<HttpRequestMessage> RequestAsync(HttpMethod method, Uri target, long offset, CancellationToken cancellationToken)
    {
        var stream = offset == Blob.Size ? Stream.Null : await Open(cancellationToken).ConfigureAwait(false);
        if (offset < Blob.Size)
            await SkipAsync(stream, offset, cancellationToken).ConfigureAwait(false);
        var content = new UploadContent(stream)
        {
            Headers = { ContentLength = Blob.Size - offset, ContentType = new MediaTypeHeaderValue("application/octet-stream") },
        };
        if (method == HttpMethod.Patch)
            content.Headers.TryAddWithoutValidation("Content-Range", $"{offset}-{Blob.Size - 1}");
        return new HttpRequestMessage(method, target) { Content = content };
    }

    /// <summary>Reads and drops bytes: what verifies on the way must see them.</summary>
    public static async Task SkipAsync(Stream stream, long count, CancellationToken cancellationToken)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(SkipBytes);
        try
        {
            while (count > 0)
            {
                int read = await stream.ReadAsync(buffer.AsMemory(0, (int)Math.Min(buffer.Length, count)),
                    cancellationToken).ConfigureAwait(false);
                if (read == 0)
                    return;
                count -= read;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}

/// <summary>Bytes on their way up, which tells how it gets on: each time more of them is taken, and when all are.</summary>
internal sealed class UploadContent(Stream bytes) : HttpContent
{
    private const int PieceBytes = 128 << 10;

    private readonly long? _start = bytes.CanSeek ? bytes.Position : null;
    private bool _isSent;

    /// <summary>Told whether the bytes are all gone.</summary>
    public Action<bool> Progress { get; set; } = _ => { };

    protected override Task SerializeToStreamAsync(Stream stream, System.Net.TransportContext? context) =>
        SerializeToStreamAsync(stream, context, CancellationToken.None);

    protected override async Task SerializeToStreamAsync(
        Stream stream, System.Net.TransportContext? context, CancellationToken cancellationToken)
    {
        Rewind();
        byte[] buffer = ArrayPool<byte>.Shared.Rent(PieceBytes);
        try
        {
            while (await bytes.ReadAsync(buffer, cancellationToken).ConfigureAwait(false) is > 0 and var read)
            {
                await stream.WriteAsync(buffer.AsMemory(0, read), cancellationToken).ConfigureAwait(false);
                Progress(false);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }

        Progress(true);
    }

    // Sent again when it is redirected.
    private void Rewind()
    {
        if (_isSent)
            bytes.Position = _start ?? throw new InvalidOperationException("the bytes were sent before and cannot be read again");
        _isSent = true;
    }

    // Given by whoever makes it.
    protected override bool TryComputeLength(out long length)
    {
        length = 0;
        return false;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            bytes.Dispose();
        base.Dispose(disposing);
    }
}

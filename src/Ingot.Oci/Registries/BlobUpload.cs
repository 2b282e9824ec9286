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
        var content = new StreamContent(stream) { Headers = { ContentLength = Blob.Size - offset, ContentType = new MediaTypeHeaderValue("application/octet-stream") } };
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
                int read = await stream.ReadAsync(buffer.AsMemory(0, (int)Math.Min(buffer.Length, count)), cancellationToken).ConfigureAwait(false);
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

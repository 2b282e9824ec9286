using System.Security.Cryptography;
using System.Text;

namespace Ingot.Server.Registry;

/// <summary>Answers with parts of a file: one as it is, several as <c>multipart/byteranges</c>
/// (<see href="https://www.rfc-editor.org/rfc/rfc9110#section-14.6">RFC 9110, 14.6</see>).</summary>
internal sealed class BlobRanges
{
    private const string ContentType = "application/octet-stream";

    private readonly long _size;
    private readonly IReadOnlyList<(long Offset, long Count)> _parts;
    private readonly string _boundary = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));

    private BlobRanges(IReadOnlyList<(long Offset, long Count)> parts, long size)
    {
        _parts = parts;
        _size = size;
    }

    /// <summary>The parts of a blob that were asked for; null when all of it is served, because nothing else was asked or because the parts
    /// are more than the whole.</summary>
    public static BlobRanges? Of(IReadOnlyList<ByteRange> asked, long size)
    {
        var parts = new List<(long, long)>();
        long sum = 0;
        foreach (var range in asked)
        {
            if (!range.TryWithin(size, out long offset, out long count))
                continue;
            parts.Add((offset, count));
            sum += count;
        }

        if (parts.Count == 0)
            throw Unsatisfiable(size, asked.Count);
        // One blob asked for over and over in one request is no use of ranges.
        return parts.Count > 1 && sum > size ? null : new BlobRanges(parts, size);
    }

    /// <summary>Writes the answer.</summary>
    public async Task WriteAsync(HttpResponse response, string file, CancellationToken cancellationToken)
    {
        response.StatusCode = 206;
        if (_parts is [var (offset, count)])
        {
            response.Headers.ContentRange = RangeOf(offset, count);
            response.ContentLength = count;
            await BlobBody.SendAsync(response, file, offset, count, cancellationToken);
            return;
        }

        byte[] end = Encoding.ASCII.GetBytes($"\r\n--{_boundary}--\r\n");
        response.ContentType = $"multipart/byteranges; boundary={_boundary}";
        response.ContentLength = _parts.Sum(part => Head(part).Length + part.Count) + end.Length;
        foreach (var part in _parts)
        {
            await response.Body.WriteAsync(Head(part), cancellationToken);
            await BlobBody.SendAsync(response, file, part.Offset, part.Count, cancellationToken);
        }

        await response.Body.WriteAsync(end, cancellationToken);
    }

    private byte[] Head((long Offset, long Count) part) => Encoding.ASCII.GetBytes(
        $"\r\n--{_boundary}\r\nContent-Type: {ContentType}\r\nContent-Range: {RangeOf(part.Offset, part.Count)}\r\n\r\n");

    private string RangeOf(long offset, long count) => $"bytes {offset}-{offset + count - 1}/{_size}";

    private static RegistryRefusal Unsatisfiable(long size, int count)
    {
        var refusal = new RegistryRefusal(416, ErrorCode.SizeInvalid,
            $"{(count == 1 ? "the range is" : $"all {count} ranges are")} outside the blob's {size} bytes");
        refusal.Headers["Content-Range"] = $"bytes */{size}";
        return refusal;
    }
}

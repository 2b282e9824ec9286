namespace Ingot.Server.Registry;

/// <summary>Sends files: from the page cache into the memory that goes to the socket, with nothing between.</summary>
internal static class BlobBody
{
    private const int Piece = 128 << 10;

    /// <summary>Sends <paramref name="count"/> bytes of a file. One that turns out shorter cuts the connection: the client must not take
    /// what it got for all of it.</summary>
    public static async Task SendAsync(HttpResponse response, string path, long offset, long count, CancellationToken cancellationToken)
    {
        // Sharing everything spares a lock, and blobs do not change.
        using var file = File.OpenHandle(path, share: FileShare.ReadWrite | FileShare.Delete);
        var body = response.BodyWriter;
        for (long end = offset + count; offset < end;)
        {
            int length = (int)Math.Min(Piece, end - offset);
            int read = RandomAccess.Read(file, body.GetSpan(length)[..length], offset);
            if (read == 0)
                throw new EndOfStreamException($"'{path}' ends at {offset} and was to be sent up to {end}: it is damaged");

            body.Advance(read);
            offset += read;
            await body.FlushAsync(cancellationToken);
        }
    }
}

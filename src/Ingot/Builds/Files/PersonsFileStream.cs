using Ingot.Diagnostics;
using Ingot.Oci.Content;

namespace Ingot.Builds.Files;

/// <summary>Reads a file of a person's: what goes wrong while it is read is said of that file.</summary>
internal sealed class PersonsFileStream(Stream file, Func<IOException, InvalidInputException> problem) : ReadingStream
{
    public override int Read(Span<byte> buffer)
    {
        try
        {
            return file.Read(buffer);
        }
        catch (IOException e)
        {
            throw problem(e);
        }
    }

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
        cancellationToken.IsCancellationRequested ? ValueTask.FromCanceled<int>(cancellationToken) : new(Read(buffer.Span));

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            file.Dispose();
        base.Dispose(disposing);
    }
}

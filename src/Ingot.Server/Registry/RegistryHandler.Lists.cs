using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using Ingot.Oci.Content;
using Ingot.Server.Ledger;

namespace Ingot.Server.Registry;

internal sealed partial class RegistryHandler
{
    private const int ReferrersPerPage = 1000;
    private const int AnnotationBytesPerPage = 4 << 20;

    // end-8
    private Task ListTagsAsync(HttpContext http, RegistryPath.Tags path)
    {
        if (!http.Request.Query.ContainsKey("n") && !http.Request.Query.ContainsKey("last"))
            return WriteJsonAsync(http, _tagLists.Find(path.Repository) ?? throw NoRepository(path.Repository), "application/json");

        var (count, last) = Page(http);
        var tags = _ledger.Read(view => view.HasRepository(path.Repository) ? view.TagNames(path.Repository, last, count + 1) : null)
            ?? throw NoRepository(path.Repository);
        var page = CutPage(http, tags, count);
        return WriteJsonAsync(http, new TagList(path.Repository, page), RegistryJson.Readable.TagList, "application/json");
    }

    private static RegistryRefusal NoRepository(string name) => new(404, ErrorCode.NameUnknown, $"there is no repository '{name}'");

    private Task CatalogAsync(HttpContext http)
    {
        var (count, last) = Page(http);
        var page = CutPage(http, _ledger.Read(view => view.Repositories(last, count + 1)), count);
        return WriteJsonAsync(http, new Catalog(page), RegistryJson.Readable.Catalog, "application/json");
    }

    // end-12
    private async Task ListReferrersAsync(HttpContext http, RegistryPath.Referrers path)
    {
        var subject = RegistryPath.ParseDigest(path.Digest);
        string? artifactType = http.Request.Query["artifactType"];
        string? after = http.Request.Query["after"];
        long from = after is null || !long.TryParse(after, out long entry) ? -1 : entry;
        var found = _ledger.Read(view => view.Referrers(path.Repository, subject, artifactType, from, ReferrersPerPage + 1));

        byte[] json = await DescribeAsync(found, count => LinkNext(http, Next(found[count - 1].Entry, artifactType)), http.RequestAborted);
        if (artifactType is not null)
            http.Response.Headers["OCI-Filters-Applied"] = "artifactType";
        await WriteJsonAsync(http, json, MediaType.Index);
    }

    private static string Next(long entry, string? artifactType) =>
        $"after={entry}{(artifactType is null ? "" : $"&artifactType={Uri.EscapeDataString(artifactType)}")}";

    /// <summary>An index of as many referrers as clients will read in one answer; when that is not all, <paramref name="goOn"/> is told how
    /// many.</summary>
    private async Task<byte[]> DescribeAsync(IReadOnlyList<PublishedManifest> found, Action<int> goOn, CancellationToken cancellationToken)
    {
        var buffer = new ArrayBufferWriter<byte>();
        await using var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
        json.WriteStartObject();
        json.WriteNumber("schemaVersion", 2);
        json.WriteString("mediaType", MediaType.Index);
        json.WriteStartArray("manifests");
        int count = 0;
        long bytes = 0;
        foreach (var manifest in found.Take(ReferrersPerPage))
        {
            byte[] notes = await NotesAsync(manifest, cancellationToken);
            bytes += notes.Length;
            if (bytes > AnnotationBytesPerPage && count > 0)
                break;

            Write(json, manifest, notes);
            count++;
        }

        if (count < found.Count)
            goOn(count);
        json.WriteEndArray();
        json.WriteEndObject();
        await json.FlushAsync(cancellationToken);
        return buffer.WrittenSpan.ToArray();
    }

    // Annotations may be megabytes: the ledger's tables do not have them.
    private async ValueTask<byte[]> NotesAsync(PublishedManifest manifest, CancellationToken cancellationToken)
    {
        if (_notes.Find(manifest.Digest) is { } known)
            return known;

        byte[] bytes = await _store.ReadRequiredAsync(manifest.Digest, cancellationToken);
        try
        {
            return _notes.Put(manifest.Digest, ManifestFacts.Read(bytes, manifest.MediaType).Annotations);
        }
        catch (RegistryRefusal)
        {
            // Taken when less was refused: it is listed, and whoever wants to know more reads it.
            return _notes.Put(manifest.Digest, annotations: null);
        }
    }

    private static void Write(Utf8JsonWriter json, PublishedManifest manifest, byte[] notes)
    {
        json.WriteStartObject();
        json.WriteString("mediaType", manifest.MediaType);
        json.WriteString("digest", manifest.Digest.ToString());
        json.WriteNumber("size", manifest.Size);
        if (manifest.ArtifactType is not null)
            json.WriteString("artifactType", manifest.ArtifactType);
        if (notes.Length > 0)
        {
            json.WritePropertyName("annotations");
            json.WriteRawValue(notes);
        }

        json.WriteEndObject();
    }
}

using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Server.Ledger;

namespace Ingot.Server.Registry;

internal sealed partial class RegistryHandler
{
    private const int ReferrersPerPage = 1000;
    private const int AnnotationBytesPerPage = 4 << 20;

    // end-8
    private Task ListTagsAsync(HttpContext http, RegistryPath.Tags path)
    {
        var (count, last) = Page(http);
        var tags = _ledger.Read(view => view.HasRepository(path.Repository) ? view.Tags(path.Repository, last, count + 1) : null)
            ?? throw new RegistryRefusal(404, ErrorCode.NameUnknown, $"there is no repository '{path.Repository}'");
        var page = CutPage(http, tags.Select(tag => tag.Tag), count);
        return WriteJsonAsync(http, new TagList(path.Repository, page), RegistryJson.Readable.TagList, "application/json");
    }

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

        var (page, isWhole) = await DescribeAsync(found, http.RequestAborted);
        if (!isWhole)
            LinkNext(http, $"after={found[page.Count - 1].Entry}{(artifactType is null ? "" : $"&artifactType={Uri.EscapeDataString(artifactType)}")}");
        if (artifactType is not null)
            http.Response.Headers["OCI-Filters-Applied"] = "artifactType";
        var json = ImageJson.Write(new ImageIndex { Manifests = page });
        http.Response.ContentType = MediaType.Index;
        http.Response.ContentLength = json.Length;
        if (HttpMethods.IsGet(http.Request.Method))
            await http.Response.Body.WriteAsync(json, http.RequestAborted);
    }

    /// <summary>The descriptors of as many referrers as make an index that clients will read.</summary>
    private async Task<(List<Descriptor> Page, bool IsWhole)> DescribeAsync(IReadOnlyList<PublishedManifest> found, CancellationToken cancellationToken)
    {
        var page = new List<Descriptor>();
        long bytes = 0;
        foreach (var manifest in found.Take(ReferrersPerPage))
        {
            // Annotations may be megabytes: they stand in the manifest alone.
            var facts = ManifestFacts.Read(await _store.ReadRequiredAsync(manifest.Digest, cancellationToken), manifest.MediaType);
            bytes += facts.Annotations?.Sum(note => note.Key.Length + note.Value.Length) ?? 0;
            if (bytes > AnnotationBytesPerPage && page.Count > 0)
                return (page, false);

            page.Add(new Descriptor { MediaType = manifest.MediaType, Digest = manifest.Digest, Size = manifest.Size, ArtifactType = manifest.ArtifactType, Annotations = facts.Annotations });
        }

        return (page, page.Count == found.Count);
    }
}

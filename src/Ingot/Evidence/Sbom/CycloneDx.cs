using System.Globalization;
using System.Security.Cryptography;
using System.Text.Encodings.Web;
using System.Text.Json;
using Ingot.Evidence.Packages;
using Ingot.Oci.Content;

namespace Ingot.Evidence.Sbom;

/// <summary>What a bill of materials is about.</summary>
/// <param name="Name">The image's name.</param>
/// <param name="Digest">The image.</param>
/// <param name="Created">The image's own time, RFC 3339, from its configuration; null leaves the document without one.</param>
public sealed record SbomSubject(string Name, Digest Digest, string? Created = null);

/// <summary>Bills of materials in CycloneDX 1.6
/// (<see href="https://cyclonedx.org/docs/1.6/json/">JSON reference</see>).</summary>
/// <remarks>Equal images have equal documents: components sorted by package URL, the serial number drawn from the content, the image's
/// time, nothing of the host.</remarks>
public static class CycloneDx
{
    /// <summary>The media type of a document.</summary>
    public const string MediaType = "application/vnd.cyclonedx+json";

    private static readonly JsonWriterOptions s_writing = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The document.</summary>
    public static byte[] Write(SbomSubject subject, PackageInventory inventory)
    {
        var content = Write(subject, inventory, serialNumber: null);
        return Write(subject, inventory, SerialNumber(content));
    }

    /// <summary>The document as the predicate of a statement.</summary>
    public static JsonElement ToPredicate(SbomSubject subject, PackageInventory inventory) => JsonElement.Parse(Write(subject, inventory));

    private static byte[] Write(SbomSubject subject, PackageInventory inventory, string? serialNumber)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, s_writing))
        {
            json.WriteStartObject();
            json.WriteString("$schema"u8, "http://cyclonedx.org/schema/bom-1.6.schema.json");
            json.WriteString("bomFormat"u8, "CycloneDX");
            json.WriteString("specVersion"u8, "1.6");
            if (serialNumber is not null)
                json.WriteString("serialNumber"u8, serialNumber);
            json.WriteNumber("version"u8, 1);
            WriteMetadata(json, subject, inventory);
            WriteComponents(json, inventory);
            WriteDependencies(json, subject, inventory);
            WriteCompleteness(json, subject, inventory);
            json.WriteEndObject();
        }

        return buffer.ToArray();
    }

    // A UUID of version 8 (https://www.rfc-editor.org/rfc/rfc9562#section-5.8): the bits are ours to choose, and ours are the content's.
    private static string SerialNumber(ReadOnlySpan<byte> content)
    {
        var bytes = SHA256.HashData(content)[..16];
        bytes[6] = (byte)((bytes[6] & 0x0F) | 0x80);
        bytes[8] = (byte)((bytes[8] & 0x3F) | 0x80);
        return $"urn:uuid:{new Guid(bytes, bigEndian: true)}";
    }

    private static void WriteMetadata(Utf8JsonWriter json, SbomSubject subject, PackageInventory inventory)
    {
        json.WriteStartObject("metadata"u8);
        if (DateTimeOffset.TryParse(subject.Created, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var created))
            json.WriteString("timestamp"u8, created.ToUniversalTime().ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture));

        json.WriteStartObject("tools"u8);
        json.WriteStartArray("components"u8);
        json.WriteStartObject();
        json.WriteString("type"u8, "application");
        json.WriteString("name"u8, "ingot");
        json.WriteEndObject();
        json.WriteEndArray();
        json.WriteEndObject();

        json.WriteStartObject("component"u8);
        json.WriteString("type"u8, "container");
        json.WriteString("bom-ref"u8, subject.Digest.ToString());
        json.WriteString("name"u8, subject.Name);
        json.WriteString("version"u8, subject.Digest.ToString());
        json.WriteString("purl"u8, PackageUrl.Oci(subject.Name, subject.Digest));
        json.WriteEndObject();

        WriteProperties(json, Looked(inventory));
        json.WriteEndObject();
    }

    // An image without a package database has no packages in its list: that they were looked for, where, and what was found is said, or a
    // list that is empty would say nothing.
    private static IEnumerable<(string Name, string Value)> Looked(PackageInventory inventory)
    {
        yield return (SbomPredicate.SourcesProperty, PackageInventory.Sources.ToString());
        foreach (var path in inventory.Databases.DefaultIfEmpty(SbomPredicate.NoDatabase))
            yield return (SbomPredicate.DatabaseProperty, path);
        foreach (var reason in inventory.Gaps)
            yield return (SbomPredicate.UnreadableProperty, reason);
    }

    private static void WriteComponents(Utf8JsonWriter json, PackageInventory inventory)
    {
        json.WriteStartArray("components"u8);
        if (inventory.Distribution is { } distribution)
        {
            json.WriteStartObject();
            json.WriteString("type"u8, "operating-system");
            json.WriteString("bom-ref"u8, SystemReference(distribution));
            json.WriteString("name"u8, distribution.Id);
            if (distribution.VersionId is not null)
                json.WriteString("version"u8, distribution.VersionId);
            json.WriteString("description"u8, distribution.PrettyName);
            json.WriteEndObject();
        }

        foreach (var package in inventory.Packages)
            WritePackage(json, package);
        json.WriteEndArray();
    }

    private static void WritePackage(Utf8JsonWriter json, Package package)
    {
        json.WriteStartObject();
        json.WriteString("type"u8, "library");
        json.WriteString("bom-ref"u8, package.Purl);
        json.WriteString("name"u8, package.Name);
        json.WriteString("version"u8, package.Version);
        json.WriteString("purl"u8, package.Purl);
        // Advisories of distributions are about source packages; the format has no field of its own for them.
        WriteProperties(json, [("ingot:source:name", package.SourceName), ("ingot:source:version", package.SourceVersion)]);
        json.WriteEndObject();
    }

    private static void WriteDependencies(Utf8JsonWriter json, SbomSubject subject, PackageInventory inventory)
    {
        json.WriteStartArray("dependencies"u8);
        json.WriteStartObject();
        json.WriteString("ref"u8, subject.Digest.ToString());
        json.WriteStartArray("dependsOn"u8);
        if (inventory.Distribution is { } distribution)
            json.WriteStringValue(SystemReference(distribution));
        foreach (var package in inventory.Packages)
            json.WriteStringValue(package.Purl);
        json.WriteEndArray();
        json.WriteEndObject();
        json.WriteEndArray();
    }

    // A list that is known to lack something says so.
    private static void WriteCompleteness(Utf8JsonWriter json, SbomSubject subject, PackageInventory inventory)
    {
        if (!inventory.Gaps.Any())
            return;

        json.WriteStartArray("compositions"u8);
        json.WriteStartObject();
        json.WriteString("aggregate"u8, "incomplete");
        json.WriteStartArray("assemblies"u8);
        json.WriteStringValue(subject.Digest.ToString());
        json.WriteEndArray();
        json.WriteEndObject();
        json.WriteEndArray();
    }

    private static void WriteProperties(Utf8JsonWriter json, IEnumerable<(string Name, string Value)> properties)
    {
        json.WriteStartArray("properties"u8);
        foreach (var (name, value) in properties)
        {
            json.WriteStartObject();
            json.WriteString("name"u8, name);
            json.WriteString("value"u8, value);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static string SystemReference(OsRelease distribution) => $"os:{distribution.Id}@{distribution.VersionId}";
}

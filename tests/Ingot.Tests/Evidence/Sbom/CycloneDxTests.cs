using System.Text.Json;
using System.Text.RegularExpressions;
using Ingot.Evidence.Packages;
using Ingot.Evidence.Sbom;
using Ingot.Oci.Content;

namespace Ingot.Tests.Evidence.Sbom;

public sealed partial class CycloneDxTests
{
    private static readonly SbomSubject s_subject = new("shop/web", Digest.Of("image"u8), "2024-05-06T07:08:09+02:00");

    private static readonly PackageInventory s_inventory = new(
        new OsRelease("debian", "12", "Debian GNU/Linux 12 (bookworm)"),
        [
            new Package("libstdc++6", "12.2.0-14", "amd64", "gcc-12", "12.2.0-14",
                "pkg:deb/debian/libstdc%2B%2B6@12.2.0-14?arch=amd64&distro=debian-12"),
            new Package("zlib1g", "1:1.2.13", "amd64", "zlib", "1:1.2.13", "pkg:deb/debian/zlib1g@1:1.2.13?arch=amd64&distro=debian-12"),
        ],
        []);

    [Fact]
    public void ADocumentObeysTheRulesOfTheFormat()
    {
        CycloneDxRules.Check(CycloneDx.Write(s_subject, s_inventory));
        CycloneDxRules.Check(CycloneDx.Write(s_subject with { Created = null }, new PackageInventory(null, [], [])));
        CycloneDxRules.Check(CycloneDx.Write(s_subject with { Created = "yesterday" },
            s_inventory with { Unreadable = ["'lib/apk/db/installed': not read"] }));
    }

    [Fact]
    public void ADocumentSaysWhatTheImageConsistsOf()
    {
        var root = CycloneDx.ToPredicate(s_subject, s_inventory);
        Assert.Equal("2024-05-06T05:08:09Z", root.GetProperty("metadata").GetProperty("timestamp").GetString());
        Assert.Equal($"pkg:oci/web@{s_subject.Digest}",
            root.GetProperty("metadata").GetProperty("component").GetProperty("purl").GetString());
        Assert.Equal(
            ["operating-system debian 12", "library libstdc++6 12.2.0-14", "library zlib1g 1:1.2.13"],
            root.GetProperty("components")
                .EnumerateArray()
                .Select(c => $"{c.GetProperty("type")} {c.GetProperty("name")} {c.GetProperty("version")}"));
        Assert.Equal(3, root.GetProperty("dependencies")[0].GetProperty("dependsOn").GetArrayLength());
    }

    [Fact]
    public void EqualContentGivesEqualBytesAndOtherContentAnotherSerialNumber()
    {
        Assert.Equal(CycloneDx.Write(s_subject, s_inventory), CycloneDx.Write(s_subject, s_inventory));
        Assert.NotEqual(Serial(s_inventory), Serial(s_inventory with { Packages = [s_inventory.Packages[0]] }));
        Assert.Matches(Version8(), Serial(s_inventory));
    }

    [Fact]
    public void AListThatLacksSomethingSaysSo()
    {
        var root = CycloneDx.ToPredicate(s_subject, s_inventory with { Unreadable = ["'x': broken"] });
        Assert.Equal("incomplete", root.GetProperty("compositions")[0].GetProperty("aggregate").GetString());
        Assert.Contains(root.GetProperty("metadata").GetProperty("properties").EnumerateArray(),
            p => p.GetProperty("value").GetString() == "'x': broken");
        Assert.Equal(["'x': broken", "its list is 'incomplete'"], SbomPredicate.FromPredicate(root).Lacks.Take(2));
    }

    [Fact]
    public void AListThatIsWholeLacksNothing()
    {
        var whole = CycloneDx.ToPredicate(s_subject, s_inventory with { Databases = ["var/lib/dpkg/status"] });
        Assert.False(whole.TryGetProperty("compositions", out _));
        Assert.Empty(SbomPredicate.FromPredicate(whole).Lacks);
        Assert.Equal(2, SbomPredicate.FromPredicate(whole).Packages);
        Assert.Empty(SbomPredicate.FromPredicate(CycloneDx.ToPredicate(s_subject, new PackageInventory(null, [], []))).Lacks);
    }

    private static string Serial(PackageInventory inventory) =>
        CycloneDx.ToPredicate(s_subject, inventory).GetProperty("serialNumber").GetString()!;

    [GeneratedRegex("^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")]
    private static partial Regex Version8();
}

/// <summary>The rules of the CycloneDX 1.6 schema for the parts that Ingot writes: which members may stand where, which must,
/// and the forms of their values.</summary>
internal static partial class CycloneDxRules
{
    private static readonly string[] s_componentTypes =
        ["application", "framework", "library", "container", "platform", "operating-system", "device", "device-driver", "firmware", "file",
            "machine-learning-model", "data", "cryptographic-asset"];

    private static readonly string[] s_aggregates =
        ["complete", "incomplete", "incomplete_first_party_only", "incomplete_first_party_proprietary_only",
            "incomplete_first_party_opensource_only", "incomplete_third_party_only", "incomplete_third_party_proprietary_only",
            "incomplete_third_party_opensource_only", "unknown", "not_specified"];

    public static void Check(byte[] document)
    {
        var root = JsonElement.Parse(document);
        Members(root, ["bomFormat", "specVersion"],
            ["$schema", "serialNumber", "version", "metadata", "components", "dependencies", "compositions", "properties"]);
        Assert.Equal("CycloneDX", root.GetProperty("bomFormat").GetString());
        Assert.Equal("1.6", root.GetProperty("specVersion").GetString());
        Assert.Equal("http://cyclonedx.org/schema/bom-1.6.schema.json", root.GetProperty("$schema").GetString());
        Assert.Matches(SerialNumber(), root.GetProperty("serialNumber").GetString());
        Assert.True(root.GetProperty("version").GetInt32() >= 1);

        HashSet<string> references = [];
        Metadata(root.GetProperty("metadata"), references);
        foreach (var component in root.GetProperty("components").EnumerateArray())
            Component(component, references);
        foreach (var dependency in root.GetProperty("dependencies").EnumerateArray())
            Dependency(dependency, references);
        if (root.TryGetProperty("compositions", out var compositions))
            Compositions(compositions, references);
    }

    private static void Metadata(JsonElement metadata, HashSet<string> references)
    {
        Members(metadata, [], ["timestamp", "tools", "component", "properties"]);
        if (metadata.TryGetProperty("timestamp", out var timestamp))
            Assert.True(timestamp.TryGetDateTimeOffset(out _));
        Members(metadata.GetProperty("tools"), [], ["components", "services"]);
        foreach (var tool in metadata.GetProperty("tools").GetProperty("components").EnumerateArray())
            Component(tool, references);
        Component(metadata.GetProperty("component"), references);
        Properties(metadata);
    }

    private static void Component(JsonElement component, HashSet<string> references)
    {
        Members(component, ["type", "name"], ["bom-ref", "version", "description", "purl", "properties"]);
        Assert.Contains(component.GetProperty("type").GetString(), s_componentTypes);
        Assert.NotEqual("", component.GetProperty("name").GetString());
        if (component.TryGetProperty("bom-ref", out var reference))
            Assert.True(references.Add(reference.GetString()!), $"'{reference}' stands twice");
        if (component.TryGetProperty("purl", out var purl))
            Assert.Matches(PackageUrl(), purl.GetString());
        Properties(component);
    }

    private static void Dependency(JsonElement dependency, HashSet<string> references)
    {
        Members(dependency, ["ref"], ["dependsOn", "provides"]);
        Assert.Contains(dependency.GetProperty("ref").GetString()!, references);
        var on = dependency.GetProperty("dependsOn").EnumerateArray().Select(d => d.GetString()!).ToList();
        Assert.Equal(on.Count, on.Distinct().Count());
        Assert.All(on, d => Assert.Contains(d, references));
    }

    private static void Compositions(JsonElement compositions, HashSet<string> references)
    {
        foreach (var composition in compositions.EnumerateArray())
        {
            Members(composition, ["aggregate"], ["assemblies", "dependencies", "vulnerabilities", "bom-ref", "signature"]);
            Assert.Contains(composition.GetProperty("aggregate").GetString(), s_aggregates);
            Assert.All(composition.GetProperty("assemblies").EnumerateArray(), a => Assert.Contains(a.GetString()!, references));
        }
    }

    private static void Properties(JsonElement parent)
    {
        if (!parent.TryGetProperty("properties", out var properties))
            return;

        foreach (var property in properties.EnumerateArray())
            Members(property, ["name"], ["value"]);
    }

    private static void Members(JsonElement element, string[] required, string[] allowed)
    {
        var found = element.EnumerateObject().Select(p => p.Name).ToList();
        Assert.Equal(found.Count, found.Distinct().Count());
        Assert.Empty(required.Except(found));
        Assert.Empty(found.Except(required).Except(allowed));
    }

    [GeneratedRegex("^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")]
    private static partial Regex SerialNumber();

    [GeneratedRegex("^pkg:[a-z]+/[A-Za-z0-9._~%/-]+@[A-Za-z0-9._~%:-]+(\\?[a-z_]+=[A-Za-z0-9._~%:-]+(&[a-z_]+=[A-Za-z0-9._~%:-]+)*)?$")]
    private static partial Regex PackageUrl();
}

using System.Text.Json;
using Ingot.Evidence.Provenance;
using Ingot.Oci.Content;

namespace Ingot.Tests.Evidence.Provenance;

public sealed class ProvenanceTests
{
    private static readonly SlsaProvenance s_provenance = new()
    {
        BuildDefinition = new BuildDefinition
        {
            BuildType = "https://ingot.dev/build/dockerfile/v1",
            ExternalParameters = JsonElement.Parse("""{"target":"web","arguments":{"A":"1"}}"""),
            ResolvedDependencies = [ResourceDescriptor.Of("base", Digest.Of("base"u8), "pkg:oci/base")],
        },
        RunDetails = new RunDetails
        {
            Builder = new ProvenanceBuilder { Id = "https://ingot.dev/builder" },
            Metadata = new RunMetadata { StartedOn = new DateTimeOffset(2024, 5, 6, 7, 8, 9, TimeSpan.FromHours(2)), FinishedOn = null },
            Byproducts = [new ResourceDescriptor { Name = "shadow-dates@1" }],
        },
    };

    [Fact]
    public void ProvenanceHasOneForm() => Assert.Equal(
        $$$"""{"buildDefinition":{"buildType":"https://ingot.dev/build/dockerfile/v1","externalParameters":{"target":"web","arguments":{"A":"1"}},"resolvedDependencies":[{"name":"base","uri":"pkg:oci/base","digest":{"sha256":"{{{Digest.Of("base"u8).Hex}}}"}}]},"runDetails":{"builder":{"id":"https://ingot.dev/builder"},"metadata":{"startedOn":"2024-05-06T05:08:09Z"},"byproducts":[{"name":"shadow-dates@1"}]}}""",
        s_provenance.ToPredicate().GetRawText());

    [Fact]
    public void ProvenanceComesBack()
    {
        var read = SlsaProvenance.FromPredicate(s_provenance.ToPredicate());
        Assert.Equal(s_provenance.ToPredicate().GetRawText(), read.ToPredicate().GetRawText());
        Assert.Equal(s_provenance.RunDetails.Metadata!.StartedOn, read.RunDetails.Metadata!.StartedOn);
    }

    [Theory]
    [InlineData("null")]
    [InlineData("{}")]
    [InlineData("""{"buildDefinition":{"buildType":"x"},"runDetails":{"builder":{"id":"x"}}}""")]
    [InlineData("""{"buildDefinition":{"buildType":"x","externalParameters":{}},"runDetails":{"builder":{}}}""")]
    [InlineData(
        """{"buildDefinition":{"buildType":"x","externalParameters":{}},"runDetails":{"builder":{"id":"x"},"metadata":{"startedOn":"yesterday"}}}""")]
    public void WhatIsNoProvenanceIsRefused(string json) =>
        Assert.Throws<FormatException>(() => SlsaProvenance.FromPredicate(JsonElement.Parse(json)));
}

using System.Text.Json;
using System.Text.Json.Nodes;
using Ingot.Diagnostics;
using Ingot.Evidence.Provenance;
using Ingot.Oci.Content;
using Ingot.Plans;
using Ingot.Projects;
using Ingot.Projects.Recipes;

namespace Ingot.Tests.Projects.Recipes;

public sealed class BuildProvenanceTests
{
    private static readonly BuildRecipe s_recipe = new()
    {
        Project = "shop",
        Image = "web",
        Version = "1.0",
        Dockerfile = "web/Dockerfile",
        Context = "web",
        Target = "final",
        Arguments = [new("WORD", "a b=c"), new("EMPTY", "")],
        Labels = [new("made", "here")],
        Contexts = new Dictionary<string, string> { ["near"] = "/home/me/shop/shared", ["far"] = "docker-image://debian:12" },
        Platform = "linux/amd64",
        Epochs = new Dictionary<string, long> { ["base"] = 315532800, ["web"] = 1 },
        RulesOff = ["pip-cache"],
        AllRulesOff = ["npm-cache", "pip-cache"],
        Rules = ["apt-logs@1"],
        Bootstraps = new Dictionary<string, IReadOnlyList<InstalledPackage>>
        {
            ["base"] = [new("libc6", "amd64", "2.36-9+deb12u9", Digest.Of([1]))],
        },
        Codec = "gzip 6 of some library",
        Template = Digest.Of([2]),
        Commit = new string('a', 40),
        Remote = "https://code.example/shop.git",
        Prefix = "services/web/",
        Directory = "/home/me/shop/services/web",
        Bases = new Dictionary<string, Digest> { ["debian:12"] = Digest.Of([3]), ["template"] = Digest.Of([4]) },
        Secrets = ["token"],
        SshAgents = ["default"],
        Allow = ["network.host"],
        Network = "none",
        Hosts = ["10.0.0.7\tmirror"],
        SharedMemory = 1 << 20,
        Limits = ["nofile=1:2"],
        Annotations = [new("a", "b=c")],
        ExemptSecrets = ["token"],
        Materials = [new("https://files.example/x", Digest.Of([5]).ToString()), new("https://code.example/other.git", new string('b', 40))],
        Started = DateTimeOffset.UnixEpoch,
        Finished = DateTimeOffset.UnixEpoch,
        Ingot = "0.1.0",
    };

    [Fact]
    public void WhatItTakesToBuildAgainIsReadBackAndNothingOfTheHost()
    {
        var predicate = BuildProvenance.Of(
            s_recipe with
            {
                Contexts = new Dictionary<string, string>
                {
                    ["near"] = "/home/me/shop/shared",
                    ["far"] = "docker-image://debian:12"
                }
            }, "0.1.0").ToPredicate();

        var read = BuildProvenance.Read(SlsaProvenance.FromPredicate(predicate), "web");

        Assert.DoesNotContain("/home/me", predicate.GetRawText(), StringComparison.Ordinal);
        Assert.Equal("../../shared", read.Contexts["near"]);
        // Of no use to who repeats the build.
        var expected = s_recipe with
        {
            Contexts = new Dictionary<string, string>
            {
                ["far"] = "docker-image://debian:12",
                ["near"] = "../../shared"
            },
            Directory = null,
            Given = [],
            Rules = [],
            AllRulesOff = [],
            Materials = [],
            Started = null,
            Finished = null
        };
        Assert.Equal(JsonSerializer.Serialize(expected, BuildRecipeJson.Default.BuildRecipe),
            JsonSerializer.Serialize(read, BuildRecipeJson.Default.BuildRecipe));
    }

    [Theory]
    [InlineData("git@code.example:team/shop.git", "ssh://git@code.example/team/shop.git")]
    [InlineData("/srv/git/shop.git", "file:///srv/git/shop.git")]
    [InlineData("ssh://git@code.example/shop.git", "ssh://git@code.example/shop.git")]
    [InlineData("../shop.git", null)]
    [InlineData(null, null)]
    public void ARemoteIsAnAddressThatOthersCanUse(string? remote, string? expected) =>
        Assert.Equal(expected, BuildProvenance.Read(BuildProvenance.Of(s_recipe with { Remote = remote }, "0.1.0"), "web").Remote);

    [Fact]
    public void WhatCannotBeRepeatedIsSaid()
    {
        AssertLacks("made from a modified tree, which nobody can repeat", s_recipe with { IsDirty = true });
        AssertLacks("in no repository", s_recipe with { Commit = null });
        AssertLacks("came from standard input", s_recipe with { Dockerfile = "-" });
        AssertLacks("its context lay outside of the repository", s_recipe with { Context = "../../../elsewhere" });
        AssertLacks("the context 'near' was a directory outside of the repository",
            s_recipe with { Contexts = new Dictionary<string, string> { ["near"] = "/home/me/other" } });
    }

    [Theory]
    [InlineData("buildType", "\"https://elsewhere.example/v1\"", "not a build by Ingot")]
    [InlineData("externalParameters/directory", "\"../..\"", "leads out of the repository")]
    [InlineData("externalParameters/directory", "\"/etc\"", "not a path in a repository")]
    [InlineData("externalParameters/context", "\"../../../etc\"", "leads out of the repository")]
    [InlineData("externalParameters/context", "\"x/../../../../etc/x\"", "leads out of the repository")]
    [InlineData("externalParameters/dockerfile", "\"/etc/passwd\"", "not a path in a repository")]
    [InlineData("externalParameters/contexts", "{\"x\":\"/etc\"}", "not a path in a repository")]
    [InlineData("externalParameters/arguments", "[\"NAME\"]", "has no value")]
    [InlineData("externalParameters/arguments", "\"A=b C=d\"", "not those of this version")]
    [InlineData("externalParameters/platform", null, "not those of this version")]
    [InlineData("externalParameters", "[]", "not those of this version")]
    [InlineData("internalParameters", null, "no parameters")]
    [InlineData("internalParameters/epochs", "{\"web\":\"soon\"}", "not those of this version")]
    [InlineData("resolvedDependencies/1/digest/gitCommit", "\"--upload-pack=touch /tmp/x\"", "its source is not a commit")]
    [InlineData("resolvedDependencies/1/digest/gitCommit", "\"HEAD\"", "its source is not a commit")]
    [InlineData("resolvedDependencies/1/annotations/kind", "\"material\"", "in no repository")]
    public void WhatSomebodyElseWroteIsNotBelievedBlindly(string path, string? value, string why)
    {
        var predicate = JsonNode.Parse(BuildProvenance.Of(s_recipe, "0.1.0").ToPredicate().GetRawText())!;
        string[] names = ["buildDefinition", .. path.Split('/')];
        var parent = names[..^1].Aggregate(predicate, (node, name) => int.TryParse(name, out int index) ? node[index]! : node[name]!);
        if (value is null)
            parent.AsObject().Remove(names[^1]);
        else
            parent[names[^1]] = JsonNode.Parse(value);

        var error = Assert.Throws<InvalidInputException>(() =>
            BuildProvenance.Read(SlsaProvenance.FromPredicate(JsonSerializer.SerializeToElement(predicate)), "web"));
        Assert.Contains(why, error.Message, StringComparison.Ordinal);
    }

    private static void AssertLacks(string why, BuildRecipe recipe)
    {
        var error = Assert.Throws<InvalidInputException>(() => BuildProvenance.Read(BuildProvenance.Of(recipe, "0.1.0"), "web"));
        Assert.Contains(why, error.Message, StringComparison.Ordinal);
    }
}

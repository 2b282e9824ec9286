using System.Text.Json;
using Ingot.Evidence;
using Ingot.Evidence.Packages;
using Ingot.Evidence.Sbom;
using Ingot.Evidence.Secrets;
using Ingot.Evidence.Signatures;
using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Server.Access;
using Ingot.Server.Api;
using Ingot.Server.Control;
using Ingot.Server.Ledger;
using Ingot.Server.Tests.Registry;
using Ingot.Testing;

namespace Ingot.Server.Tests.Control;

/// <summary>What a client that may push, and no more, can do to have an image admitted that nobody proved: the registry, the ledger and the
/// desk are the real ones.</summary>
public sealed class EvidenceDoorTests
{
    private const string Yaml = """
        ingot: 1
        project: shop
        images:
          web: { dockerfile: Dockerfile, version: 1.0.0, tests: web/goss.yaml, claims: [non-root, no-shell] }
          api: { dockerfile: Dockerfile, version: 1.0.0, tests: web/goss.yaml, claims: [non-root, no-shell] }
        stages:
          test: { gates: [built-by-us, tests-passed, no-secrets, sbom-present, claims-hold] }
        """;

    private static readonly Principal s_root = new("ann", Role.Administrator);
    private static readonly string s_commit = new('a', 40);

    [Fact]
    public async Task WhatWasProvedIsAdmittedAndShownWithItsVersion()
    {
        await using var door = await Door.OpenAsync();
        var image = await door.PublishAsync("shop", "web", "1.0.0", "the program");
        var decision = await door.PromoteAsync("shop", "web", image);
        Assert.True(decision.Decision == "admitted", string.Join('\n', decision.Gates));
        Assert.Equal("1.0.0", decision.Version);
    }

    [Fact]
    public async Task AnImageCopiedWithAllItsReferrersIntoAnotherProjectIsRefused()
    {
        await using var door = await Door.OpenAsync();
        var image = await door.PublishAsync("shop", "web", "1.0.0", "the program");
        await door.ApplyAsync("other", Yaml.Replace("project: shop", "project: other", StringComparison.Ordinal));
        foreach (var repository in new[] { "other/web", "shop/api" })
        {
            await door.CopyAsync("shop/web", repository, image);
            var (project, name) = (repository.Split('/')[0], repository.Split('/')[1]);
            var decision = await door.PromoteAsync(project, name, image);
            Assert.Equal("refused", decision.Decision);
            Assert.All(decision.Gates.Where(g => g.Gate is not "not-revoked"), g => Assert.Equal("unknown", g.Verdict));
            Assert.Contains("one is about 'shop/web'", decision.Gates[1].Reason, StringComparison.Ordinal);
            Assert.Null(decision.Version);
        }
    }

    [Fact]
    public async Task TheSameBytesProvedInBothProjectsAreAdmittedInBoth()
    {
        await using var door = await Door.OpenAsync();
        await door.ApplyAsync("other", Yaml.Replace("project: shop", "project: other", StringComparison.Ordinal));
        var first = await door.PublishAsync("shop", "web", "1.0.0", "the program");
        var second = await door.PublishAsync("other", "web", "1.0.0", "the program");
        Assert.Equal(first, second);
        Assert.Equal("admitted", (await door.PromoteAsync("shop", "web", first)).Decision);
        Assert.Equal("admitted", (await door.PromoteAsync("other", "web", second)).Decision);
    }

    [Fact]
    public async Task WhatAnotherKeySignedIsRefused()
    {
        await using var door = await Door.OpenAsync();
        using var stranger = SigningKey.Create();
        var image = await door.PublishAsync("shop", "web", "1.0.0", "the program", stranger);
        var decision = await door.PromoteAsync("shop", "web", image);
        Assert.Equal("refused", decision.Decision);
        Assert.Contains("none of the trusted keys", decision.Gates[1].Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ATestFileThatChangedSinceAsksAgain()
    {
        await using var door = await Door.OpenAsync();
        var image = await door.PublishAsync("shop", "web", "1.0.0", "the program");
        await door.ApplyAsync("shop", Yaml, tests: Digest.Of("file: { /web: { mode: 0755 } }"u8));
        var decision = await door.PromoteAsync("shop", "web", image);
        var tests = decision.Gates.Single(g => g.Gate == "tests-passed");
        Assert.Equal(("refused", "unknown"), (decision.Decision, tests.Verdict));
        Assert.Contains("ingot up", tests.Cure, StringComparison.Ordinal);
        // What was built before the project changed stays built by us.
        Assert.Equal("pass", decision.Gates.Single(g => g.Gate == "built-by-us").Verdict);
    }

    [Fact]
    public async Task AProjectAppliedWithoutItsTestFilesKnowsNoAnswer()
    {
        await using var door = await Door.OpenAsync();
        var image = await door.PublishAsync("shop", "web", "1.0.0", "the program");
        await door.Projects.ApplyAsync("shop", new ProjectRequest(Yaml + "\n"), s_root, default);
        Assert.Equal("unknown", (await door.PromoteAsync("shop", "web", image)).Gates.Single(g => g.Gate == "tests-passed").Verdict);
    }

    [Fact]
    public async Task AFailureIsNotUndoneByPushingTheOldPassAgain()
    {
        await using var door = await Door.OpenAsync();
        var image = await door.PublishAsync("shop", "web", "1.0.0", "the program");
        await door.AttachAsync("shop/web", image,
            Statement.About(image, new StatementBinding("shop", "web", TimeProvider.System.GetUtcNow()), PredicateType.TestResult,
                SampleEvidence.TestResult("FAILED", ["file /web: mode"])));
        await door.ReplayAsync("shop/web", image);
        var tests = (await door.PromoteAsync("shop", "web", image)).Gates.Single(g => g.Gate == "tests-passed");
        Assert.Equal("fail", tests.Verdict);
        Assert.Contains("file /web: mode", tests.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task WhatWasBuiltFromElsewhereIsRefused()
    {
        await using var door = await Door.OpenAsync();
        var image = await door.PublishAsync("shop", "web", "1.0.0", "the program", commit: new string('b', 40));
        var built = (await door.PromoteAsync("shop", "web", image)).Gates.Single(g => g.Gate == "built-by-us");
        Assert.Equal("unknown", built.Verdict);
        Assert.Contains("the project was never applied with these", built.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task TheNewestIsWhatTheProjectBuiltAndNotWhatWasPushedLast()
    {
        await using var door = await Door.OpenAsync();
        var first = await door.PublishAsync("shop", "web", "1.0.0", "one");
        var second = await door.PublishAsync("shop", "web", "1.1.0", "two");
        // A stranger's image; an old one of ours under a new name; and one with somebody else's evidence.
        await door.Registry.PublishAsync("shop/web", "9.0.0", "a stranger's");
        await RegistryFixture.ExpectAsync(201, await door.Registry.PutManifestAsync("shop/web", "9.1.0", await door.BytesAsync(first)));
        using var stranger = SigningKey.Create();
        await door.PublishAsync("shop", "web", "9.2.0", "another stranger's", stranger);

        var newest = await door.Desk.ResolveAsync("shop", "web", tag: null, digest: null, default);
        Assert.Equal((second, "1.1.0"), (newest.Digest, newest.Version));
        Assert.Equal("1.0.0", (await door.Desk.ResolveAsync("shop", "web", null, first.ToString(), default)).Version);
        Assert.Null((await door.Desk.ResolveAsync("shop", "web", "9.0.0", null, default)).Version);
        var error = await Assert.ThrowsAsync<ApiException>(() => door.Desk.ResolveAsync("shop", "api", null, null, default));
        Assert.Equal("not_found", error.Code);
    }

    [Theory]
    [InlineData("nothing", "web/goss.yaml", null, null)]
    [InlineData("web", "web/other.yaml", null, null)]
    [InlineData("web", "web/goss.yaml", "main", null)]
    [InlineData("web", "web/goss.yaml", null, "git+https://code.example/shop.git")]
    [InlineData("web", "web/goss.yaml", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "a\u001b[2J")]
    public async Task WhatAnApplicationSaysOfImagesIsChecked(string image, string test, string? commit, string? repository)
    {
        await using var door = await Door.OpenAsync();
        var request = new ProjectRequest(Yaml,
            [new ProjectImageRequest(image, [new ProjectFileRequest(test, SampleEvidence.TestDigest)], repository, commit)]);
        Assert.Equal("invalid",
            (await Assert.ThrowsAsync<ApiException>(() => door.Projects.ApplyAsync("shop", request, s_root, default))).Code);
    }

    [Fact]
    public async Task AnApplicationIsRecordedWhenAnyOfItChanged()
    {
        await using var door = await Door.OpenAsync();
        Assert.False(await door.ApplyAsync("shop", Yaml));
        Assert.True(await door.ApplyAsync("shop", Yaml, tests: Digest.Of("changed"u8)));
        Assert.True(await door.ApplyAsync("shop", Yaml, tests: Digest.Of("changed"u8), commit: new string('c', 40)));
        Assert.False((await door.Projects.ApplyAsync("shop", new ProjectRequest(Yaml), s_root, default)).Changed);
    }

    [Fact]
    public async Task NobodyPushesOutWhatOthersApplied()
    {
        await using var door = await Door.OpenAsync();
        var image = await door.PublishAsync("shop", "web", "1.0.0", "the program");
        Assert.Equal("admitted", (await door.PromoteAsync("shop", "web", image)).Decision);
        for (int i = 0; i < 505; i++)
            await door.ApplyAsync("shop", Yaml, commit: i.ToString("x40", System.Globalization.CultureInfo.InvariantCulture),
                by: new Principal("mallory", Role.Administrator));
        Assert.Equal("1.0.0", (await door.Desk.ResolveAsync("shop", "web", null, null, default)).Version);
        // One who applies two by turns has two.
        var again = new ProjectBook(door.Registry.Ledger);
        for (int i = 0; i < 3; i++)
            await door.ApplyAsync("shop", Yaml, commit: new string((char)('b' + (i % 2)), 40));
        foreach (var projects in (ProjectBook[])[again, door.Projects])
        {
            var sources = door.Registry.Ledger.Read(view => projects.Sources(view, "shop", "web"));
            Assert.Equal([new string('b', 40), new string('c', 40), 504.ToString("x40", System.Globalization.CultureInfo.InvariantCulture)],
                sources.Take(3).Select(s => s.Commit));
            Assert.Equal(503, sources.Count);
        }
    }

    [Fact]
    public async Task OnlyAVersionThatIsProvedKeepsItsTagFromBeingFreed()
    {
        await using var door = await Door.OpenAsync();
        var image = await door.PublishAsync("shop", "web", "1.0.0", "the program");
        Assert.True(await door.Candidates.IsVersionAsync("shop/web", "1.0.0", image, default));
        Assert.False(await door.Candidates.IsVersionAsync("shop/web", "1.0.1", image, default));
        // Where nothing is proved nothing can be told.
        Assert.True(await door.Candidates.IsVersionAsync("shop/web", "1.0.1", Digest.Of([1]), default));
        Assert.True(await door.Candidates.IsVersionAsync("shop/none", "1.0.1", image, default));
        Assert.True(await door.Candidates.IsVersionAsync("web", "1.0.1", image, default));
    }

    [Fact]
    public async Task ApplyingTheOldTestsAgainDoesNotUndoAFailure()
    {
        await using var door = await Door.OpenAsync();
        var image = await door.PublishAsync("shop", "web", "1.0.0", "the program");
        var strict = Digest.Of("file: { /web: { mode: 0755 } }"u8);
        await door.ApplyAsync("shop", Yaml, tests: strict);
        var binding = new StatementBinding("shop", "web", TimeProvider.System.GetUtcNow());
        await door.AttachAsync("shop/web", image, Statement.About(image, binding, PredicateType.TestResult,
            SampleEvidence.TestResult("FAILED", ["file /web: mode"], digest: strict)));
        await door.ApplyAsync("shop", Yaml);
        var decision = await door.PromoteAsync("shop", "web", image);
        Assert.Equal(("refused", "fail"), (decision.Decision, decision.Gates.Single(g => g.Gate == "tests-passed").Verdict));
    }

    private sealed class Door : IAsyncDisposable
    {
        private readonly SigningKey _key;

        private Door(RegistryFixture registry, SigningKey key)
        {
            Registry = registry;
            _key = key;
            Projects = new ProjectBook(registry.Ledger);
            var shelf = new EvidenceShelf(registry.Ledger, registry.Store, new KeyBook(registry.Ledger, new KeyStore(registry.Home.Keys)));
            Candidates = new Candidates(registry.Ledger, Projects, shelf, TimeProvider.System);
            Desk = new PromotionDesk(registry.Ledger, Projects, Candidates);
        }

        public RegistryFixture Registry { get; }

        public ProjectBook Projects { get; }

        public Candidates Candidates { get; }

        public PromotionDesk Desk { get; }

        public static async Task<Door> OpenAsync()
        {
            var registry = await RegistryFixture.StartAsync();
            var door = new Door(registry, await new KeyStore(registry.Home.Keys).LoadOrCreateAsync());
            await door.ApplyAsync("shop", Yaml);
            return door;
        }

        public async Task<bool> ApplyAsync(string project, string yaml, Digest? tests = null, string? commit = null, Principal? by = null)
        {
            ProjectImageRequest Image(string name) =>
                new(name, [new ProjectFileRequest(SampleEvidence.TestName, tests ?? SampleEvidence.TestDigest)],
                    "git+https://code.example/shop.git", commit ?? s_commit);
            return (await Projects.ApplyAsync(project, new ProjectRequest(yaml, [Image("web"), Image("api")]),
                by ?? s_root, default)).Changed;
        }

        public Task<DecisionReply> PromoteAsync(string project, string image, Digest digest) =>
            Desk.PromoteAsync(new PromotionRequest(project, image, "test", digest), "ann", default);

        /// <summary>What <c>up</c> does once it has built an image and found nothing against it.</summary>
        public async Task<Digest> PublishAsync(
            string project, string image, string version, string text, SigningKey? key = null, string? commit = null)
        {
            string repository = $"{project}/{image}";
            var bytes = await Registry.MakeImageAsync(repository, text);
            var digest = Digest.Of(bytes);
            await RegistryFixture.ExpectAsync(201, await Registry.PutManifestAsync(repository, digest.ToString(), bytes));
            var binding = new StatementBinding(project, image, TimeProvider.System.GetUtcNow());
            var layers = ImageJson.ReadManifest(bytes).Layers!.Select(l => l.Digest).ToList();
            (string Type, JsonElement Predicate)[] found =
            [
                (PredicateType.Provenance, Provenance(project, image, version, commit ?? s_commit)),
                (PredicateType.TestResult, SampleEvidence.TestResult()),
                (PredicateType.CycloneDx, CycloneDx.ToPredicate(new SbomSubject(repository, digest), new PackageInventory(null, [], []))),
                (PredicateType.SecretScan, new SecretReport([], layers, 1, 1, IsCut: false).ToPredicate()),
                (PredicateType.Claims, SampleEvidence.ClaimsOf([("non-root", true), ("no-shell", true)])),
            ];
            await AttachAsync(repository, digest, key ?? _key,
                [.. found.Select(f => Statement.About(digest, binding, f.Type, f.Predicate))]);
            await RegistryFixture.ExpectAsync(201, await Registry.PutManifestAsync(repository, version, bytes));
            return digest;
        }

        public Task AttachAsync(string repository, Digest image, params Statement[] statements) =>
            AttachAsync(repository, image, _key, statements);

        /// <summary>As an anonymous client: the image, its referrers and their tags, byte for byte.</summary>
        public async Task CopyAsync(string from, string to, Digest image)
        {
            await RegistryFixture.ExpectAsync(201, await Registry.PutManifestAsync(to, image.ToString(), await BytesAsync(image)));
            foreach (var referrer in Registry.Ledger.Read(view => view.Referrers(from, image)))
                await RegistryFixture.ExpectAsync(201,
                    await Registry.PutManifestAsync(to, referrer.Digest.ToString(), await BytesAsync(referrer.Digest)));
            foreach (var tag in Registry.Ledger.Read(view => view.Tags(from)))
                await RegistryFixture.ExpectAsync(201, await Registry.PutManifestAsync(to, tag.Tag, await BytesAsync(tag.Digest)));
        }

        /// <summary>Every bundle again, in a manifest with another note.</summary>
        public async Task ReplayAsync(string repository, Digest image)
        {
            foreach (var referrer in Registry.Ledger.Read(view => view.Referrers(repository, image)))
            {
                var manifest = ImageJson.ReadManifest(await BytesAsync(referrer.Digest));
                if (manifest.Annotations?["dev.sigstore.bundle.predicateType"] != PredicateType.TestResult
                    || (await PredicateAsync(manifest)).Contains("file /web: mode", StringComparison.Ordinal))
                    continue;
                var again = ImageJson.Write(manifest with
                {
                    Annotations = new(manifest.Annotations, StringComparer.Ordinal) { ["again"] = "yes" },
                });
                await RegistryFixture.ExpectAsync(201, await Registry.PutManifestAsync(repository, Digest.Of(again).ToString(), again));
            }
        }

        public async Task<byte[]> BytesAsync(Digest digest) => await Registry.Store.ReadRequiredAsync(digest);

        public async ValueTask DisposeAsync()
        {
            _key.Dispose();
            await Registry.DisposeAsync();
        }

        private async Task AttachAsync(string repository, Digest image, SigningKey key, Statement[] statements)
        {
            var subject = Descriptor.Of(MediaType.Manifest, await BytesAsync(image));
            foreach (var written in await new EvidenceWriter(Registry.Store, key, TimeProvider.System).WriteAsync(subject, statements,
                reference: repository))
            {
                if (written.Tag is null)
                    await RegistryFixture.ExpectAsync(201, await Registry.PutManifestAsync(repository, written.Descriptor.Digest.ToString(),
                        await BytesAsync(written.Descriptor.Digest)));
            }
        }

        private async Task<string> PredicateAsync(Manifest manifest) =>
            Statement.Parse(SigstoreBundle.Read(await BytesAsync(manifest.Layers![0].Digest)).Payload).Predicate.GetRawText();

        private static JsonElement Provenance(string project, string image, string version, string commit)
        {
            string text = Yaml.Replace("project: shop", $"project: {project}", StringComparison.Ordinal);
            return SampleEvidence.Provenance(project, image, version, Digest.Of(System.Text.Encoding.UTF8.GetBytes(text)), commit);
        }
    }
}

using System.Text;
using System.Text.Json;
using Ingot.Oci.Content;
using Ingot.Server.Ledger;
using static Ingot.Server.Ledger.LedgerEvent;

namespace Ingot.Server.Tests.Ledger;

/// <summary>The life of some releases: every kind of event, in an order that makes sense.</summary>
internal static class SampleEvents
{
    public static Digest DigestOf(string text) => Digest.Of(Encoding.UTF8.GetBytes(text));

    public static IEnumerable<LedgerEvent> Lives(int count) =>
        [.. Enumerable.Range(1, count).SelectMany(Life), .. count > 0 ? [.. Later(), .. Large(), .. Latest()] : (LedgerEvent[])[]];

    public static IEnumerable<LedgerEvent> Life(int n)
    {
        var image = DigestOf($"image {n}");
        var evidence = DigestOf($"evidence {n}");
        string repository = $"shop/web{n % 3}";
        string rollout = $"r{n:000}";
        yield return new ServerStarted("0.1.0");
        yield return new KeyCreated($"k{n}", "sign", "-----BEGIN PUBLIC KEY-----\nMFkw\n-----END PUBLIC KEY-----");
        yield return new KeyTrusted($"t{n}", "sign", "another");
        yield return new KeyRetired($"k{n}", "rotated");
        yield return new ProjectApplied("shop", DigestOf($"yaml {n}"), $"ingot: 1\nproject: shop # {n} ä\n");
        yield return new ImagePublished(repository, image, MediaType.Manifest, 1000 + n, null);
        yield return new TagBound(repository, $"1.{n}", image);
        yield return new TagBound(repository, $"tmp{n}", image);
        yield return new TagDeleted(repository, $"tmp{n}", image);
        yield return new EvidenceAttached(repository, image, evidence, MediaType.Manifest, 500,
            "application/vnd.dev.sigstore.bundle.v0.3+json", "https://slsa.dev/provenance/v1");
        yield return new ImagePublished(repository, DigestOf($"wrong {n}"), MediaType.Index, 3, null);
        yield return new ManifestDeleted(repository, DigestOf($"wrong {n}"), "pushed by mistake");
        yield return new BlobDeleted(repository, DigestOf($"blob {n}"));
        yield return new BlobDeleted(repository, DigestOf($"other {n}"));
        yield return new BlobRestored(repository, DigestOf($"other {n}"));
        yield return new PromotionDecided("shop", "web", repository, image, "staging", n % 2 == 0,
            [new GateRecord("tests-passed", "pass", "12 of 12", [evidence]), new GateRecord("claims", "unknown", "no evidence", [])]);
        yield return new Approved("shop", "web", image, "production", "alice", "looks good");
        yield return new Rejected("shop", "web", image, "production", "bob", "not on a Friday");
        yield return new ReleaseRequested("shop", "web", "production", repository, image, "release", Json("""{"replicas":3}"""),
            rollout, n, $"1.{n}");
        yield return new RolloutIntent(rollout, "start-1", "start", Json("""{"instances":["a","b"]}"""));
        yield return new RolloutAcknowledged(rollout, "start-1", "done");
        yield return new RolloutStateChanged(rollout, "Shifting", "warm", Json("""{ "step" : 1, "share": 0.05 }"""));
        yield return new RolloutPaused(rollout, "alice", "lunch", DateTimeOffset.UnixEpoch.AddDays(n));
        yield return new RolloutResumed(rollout, "alice", "back");
        yield return new RolloutFinished(rollout, "done", "all served", Json("""{"requests":1000}"""));
        yield return new GenerationRetired("shop", "web", "production", n, "superseded");
        yield return new Revoked("shop", "web", image, "CVE-2026-1");
        yield return new Quarantined("shop", "web", "production", image, "failed");
        yield return new Quarantined("shop", "web", "staging", image, "failed too");
        yield return new QuarantineLifted("shop", "web", "production", image, "was the network");
    }

    /// <summary>Events that are too long for an entry.</summary>
    public static IEnumerable<LedgerEvent> Large() =>
        [new ProjectApplied("large", DigestOf("large"), string.Concat(Enumerable.Range(0, 500).Select(i => $"# line {i}\n")))];

    /// <summary>Kinds that came last.</summary>
    public static IEnumerable<LedgerEvent> Latest() => [new ServiceStopping("shop", "api", "staging", "no longer needed")];

    /// <summary>Events that name documents, which are nowhere.</summary>
    public static IEnumerable<LedgerEvent> Named()
    {
        yield return new ProjectApplied("large", DigestOf("large"), "", null, new DocumentName(DigestOf("text"), 4),
            new DocumentName(DigestOf("images"), 6));
        yield return new PromotionDecided("shop", "api", "shop/api", DigestOf("api"), "staging", true, [],
            new DocumentName(DigestOf("gates"), 5));
    }

    /// <summary>Kinds that were added later; once, so that the numbers in tests stay.</summary>
    public static IEnumerable<LedgerEvent> Later()
    {
        yield return new ReleaseRequested("shop", "api", "staging", "shop/api", DigestOf("api"), "release", Json("{}"), "later", 1);
        yield return new RolloutMeasured("later", Json("""{"requests":7}"""));
        yield return new RepairIntended("shop", "api", "staging", "repair-1", "start", Json("""{"instances":["a"]}"""));
        yield return new RepairAcknowledged("shop", "api", "staging", "repair-1", "done");
        yield return new ServiceStopped("shop", "api", "staging", "no longer needed");
        yield return new TokenCreated("ann", ["approver", "viewer"], DateTimeOffset.UnixEpoch.AddDays(30));
        yield return new TokenRevoked("ann", "left");
        yield return new LossAccepted(10, 12, "4Fy8l0ltsyCmpXvYtVmh4cQ3UwA0PmDNvqH8hD6hm0o=", "the disk broke");
    }

    public static JsonElement Json(string text)
    {
        using var document = JsonDocument.Parse(text);
        return document.RootElement.Clone();
    }
}

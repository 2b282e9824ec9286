using System.Diagnostics;
using System.Globalization;
using System.Text;
using Ingot.Oci.Content;
using Ingot.Server.Ledger;
using Ingot.Server.Storage;

namespace Ingot.Benchmarks;

/// <summary>How long a ledger of a size takes to be written and to be verified, and what memory that takes: images, tags, evidence,
/// decisions and rollouts as a busy server has them.</summary>
internal static class LedgerVerification
{
    private const int Batch = 250;

    /// <summary>Writes a home with so many entries, unless it is there, and verifies it. Returns 1 when it does not verify.</summary>
    public static async Task<int> MeasureAsync(string directory, int entries)
    {
        var home = new ServerHome(directory);
        if (!File.Exists(home.Database))
            await WriteAsync(home, entries);
        GC.Collect();
        var clock = Stopwatch.StartNew();
        var report = await LedgerVerifier.VerifyAsync(home);
        long peak = Process.GetCurrentProcess().PeakWorkingSet64 >> 20;
        long size = new FileInfo(home.Database).Length >> 20;
        string seconds = $"{clock.Elapsed.TotalSeconds:0.0} s";
        Say($"verified\t{report.Size} entries\t{seconds}\t{report.Problems.Count} problems\tpeak {peak} MiB\t{size} MiB of database");
        foreach (var problem in report.Problems.Take(10))
            Say($"{problem.Entry}\t{problem.Problem}");
        return report.Ok ? 0 : 1;
    }

    private static async Task WriteAsync(ServerHome home, int entries)
    {
        Directory.CreateDirectory(home.Root);
        var clock = Stopwatch.StartNew();
        await using var ledger = await LedgerStore.OpenAsync(home, TimeProvider.System);
        var batch = new List<LedgerEvent>();
        for (int n = 0; ledger.Size + batch.Count < entries; n++)
        {
            batch.AddRange(Version(n));
            if (batch.Count < Batch)
                continue;

            await ledger.AppendAsync("ci", batch.ToList());
            batch.Clear();
        }

        await ledger.AppendAsync("ci", batch);
        Say($"written\t{ledger.Size} entries\t{clock.Elapsed.TotalSeconds:0.0} s");
    }

    /// <summary>The life of one version: ten entries.</summary>
    private static IEnumerable<LedgerEvent> Version(int n)
    {
        string repository = $"shop/web{n % 50}";
        var image = DigestOf($"image {n}");
        var evidence = DigestOf($"evidence {n}");
        string rollout = $"shop.web{n % 50}.production-r{n}";
        yield return new LedgerEvent.ImagePublished(repository, image, MediaType.Manifest, 1000 + n);
        yield return new LedgerEvent.TagBound(repository, $"1.{n}", image);
        yield return new LedgerEvent.EvidenceAttached(repository, image, evidence, MediaType.Manifest, 500,
            "application/vnd.dev.sigstore.bundle.v0.3+json", "https://slsa.dev/provenance/v1");
        yield return new LedgerEvent.PromotionDecided("shop", $"web{n % 50}", repository, image, "production", true,
            [new GateRecord("tests-passed", "pass", "12 of 12 tests passed", [evidence])]);
        yield return new LedgerEvent.ReleaseRequested("shop", $"web{n % 50}", "production", repository, image, "release",
            Json($$"""{"replicas":3,"number":{{n}}}"""), rollout, n, $"1.{n}");
        yield return new LedgerEvent.RolloutIntent(rollout, "create g1-0 attempt 0", "CreateInstance",
            Json("""{"move":"create-instance","generation":1,"index":0,"attempt":0}"""));
        yield return new LedgerEvent.RolloutAcknowledged(rollout, "create g1-0 attempt 0", "done");
        yield return new LedgerEvent.RolloutStateChanged(rollout, "Shifting", "",
            Json("""{"phase":"Shifting","step":1,"goals":[{"generation":1,"replicas":3,"share":5,"presence":"Running"}]}"""));
        yield return new LedgerEvent.RolloutFinished(rollout, "Done", "",
            Json("""{"outcome":"Done","user_requests":1000,"user_failures":0}"""));
        yield return new LedgerEvent.GenerationRetired("shop", $"web{n % 50}", "production", n, $"after rollout {rollout}");
    }

    private static System.Text.Json.JsonElement Json(string text)
    {
        using var document = System.Text.Json.JsonDocument.Parse(text);
        return document.RootElement.Clone();
    }

    private static Digest DigestOf(string text) => Digest.Of(Encoding.UTF8.GetBytes(text));

    private static void Say(FormattableString text) => Console.WriteLine(text.ToString(CultureInfo.InvariantCulture));
}

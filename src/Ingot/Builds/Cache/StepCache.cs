using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Ingot.Builds.Files;
using Ingot.Oci.Content;
using Ingot.Plans;

namespace Ingot.Builds.Cache;

/// <summary>What a step made.</summary>
internal sealed record StepResult
{
    /// <summary>The layer; null when nothing changed.</summary>
    [JsonPropertyName("diff_id")]
    public Digest? DiffId { get; init; }

    /// <summary>The bytes of the layer before compression.</summary>
    [JsonPropertyName("bytes")]
    public long Bytes { get; init; }

    /// <summary>The normalisation rules that changed something.</summary>
    [JsonPropertyName("rules")]
    public IReadOnlyList<string> Rules { get; init; } = [];

    /// <summary>The packages a bootstrap installed.</summary>
    [JsonPropertyName("packages")]
    public IReadOnlyList<InstalledPackage> Packages { get; init; } = [];

    /// <summary>What a copy fetched.</summary>
    [JsonPropertyName("materials")]
    public IReadOnlyList<Material> Materials { get; init; } = [];

    /// <summary>What a copy selected, in <see cref="CopiedFiles"/>; null when that was not kept.</summary>
    [JsonPropertyName("copied")]
    public Digest? Copied { get; init; }
}

/// <summary>Where a result was made: no part of its key, and nothing depends on it but what people are told.</summary>
internal sealed record StepOrigin
{
    /// <summary>The project, the stage and the number in it, in lines.</summary>
    [JsonPropertyName("place")]
    public required string Place { get; init; }

    /// <summary>The instruction.</summary>
    [JsonPropertyName("text")]
    public required string Text { get; init; }

    /// <summary>What its stage starts with.</summary>
    [JsonPropertyName("base")]
    public required string Base { get; init; }

    /// <summary>When.</summary>
    [JsonPropertyName("made")]
    public required DateTimeOffset Made { get; init; }

    /// <summary>Where it was imported from; null when it was made on this host.</summary>
    [JsonPropertyName("source")]
    public string? Source { get; init; }
}

/// <summary>A result with the key it was made for.</summary>
internal sealed record StepRecord
{
    /// <summary>The parts of the key, name and value in turn.</summary>
    [JsonPropertyName("key")]
    public required IReadOnlyList<string> Key { get; init; }

    /// <summary>What the step made.</summary>
    [JsonPropertyName("result")]
    public required StepResult Result { get; init; }

    /// <summary>Where it was made; null in records of early versions.</summary>
    [JsonPropertyName("origin")]
    public StepOrigin? Origin { get; init; }

    /// <summary>The key.</summary>
    [JsonIgnore]
    public StepKey StepKey => StepKey.Of([.. Key.Chunk(2).Select(pair => new KeyPart(pair[0], pair[1]))]);
}

/// <summary>Results by step key, as small files.</summary>
internal sealed class StepCache
{
    private readonly string _records;
    private readonly string _last;
    private readonly string _selections;
    private readonly string _locks;

    public StepCache(string directory)
    {
        _records = Directory.CreateDirectory(Path.Combine(directory, "steps")).FullName;
        _last = Directory.CreateDirectory(Path.Combine(directory, "last")).FullName;
        _selections = Directory.CreateDirectory(Path.Combine(directory, "selections")).FullName;
        _locks = Directory.CreateDirectory(Path.Combine(directory, "locks")).FullName;
        Stamps = Directory.CreateDirectory(ContentDigests.PlaceIn(directory)).FullName;
    }

    /// <summary>Takes away the lock files of steps that nobody holds: those of builders that were killed.</summary>
    public static void SweepLocks(string directory)
    {
        string locks = Path.Combine(directory, "locks");
        foreach (var file in Directory.Exists(locks) ? Directory.EnumerateFiles(locks) : [])
            FileLock.TryTake(file, shared: false)?.Remove(file);
    }

    /// <summary>What shared caches offer; null when there are none.</summary>
    public CacheImport? Imported { get; init; }

    /// <summary>The selections in layers that were asked for, by their names in caches.</summary>
    public ConcurrentDictionary<string, Digest> AskedSelections { get; } = new();

    /// <summary>Where digests of files of contexts are kept.</summary>
    public string Stamps { get; }

    /// <summary>Whether a step at this place of a project was ever made.</summary>
    /// <remarks>What others made may be this too.</remarks>
    public bool HasLast(string place) => Imported?.Records.Any() == true || File.Exists(LastOf(place));

    /// <summary>The result for a key; null when there is none.</summary>
    public StepResult? Find(StepKey key) => Read(key.Digest)?.Result;

    /// <summary>The records of a key: this host's, and then what is offered elsewhere.</summary>
    public IEnumerable<(StepRecord Record, bool IsImported)> Candidates(StepKey key)
    {
        if (Read(key.Digest) is { } here)
            yield return (here, false);
        if (Imported?.Find(key.Digest) is { } elsewhere)
            yield return (elsewhere, true);
    }

    /// <summary>Every record that can be read, in no order.</summary>
    public IEnumerable<StepRecord> Records() =>
        Directory.EnumerateFiles(_records, "*.json")
            .Select(file => Digest.TryParse("sha256:" + Path.GetFileNameWithoutExtension(file), out var digest) ? Read(digest) : null)
            .OfType<StepRecord>();

    /// <summary>The record of the last result at a place; null when there is none.</summary>
    public StepRecord? LastAt(string place) =>
        File.Exists(LastOf(place)) && Digest.TryParse("sha256:" + File.ReadAllText(LastOf(place)), out var digest) ? Read(digest) : null;

    /// <summary>The file that whoever makes the result of a key holds locked.</summary>
    public string LockOf(StepKey key) => Path.Combine(_locks, key.Digest.Hex);

    /// <summary>Keeps a result, and that it was the last one of a step at this place of a project.</summary>
    public StepRecord Add(StepKey key, string place, StepResult result, StepOrigin? origin = null)
    {
        var record = new StepRecord
        {
            Key = [.. key.Parts.SelectMany(p => (string[])[p.Name, p.Value])],
            Result = result,
            Origin = origin,
        };
        AtomicFile.Write(PathOf(key.Digest), JsonSerializer.SerializeToUtf8Bytes(record, StepCacheContext.Default.StepRecord));
        AtomicFile.Write(LastOf(place), Encoding.ASCII.GetBytes(key.Digest.Hex));
        return record;
    }

    /// <summary>The layer that a step at this place came to the last time; null when there is none.</summary>
    public Digest? LastLayer(string place) => LastAt(place)?.Result.DiffId;

    /// <summary>The digest of what patterns select in a chain, when that was found out before: it depends on nothing else.</summary>
    public Digest? FindSelection(Digest chain, IReadOnlyList<string> patterns)
    {
        string path = SelectionOf(chain, patterns);
        return File.Exists(path) && Digest.TryParse(File.ReadAllText(path), out var digest) ? digest : null;
    }

    /// <summary>As <see cref="FindSelection"/> for layers, which are the same everywhere: what is not known here may be known elsewhere,
    /// and <paramref name="select"/> finds it out else.</summary>
    public async Task<Digest> SelectionAsync(Digest chain, IReadOnlyList<string> patterns, Func<Task<Digest>> select)
    {
        string name = Path.GetFileName(SelectionOf(chain, patterns));
        // What is offered is not kept: it would outlive the trust in who offers it.
        if ((FindSelection(chain, patterns) ?? Imported?.FindSelection(name)) is not { } digest)
        {
            digest = await select();
            AddSelection(chain, patterns, digest);
        }

        return AskedSelections[name] = digest;
    }

    /// <summary>Keeps the digest of what patterns select in a chain.</summary>
    public void AddSelection(Digest chain, IReadOnlyList<string> patterns, Digest digest) =>
        AtomicFile.Write(SelectionOf(chain, patterns), Encoding.ASCII.GetBytes(digest.ToString()));

    private StepRecord? Read(Digest digest)
    {
        try
        {
            var record = JsonSerializer.Deserialize(File.ReadAllBytes(PathOf(digest)), StepCacheContext.Default.StepRecord);
            return record is { Key.Count: > 0 } && record.Key.Count % 2 == 0 ? record : null;
        }
        catch (Exception e) when (e is FileNotFoundException or JsonException or FormatException)
        {
            // Half a record is what a crash leaves: the step runs again.
            return null;
        }
    }

    private string SelectionOf(Digest chain, IReadOnlyList<string> patterns) =>
        Path.Combine(_selections, NameOf($"{chain}\n{string.Join('\n', patterns)}"));

    private string PathOf(Digest key) => Path.Combine(_records, key.Hex + ".json");

    private string LastOf(string place) => Path.Combine(_last, NameOf(place));

    private static string NameOf(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));
}

[JsonSerializable(typeof(StepRecord))]
internal sealed partial class StepCacheContext : JsonSerializerContext;

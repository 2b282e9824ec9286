using System.Collections.Concurrent;
using Ingot.Builds.Reproduction;
using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Oci.Layouts;

namespace Ingot.Corpus;

/// <summary>What the comparison script cannot do itself; each returns an exit code.</summary>
public sealed class CorpusTool(string directory, TextWriter output)
{
    private readonly OciLayout _bases = new(Path.Combine(directory, "bases"));

    /// <summary>Makes the bases.</summary>
    public async Task<int> MakeBasesAsync(string busybox, string? debian)
    {
        await BaseImages.MakeAsync(_bases, busybox);
        if (debian is not null)
            await BaseImages.MakeDebianAsync(_bases, debian);
        return 0;
    }

    /// <summary>Makes the archive of Debian's root.</summary>
    public static async Task<int> BootstrapAsync(string archive)
    {
        await BaseImages.BootstrapAsync(archive);
        return 0;
    }

    /// <summary>Makes contexts, and the arguments for BuildKit's client.</summary>
    public async Task<int> PrepareAsync(string corpus, string[] names)
    {
        foreach (var corpusCase in Choose(corpus, names).Where(c => !c.IsByReference))
        {
            string place = Path.Combine(directory, "cases", corpusCase.Name);
            await new CaseFiles().MakeAsync(corpusCase, place);
            await File.WriteAllLinesAsync(Path.Combine(place, "arguments"), Arguments(corpusCase, place));
            foreach (var (id, value) in corpusCase.Secrets)
                await File.WriteAllTextAsync(Path.Combine(place, "secret-" + id), value);
            await output.WriteLineAsync(corpusCase.NeedsNewer ? $"{corpusCase.Name} newer" : corpusCase.Name);
        }

        return 0;
    }

    /// <summary>Writes the records.</summary>
    public async Task<int> RecordAsync(string corpus, string builder, string[] names)
    {
        var bases = await BaseImages.ReadAsync(_bases);
        foreach (var corpusCase in Choose(corpus, names))
        {
            var result = await ReadAsync(corpusCase, bases);
            if (result.Lines is null != corpusCase.MustFail)
                await output.WriteLineAsync(
                    $"{corpusCase.Name}: {(corpusCase.MustFail ? "should fail, and does not" : "fails, and should not")}");
            await File.WriteAllTextAsync(corpusCase.RecordPath, CaseRecord.Write(result, builder));
        }

        return 0;
    }

    /// <summary>Builds with Ingot and prints the differences from the records, case by case, and the counts.</summary>
    public async Task<int> CompareAsync(string corpus, string[] names)
    {
        var bases = await BaseImages.ReadAsync(_bases);
        string place = Directory.CreateTempSubdirectory("ingot-corpus-").FullName;
        var ingot = new IngotBuild(_bases, bases, place);
        int equal = 0, different = 0, failing = 0;
        foreach (var corpusCase in Choose(corpus, names))
        {
            var differences = CaseRecord.Compare(corpusCase, CaseRecord.Read(corpusCase), await ingot.RunAsync(corpusCase));
            bool isExcused = corpusCase.Different is not null;
            if (differences.Count > 0)
                await output.WriteLineAsync($"{corpusCase.Name}\n{string.Concat(differences.Select(d => $"  {d}\n"))}");
            failing += differences.Count > 0 ? 1 : 0;
            different += differences.Count == 0 && isExcused ? 1 : 0;
            equal += differences.Count == 0 && !isExcused ? 1 : 0;
        }

        await output.WriteLineAsync($"{equal} equal, {different} different on purpose, {failing} failing");
        return failing == 0 ? 0 : 1;
    }

    /// <summary>Builds with Ingot, every step of every case, from a checkout as this process' umask makes one, and prints a line a case:
    /// its name, and <see cref="CaseResult.Identity"/>.</summary>
    public async Task<int> DigestsAsync(string corpus, string[] names)
    {
        var ingot = new IngotBuild(_bases, await BaseImages.ReadAsync(_bases), directory) { NoCache = true, Umask = ReadUmask() };
        var results = new ConcurrentDictionary<string, CaseResult>();
        var cases = Choose(corpus, names).ToList();
        await Parallel.ForEachAsync(cases, async (corpusCase, token) => results[corpusCase.Name] = await ingot.RunAsync(corpusCase, token));
        foreach (var corpusCase in cases)
            await output.WriteLineAsync($"{corpusCase.Name}\t{results[corpusCase.Name].Identity}");
        return 0;
    }

    /// <summary>Compares what <see cref="DigestsAsync"/> printed of this directory and of another, and prints a table, with what differs
    /// and why, and the counts.</summary>
    public async Task<int> SameAsync(string other)
    {
        var second = ReadDigests(other);
        var rows = ReadDigests(directory)
            .Select(d => (Name: d.Key, First: d.Value, Second: second.GetValueOrDefault(d.Key, "was not built")))
            .ToList();
        foreach (var (name, one, two) in rows)
        {
            await output.WriteLineAsync($"{(one == two ? "same" : "different"),-10} {name,-48} {one}");
            foreach (string line in one == two ? [] : await DifferencesAsync(other, one, two))
                await output.WriteLineAsync($"           {line}");
        }

        int same = rows.Count(r => r.First == r.Second);
        await output.WriteLineAsync($"{same} same, {rows.Count - same} different");
        return same == rows.Count && rows.Count == second.Count ? 0 : 1;
    }

    private async Task<IReadOnlyList<string>> DifferencesAsync(string other, string one, string two)
    {
        if (!Digest.TryParse(one, out var first) || !Digest.TryParse(two, out var second))
            return [two];

        var (here, there) = (await StoreOfAsync(directory, first), await StoreOfAsync(other, second));
        var comparison = await ImageComparer.CompareAsync(here, await Image.LoadAsync(here, first), there,
            await Image.LoadAsync(there, second));
        return
        [
            two,
            .. comparison.Differences.Select(d => $"/{d.Path}: {d.What}, {d.Before} and {d.After} ({d.Cause}), made by {d.Instruction}"),
        ];
    }

    // Examples are built by the program, in a home of its own.
    private static async Task<DirectoryStore> StoreOfAsync(string place, Digest image)
    {
        var store = new OciLayout(Path.Combine(place, "bases")).Store;
        return await store.SizeAsync(image) is null ? new DirectoryStore(Path.Combine(place, "home", "content")) : store;
    }

    private static Dictionary<string, string> ReadDigests(string place) =>
        File.ReadAllLines(Path.Combine(place, "digests.txt")).Select(l => l.Split('\t', 2)).ToDictionary(l => l[0], l => l[1]);

    private static int ReadUmask() =>
        Convert.ToInt32(
            File.ReadLines("/proc/self/status").First(l => l.StartsWith("Umask:", StringComparison.Ordinal))["Umask:".Length..].Trim(), 8);

    private static async Task<Digest?> ResultAsync(OciLayout layout) =>
        (await layout.ReadIndexAsync()).Manifests is [var only] ? only.Digest : null;

    private async Task<CaseResult> ReadAsync(CorpusCase corpusCase, IReadOnlyList<BaseImage> bases)
    {
        string result = Path.Combine(directory, "results", corpusCase.Name);
        if (!Directory.Exists(result))
            return new CaseResult(null, "the build failed");

        var layout = new OciLayout(result);
        var digest = await ResultAsync(layout) ?? throw new InvalidOperationException($"'{result}' is not one image");
        return new CaseResult(await ImageReport.MakeAsync(layout.Store, digest, corpusCase.Platform, bases, corpusCase.Volatile), null);
    }

    private static IEnumerable<CorpusCase> Choose(string corpus, string[] names) =>
        CorpusCase.ReadAll(corpus).Where(c => names.Length == 0 || names.Contains(c.Name));

    private static IEnumerable<string> Arguments(CorpusCase corpusCase, string place)
    {
        yield return $"--file={place}/context/{corpusCase.Dockerfile}";
        foreach (var (name, value) in corpusCase.Arguments)
            yield return $"--build-arg={name}={value}";
        foreach (var (name, value) in corpusCase.Labels)
            yield return $"--label={name}={value}";
        foreach (var (name, value) in corpusCase.Contexts)
            yield return $"--build-context={name}={(value.Contains("://", StringComparison.Ordinal) ? value : Path.Combine(place, value))}";
        foreach (var (id, _) in corpusCase.Secrets)
            yield return $"--secret=id={id},src={place}/secret-{id}";
        if (corpusCase.Target is { } target)
            yield return $"--target={target}";
        if (corpusCase.PlatformText is { } platform)
            yield return $"--platform={platform}";
        yield return $"{place}/context";
    }
}

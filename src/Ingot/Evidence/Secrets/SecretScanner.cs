using System.Globalization;
using System.Text;
using Ingot.Oci.Content;
using Ingot.Oci.Images;

namespace Ingot.Evidence.Secrets;

/// <summary>Searches an image for secrets: every layer by itself, what later layers delete included, and history,
/// environment and labels.</summary>
public static class SecretScanner
{
    private const int LongestInstruction = 200;

    /// <summary>Searches an image whose blobs are in <paramref name="store"/>. Layers are verified while they are read.</summary>
    public static async Task<SecretReport> ScanAsync(IContentStore store, Image image, CancellationToken cancellationToken = default)
    {
        var layers = image.Manifest.Layers;
        var diffIds = image.Config.RootFs.DiffIds;
        var contents = new LayerContent[layers.Count];
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = Environment.ProcessorCount, CancellationToken = cancellationToken };
        await Parallel.ForEachAsync(Enumerable.Range(0, layers.Count), parallel, async (i, stop) =>
            contents[i] = await new LayerScan().RunAsync(store, layers[i], i < diffIds.Count ? diffIds[i] : null, stop));

        var instructions = Instructions(image.Config, layers.Count);
        List<SecretFinding> findings = [.. OfConfiguration(image.Config)];
        for (int i = 0; i < layers.Count; i++)
            findings.AddRange(OfLayer(layers[i].Digest, contents, i, instructions?[i]));

        return new SecretReport(findings, [.. layers.Select(l => l.Digest)], contents.Sum(c => c.Files), contents.Sum(c => c.Bytes),
            contents.Any(c => c.IsCut));
    }

    /// <summary>Searches what an image's configuration says, and not its layers.</summary>
    public static IReadOnlyList<SecretFinding> OfConfiguration(ImageConfig config)
    {
        List<SecretFinding> findings = [];
        foreach (var variable in config.Config.Env ?? [])
            findings.AddRange(OfText(SecretPlace.Environment, Name(variable), variable));
        foreach (var (name, value) in config.Config.Labels ?? [])
            findings.AddRange(OfText(SecretPlace.Label, name, $"{name}={value}"));
        for (int i = 0; i < config.History.Count; i++)
            findings.AddRange(OfText(SecretPlace.History, i.ToString(CultureInfo.InvariantCulture), config.History[i].CreatedBy ?? "",
                Instruction(config.History[i].CreatedBy)));

        return findings;
    }

    /// <summary>The text with every secret that is recognised in it taken out.</summary>
    public static string Redact(string text)
    {
        // All that any rule sees counts, also where a generic one reaches further than the one whose finding it would be.
        List<(int Start, int End)> secrets = [];
        SecretMatcher.Find(text, 0, text.Length, rule => rule.AppliesTo(SecretPlace.History, "", isText: true), (_, start, secret, _) =>
            secrets.Add((start, start + secret.Length)));

        var redacted = new StringBuilder(text.Length);
        int done = 0;
        foreach (var (start, end) in secrets.OrderBy(secret => secret.Start))
        {
            // What overlaps one before it is taken out together with that.
            if (start >= done)
                redacted.Append(text, done, start - done).Append('…');
            done = Math.Max(done, end);
        }

        return redacted.Append(text, done, text.Length - done).ToString();
    }

    private static string Name(string variable) =>
        variable.IndexOf('=', StringComparison.Ordinal) is var equals and >= 0 ? variable[..equals] : variable;

    private static IEnumerable<SecretFinding> OfText(SecretPlace place, string name, string text, string? instruction = null) =>
        SecretMatcher.Find(text, rule => rule.AppliesTo(place, "", isText: true)).Select(match => Finding(place, name, match, instruction));

    private static IEnumerable<SecretFinding> OfLayer(Digest layer, LayerContent[] contents, int index, string? instruction) =>
        contents[index].Matches
            .OrderBy(m => m.Path, StringComparer.Ordinal).ThenBy(m => m.Match.Start)
            .Select(m => Finding(SecretPlace.File, m.Path, m.Match, instruction) with
            {
                Layer = layer,
                DeletedLater = contents.Skip(index + 1).Any(higher => higher.Covers(m.Path)),
            });

    // What is shown beside a finding may hold the secret as well: it is taken out wherever it stands.
    private static SecretFinding Finding(SecretPlace place, string path, SecretMatch match, string? instruction) => new()
    {
        Rule = match.Rule.Id,
        Description = match.Rule.Description,
        Place = place,
        Path = Without(match.Secret, Redact(path)),
        Line = match.Line,
        Instruction = instruction is null ? null : Without(match.Secret, instruction),
        Match = match.Shown,
    };

    private static string Without(string secret, string text) => text.Replace(secret, "…", StringComparison.Ordinal);

    // History and layers count alike when each entry that is not empty made one layer; otherwise nothing can be said.
    private static List<string?>? Instructions(ImageConfig config, int layers)
    {
        var made = config.History.Where(h => h.EmptyLayer is not true).Select(h => Instruction(h.CreatedBy)).ToList();
        return made.Count == layers ? made : null;
    }

    private static string? Instruction(string? createdBy)
    {
        if (createdBy is null)
            return null;

        string text = SecretMatcher.Printable(Redact(createdBy));
        return text.Length <= LongestInstruction ? text : text[..LongestInstruction] + "…";
    }
}

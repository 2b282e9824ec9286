using System.Text;
using Ingot.Oci.Layers;
using Ingot.Oci.Tar;

namespace Ingot.Builds.Normalisation;

/// <summary>Applies the rules to one layer while it is written, and remembers which of them had something to do.</summary>
internal sealed class Normaliser
{
    private const int MaxTextBytes = 64 << 20;

    private readonly DateTimeOffset _epoch;
    private readonly Dictionary<string, NormalisationRule> _byPath = [];
    private readonly Dictionary<string, NormalisationRule> _byExtension = [];
    private readonly Dictionary<string, NormalisationRule> _byName = [];
    private readonly List<(string Prefix, NormalisationRule Rule)> _trees = [];
    private readonly List<Pattern> _patterns = [];
    private readonly HashSet<string> _leftOut;
    private readonly HashSet<NormalisationRule> _applied = [];

    /// <summary>For a layer of that epoch.</summary>
    /// <param name="epoch">No time in the layer is later.</param>
    /// <param name="isBootstrap">Whether it is a bootstrap's.</param>
    /// <param name="leftOut">Paths that are no part of the layer, because they were made to mount something there.</param>
    /// <param name="off">Names of rules that are switched off; null for none.</param>
    public Normaliser(DateTimeOffset epoch, bool isBootstrap, IEnumerable<string> leftOut, IReadOnlyCollection<string>? off = null)
    {
        _epoch = epoch;
        _leftOut = [.. leftOut];
        foreach (var rule in RulesFor(isBootstrap, off))
        {
            foreach (var path in rule.Paths)
                Add(path, rule);
        }
    }

    /// <summary>Entries that were kept.</summary>
    public int Kept { get; private set; }

    /// <summary>The rules that changed something, in order.</summary>
    public IReadOnlyList<string> Applied => [.. NormalisationRule.All.Where(_applied.Contains).Select(r => r.ToString())];

    /// <summary>The rules that are for such a layer, but those whose names are in <paramref name="off"/>.</summary>
    public static IEnumerable<NormalisationRule> RulesFor(bool isBootstrap, IReadOnlyCollection<string>? off = null) =>
        NormalisationRule.All.Where(r => (isBootstrap || !r.OnlyBootstrap) && off?.Contains(r.Name) != true);

    /// <summary>The rule that is for a path; null when none is.</summary>
    public NormalisationRule? RuleFor(string path) => Find(path);

    /// <summary>Decides about one file.</summary>
    public FilterResult Filter(TarEntry entry, LayerContent content)
    {
        // That a file was deleted is something the command meant.
        var result = Whiteout.IsWhiteout(entry.Path) ? FilterResult.Keep : Decide(entry, content);
        if (result is not FilterResult.Dropped)
            Kept++;
        return result;
    }

    private FilterResult Decide(TarEntry entry, LayerContent content)
    {
        if (_leftOut.Contains(entry.Path))
            return FilterResult.Drop;
        if (Find(entry.Path) is not { } rule)
            return FilterResult.Keep;

        var result = Apply(rule, entry, content);
        if (result is not FilterResult.Kept)
            _applied.Add(rule);
        return result;
    }

    private FilterResult Apply(NormalisationRule rule, TarEntry entry, LayerContent content)
    {
        if (rule.Action == RuleAction.DropAny)
            return FilterResult.Drop;
        if (entry.Type is not (TarEntryType.File or TarEntryType.HardLink))
            return FilterResult.Keep;

        return rule.Action switch
        {
            RuleAction.Drop => FilterResult.Drop,
            // Not read: a log by user number is sparse and may claim to have gigabytes.
            RuleAction.Empty => entry is { Type: TarEntryType.File, Size: 0 } ? FilterResult.Keep : FilterResult.Replace([]),
            RuleAction.Patch => Patch(rule, entry, content),
            _ => Rewrite(rule, content),
        };
    }

    // Another name of the file is already in the layer, as it was.
    private FilterResult Patch(NormalisationRule rule, TarEntry entry, LayerContent content)
    {
        if (entry.Type == TarEntryType.HardLink)
            return FilterResult.Keep;

        uint epoch = (uint)Math.Clamp(_epoch.ToUnixTimeSeconds(), 0, uint.MaxValue);
        var patches = rule.Patches!(content, epoch);
        return patches.Count == 0 ? FilterResult.Keep : FilterResult.Patch(patches);
    }

    // Text that is not what the rule is for stays as it is: Latin-1 takes every byte there and back.
    private FilterResult Rewrite(NormalisationRule rule, LayerContent content)
    {
        if (content.Length > MaxTextBytes)
            return FilterResult.Keep;

        string before = Encoding.Latin1.GetString(content.ReadAll());
        string after = rule.Rewrites!(before, _epoch.ToUnixTimeSeconds());
        return before == after ? FilterResult.Keep : FilterResult.Replace(Encoding.Latin1.GetBytes(after));
    }

    private NormalisationRule? Find(string path)
    {
        if (_byPath.TryGetValue(path, out var rule))
            return rule;

        foreach (var pattern in _patterns)
        {
            if (path.StartsWith(pattern.Prefix, StringComparison.Ordinal) && pattern.Matches(path.Split('/')))
                return pattern.Rule;
        }

        foreach (var (prefix, candidate) in _trees)
        {
            if (path.StartsWith(prefix, StringComparison.Ordinal))
                return candidate;
        }

        return _byName.GetValueOrDefault(TarPath.Name(path)) ?? _byExtension.GetValueOrDefault(Path.GetExtension(path));
    }

    private void Add(string path, NormalisationRule rule)
    {
        int star = path.IndexOf('*', StringComparison.Ordinal);
        bool isTree = path.EndsWith("/**", StringComparison.Ordinal);
        if (star < 0)
            _byPath.Add(path, rule);
        else if (path.StartsWith("**/*.", StringComparison.Ordinal))
            _byExtension.Add(path["**/*".Length..], rule);
        else if (path.StartsWith("**/", StringComparison.Ordinal))
            _byName.Add(path["**/".Length..], rule);
        else if (isTree && star == path.Length - 2)
            _trees.Add((path[..^"**".Length], rule));
        else
            _patterns.Add(new Pattern(path[..star], [.. (isTree ? path[..^"/**".Length] : path).Split('/').Select(p => GoPattern.TryParse(p)!)], isTree, rule));
    }

    private sealed record Pattern(string Prefix, GoPattern[] Parts, bool IsTree, NormalisationRule Rule)
    {
        public bool Matches(string[] path) =>
            (IsTree ? path.Length > Parts.Length : path.Length == Parts.Length) && Parts.Zip(path).All(pair => pair.First.Matches(pair.Second));
    }
}

using System.Text;
using Ingot.Builds.Files;
using Ingot.Oci.Layers;
using Ingot.Oci.Tar;

namespace Ingot.Builds.Normalisation;

/// <summary>Applies the rules to one layer while it is written, and remembers which of them had something to do.</summary>
internal sealed class Normaliser
{
    private const int MaxTextBytes = 64 << 20;

    // What is larger is read by no rule that leaves it out.
    private const int MaxVouchedBytes = 16 << 20;

    private readonly StepTimes _times;
    private readonly Vouchers _vouchers;
    private readonly Dictionary<string, NormalisationRule> _byPath = [];
    private readonly Dictionary<string, NormalisationRule> _byExtension = [];
    private readonly Dictionary<string, NormalisationRule> _byName = [];
    private readonly List<(string Prefix, NormalisationRule Rule)> _trees = [];
    private readonly List<Pattern> _patterns = [];
    private readonly List<Pattern> _anywhere = [];
    private readonly HashSet<string> _leftOut;
    private readonly HashSet<NormalisationRule> _applied = [];
    private readonly RuleNotes _notes = new();

    /// <summary>For a layer of one step.</summary>
    /// <param name="times">Which times are the step's, and what they become.</param>
    /// <param name="isBootstrap">Whether it is a bootstrap's.</param>
    /// <param name="leftOut">Paths that are no part of the layer, because they were made to mount something there.</param>
    /// <param name="off">Names of rules that are switched off; null for none.</param>
    /// <param name="vouchers">What vouches for files, which then stay as they are; null for nothing.</param>
    public Normaliser(
        StepTimes times, bool isBootstrap, IEnumerable<string> leftOut, IReadOnlyCollection<string>? off = null, Vouchers? vouchers = null)
    {
        _times = times;
        _vouchers = vouchers ?? Vouchers.None;
        _leftOut = [.. leftOut];
        foreach (var rule in RulesFor(isBootstrap, off))
        {
            foreach (var path in rule.Paths)
                Add(path, rule);
        }
    }

    /// <summary>Ends it between two files.</summary>
    public CancellationToken Cancellation { get; init; }

    /// <summary>Entries that were kept.</summary>
    public int Kept { get; private set; }

    /// <summary>The rules that changed something, in order.</summary>
    public IReadOnlyList<string> Applied => [.. NormalisationRule.All.Where(_applied.Contains).Select(r => r.ToString())];

    /// <summary>What a person should know: what rules took away, and what they left as it is because something vouches for it.
    /// A line for each rule.</summary>
    public IReadOnlyList<string> Notes => _notes.Lines;

    /// <summary>The rules that are for such a layer, but those whose names are in <paramref name="off"/>.</summary>
    public static IEnumerable<NormalisationRule> RulesFor(bool isBootstrap, IReadOnlyCollection<string>? off = null) =>
        NormalisationRule.All.Where(r => (isBootstrap || !r.OnlyBootstrap) && off?.Contains(r.Name) != true);

    /// <summary>The rule that is for a path; null when none is.</summary>
    public NormalisationRule? RuleFor(string path) => Find(path);

    /// <summary>Decides about one file.</summary>
    public FilterResult Filter(TarEntry entry, LayerContent content)
    {
        Cancellation.ThrowIfCancellationRequested();
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
        if (result is FilterResult.Kept)
            return result;
        if (VoucherOf(rule, entry, content) is { } voucher)
        {
            _notes.AddKept(rule, entry.Path, voucher);
            return FilterResult.Keep;
        }

        _applied.Add(rule);
        if (rule.Action is not (RuleAction.Rewrite or RuleAction.Patch))
            _notes.AddTaken(rule, entry.Path);
        return result;
    }

    // What is below a directory of a cache goes as a whole, and with it whatever vouches for it there.
    private string? VoucherOf(NormalisationRule rule, TarEntry entry, LayerContent content)
    {
        bool takesAway = rule.Action is not (RuleAction.Rewrite or RuleAction.Patch);
        bool isAsked = rule.Action != RuleAction.DropAny && !(takesAway && (rule.IsOfTrees || entry.Size > MaxVouchedBytes));
        return isAsked ? _vouchers.Find(entry.Path, content, Cancellation) : null;
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

        if (rule.Remakes?.Invoke(content, _times) is { } remade)
            return FilterResult.Replace(remade);

        var patches = rule.Patches!(content, _times);
        return patches.Count == 0 ? FilterResult.Keep : FilterResult.Patch(patches);
    }

    // Text that is not what the rule is for stays as it is: Latin-1 takes every byte there and back.
    private FilterResult Rewrite(NormalisationRule rule, LayerContent content)
    {
        if (content.Length > MaxTextBytes)
            return FilterResult.Keep;

        string before = Encoding.Latin1.GetString(content.ReadAll());
        string after = rule.Rewrites!(before, _times.Epoch);
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

        foreach (var pattern in _anywhere)
        {
            if (path.Contains(pattern.Prefix, StringComparison.Ordinal) && path.Split('/') is var parts
                && parts.Length >= pattern.Parts.Length && pattern.Matches(parts[^pattern.Parts.Length..]))
                return pattern.Rule;
        }

        foreach (var (prefix, candidate) in _trees)
        {
            if (path.StartsWith(prefix, StringComparison.Ordinal))
                return candidate;
        }

        string name = TarPath.Name(path);
        return _byName.GetValueOrDefault(name) ?? OfExtension(name);
    }

    // The longest first: '.tar.gz' before '.gz'.
    private NormalisationRule? OfExtension(string name)
    {
        for (int dot = name.IndexOf('.', StringComparison.Ordinal); dot >= 0; dot = name.IndexOf('.', dot + 1))
        {
            if (_byExtension.TryGetValue(name[dot..], out var rule))
                return rule;
        }

        return null;
    }

    private void Add(string path, NormalisationRule rule)
    {
        int star = path.IndexOf('*', StringComparison.Ordinal);
        bool isTree = NormalisationRule.IsTree(path);
        if (star < 0)
            _byPath.Add(path, rule);
        else if (path.StartsWith("**/", StringComparison.Ordinal) && path.IndexOf('/', 3) >= 0)
            _anywhere.Add(new Pattern(path["**/".Length..path.IndexOf('/', 3)] + "/",
                [.. path["**/".Length..].Split('/').Select(p => GoPattern.TryParse(p)!)], false, rule));
        else if (path.StartsWith("**/*.", StringComparison.Ordinal))
            _byExtension.Add(path["**/*".Length..], rule);
        else if (path.StartsWith("**/", StringComparison.Ordinal))
            _byName.Add(path["**/".Length..], rule);
        else if (isTree && star == path.Length - 2)
            _trees.Add((path[..^"**".Length], rule));
        else
            _patterns.Add(new Pattern(path[..star],
                [.. (isTree ? path[..^"/**".Length] : path).Split('/').Select(p => GoPattern.TryParse(p)!)], isTree, rule));
    }

    private sealed record Pattern(string Prefix, GoPattern[] Parts, bool IsTree, NormalisationRule Rule)
    {
        public bool Matches(string[] path) =>
            (IsTree ? path.Length > Parts.Length : path.Length == Parts.Length)
                && Parts.Zip(path).All(pair => pair.First.Matches(pair.Second));
    }
}

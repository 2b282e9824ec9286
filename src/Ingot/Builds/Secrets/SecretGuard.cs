using System.Text;
using Ingot.Oci.Layers;
using Ingot.Oci.Tar;
using Ingot.Plans;
using Ingot.Tools;

namespace Ingot.Builds.Secrets;

/// <summary>Knows the values of secrets, and finds them where they must not be. Says which and where, never the value.</summary>
internal sealed class SecretGuard
{
    private const int MaxFindings = 20;
    private const string Mask = "***";

    private readonly List<SecretPattern> _patterns;
    private readonly ByteMatcher _matcher;

    public SecretGuard(IReadOnlyDictionary<string, ReadOnlyMemory<byte>> secrets)
    {
        _patterns =
            [.. secrets.SelectMany(s => SecretForms.Of(s.Key, s.Value.Span)).DistinctBy(p => (p.Id, p.Form, Convert.ToHexString(p.Bytes)))];
        _matcher = new ByteMatcher(_patterns.Select(p => p.Bytes));
    }

    /// <summary>Knows nothing and finds nothing.</summary>
    public static SecretGuard None { get; } = new(new Dictionary<string, ReadOnlyMemory<byte>>());

    private bool IsEmpty => _patterns.Count == 0;

    /// <summary>A line with every secret in it covered.</summary>
    public string Cover(string line)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(line);
        if (IsEmpty || !_matcher.IsIn(bytes))
            return line;

        var covered = new bool[bytes.Length];
        _matcher.Begin((pattern, at) => covered.AsSpan((int)at, _patterns[pattern].Bytes.Length).Fill(true)).Add(bytes);
        var kept = new List<byte>();
        for (int i = 0; i < bytes.Length; i++)
        {
            if (!covered[i])
                kept.Add(bytes[i]);
            else if (i == 0 || !covered[i - 1])
                kept.AddRange(Encoding.ASCII.GetBytes(Mask));
        }

        return Encoding.UTF8.GetString([.. kept]);
    }

    /// <summary>Looks at a layer while it is written, and throws <see cref="SecretLeakException"/> before it is in the store; null when
    /// there is nothing to look for.</summary>
    /// <param name="step">What makes the layer.</param>
    public ILayerObserver? Observer(Step step) => IsEmpty ? null : new LayerSearch(this, step);

    /// <summary>Looks at the output of a step.</summary>
    public OutputSearch Output(Step step) => new(this, step);

    /// <summary>Throws <see cref="SecretLeakException"/> when anything that a plan alone decides holds a secret: instructions,
    /// configurations, build arguments.</summary>
    public void Check(Plan plan)
    {
        var findings = IsEmpty ? [] : PlacesOf(plan).SelectMany(p => Find(p.Text, p.Place)).Distinct().Take(MaxFindings).ToList();
        if (findings.Count > 0)
            throw new SecretLeakException("the template", findings);
    }

    private static IEnumerable<(string Text, string Place)> PlacesOf(Plan plan)
    {
        foreach (var step in plan.Stages.SelectMany(s => s.Steps))
            yield return (string.Join('\n', step.Parts.Select(p => p.Value).Prepend(step.Text)), $"the instruction at {step.Span}");
        foreach (var image in plan.Images)
        {
            var config = plan.Stage(image.Stage).Config;
            foreach (var variable in config.Env ?? [])
                yield return (variable, $"the variable '{variable.Split('=')[0]}' of the image '{image.Name}'");
            foreach (var (name, value) in config.Labels ?? [])
                yield return ($"{name}={value}", $"a label of the image '{image.Name}'");
            foreach (var (name, value) in image.Arguments)
                yield return (value, $"the build argument '{name}' of the image '{image.Name}', which is in its provenance");
            yield return (string.Join('\n', (config.Entrypoint ?? []).Concat(config.Cmd ?? [])),
                $"the command of the image '{image.Name}'");
        }
    }

    private List<SecretFinding> Find(string text, string place)
    {
        var findings = new List<SecretFinding>();
        _matcher.Begin((pattern, _) => findings.Add(new SecretFinding(_patterns[pattern].Id, _patterns[pattern].Form, place)))
            .Add(Encoding.UTF8.GetBytes(text));
        return findings;
    }

    /// <summary>The search of one layer.</summary>
    private sealed class LayerSearch : ILayerObserver
    {
        private readonly SecretGuard _guard;
        private readonly Step _step;
        private readonly ByteMatcher.Scan _scan;
        private readonly List<(int Pattern, long At)> _found = [];

        public LayerSearch(SecretGuard guard, Step step)
        {
            _guard = guard;
            _step = step;
            _scan = guard._matcher.Begin(Remember);
        }

        public void Observe(ReadOnlySpan<byte> bytes) => _scan.Add(bytes);

        public void Complete(LayerIndex index)
        {
            if (_found.Count == 0)
                return;

            var files = index.Files.Where(f => f.Offset > 0 && f.Type == TarEntryType.File).OrderBy(f => f.Offset).ToList();
            var findings = _found
                .Select(f => Describe(f.Pattern, f.At, files))
                .DistinctBy(f => (f.Id, f.Form, f.Place[..f.Place.LastIndexOf(" at ", StringComparison.Ordinal)]));
            throw new SecretLeakException($"{_step.Span}: the layer of '{_guard.Cover(_step.Text)}'", [.. findings]);
        }

        private void Remember(int pattern, long at)
        {
            // One more of the same would say nothing new.
            if (_found.Count < MaxFindings && !_found.Exists(f => f.Pattern == pattern && at - f.At < 512))
                _found.Add((pattern, at));
        }

        private SecretFinding Describe(int pattern, long at, List<FileRecord> files)
        {
            var (id, form, bytes) = _guard._patterns[pattern];
            var file = files.LastOrDefault(f => f.Offset <= at);
            string place = file is not null && at + bytes.Length <= file.Offset + file.Size
                ? $"the content of '/{_guard.Cover(file.Path)}' at byte {at - file.Offset}"
                : $"the name, link or attributes of a file{(file is null ? "" : $" after '/{_guard.Cover(file.Path)}'")} at byte "
                    + $"{at} of the layer";
            return new SecretFinding(id, form, place);
        }
    }

    /// <summary>The search of what a command writes. Lines come from several threads.</summary>
    internal sealed class OutputSearch
    {
        private readonly SecretGuard _guard;
        private readonly Step _step;
        private readonly ByteMatcher.Scan _scan;
        private readonly List<SecretFinding> _findings = [];

        public OutputSearch(SecretGuard guard, Step step)
        {
            _guard = guard;
            _step = step;
            _scan = guard._matcher.Begin((pattern, _) => Remember(guard._patterns[pattern]));
        }

        /// <summary>Searches a line, and covers what must not be seen.</summary>
        public string Take(string line)
        {
            if (_guard.IsEmpty)
                return line;

            // A line that is too long comes in pieces.
            string text = line.Length < CommandRunner.MaxLineCharacters ? line + "\n" : line;
            lock (_findings)
                _scan.Add(Encoding.UTF8.GetBytes(text));
            return _guard.Cover(line);
        }

        /// <summary>Throws <see cref="SecretLeakException"/> when the command showed a secret.</summary>
        public void Complete()
        {
            if (_findings.Count > 0)
                throw new SecretLeakException($"{_step.Span}: the output of '{_guard.Cover(_step.Text)}'", _findings);
        }

        private void Remember(SecretPattern pattern)
        {
            var finding = new SecretFinding(pattern.Id, pattern.Form, "the log, where it is covered");
            if (!_findings.Contains(finding))
                _findings.Add(finding);
        }
    }
}

using System.Globalization;
using System.Text.RegularExpressions;
using Ingot.Diagnostics;

namespace Ingot.Templates.Dockerfile;

/// <summary>The names of a file's stages, and what COPY --from refers to.</summary>
internal sealed partial class StageNames(DiagnosticBag diagnostics, IReadOnlyCollection<string> projectImages)
{
    private readonly Dictionary<string, FromInstruction> _byName = new(StringComparer.OrdinalIgnoreCase);
    private readonly List<(Word From, int Stage)> _references = [];
    private readonly List<string?> _stages = [];

    public void Add(FromInstruction from)
    {
        _stages.Add(from.StageName);
        if (from.StageName is { } name && !_byName.TryAdd(name, from))
            diagnostics.Error(DockerfileCodes.BadStageName, $"there is already a stage '{name}'", from.NameSpan, $"the first is on line {_byName[name].Span.Line}");
    }

    public void Reference(CopyInstruction copy)
    {
        if (copy.From is { } from)
            _references.Add((from, _stages.Count - 1));
    }

    // At the end, because only then is it known whether a name is that of a stage below.
    public void CheckReferences()
    {
        foreach (var (from, stage) in _references)
            Check(from, stage);
    }

    private void Check(Word from, int stage)
    {
        if (from.Text.All(char.IsAsciiDigit))
        {
            if (!int.TryParse(from.Text, NumberStyles.None, CultureInfo.InvariantCulture, out int index) || index >= stage)
                diagnostics.Error(DockerfileCodes.UndefinedStage, $"there is no stage {from.Text} above", from.Span, "stages count from 0");
            return;
        }

        int defined = _stages.FindIndex(name => name is not null && name.Equals(from.Text, StringComparison.OrdinalIgnoreCase));
        if (defined >= 0 && defined < stage)
            return;

        if (defined == stage)
            diagnostics.Error(DockerfileCodes.UndefinedStage, $"the stage '{from.Text}' copies from itself", from.Span);
        else if (defined > stage)
            diagnostics.Error(DockerfileCodes.NotSupportedYet, $"copying from '{from.Text}', a stage further down, is not supported yet", from.Span, "move that stage up");
        else if (BareName().IsMatch(from.Text) && from.Text != "scratch" && !projectImages.Contains(from.Text))
            diagnostics.Error(DockerfileCodes.UndefinedStage, $"there is no stage '{from.Text}' above", from.Span, Cure(from.Text));
    }

    private string Cure(string name) =>
        Suggestion.For(name, [.. _stages.OfType<string>(), .. projectImages]) ?? $"to copy from an image give its tag or digest, such as '{name}:1.0'";

    // A name with a tag, a digest, a registry or a path can only be an image.
    [GeneratedRegex("^[A-Za-z0-9][A-Za-z0-9_-]*$")]
    private static partial Regex BareName();
}

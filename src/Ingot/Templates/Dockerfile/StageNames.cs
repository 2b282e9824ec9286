using System.Globalization;
using Ingot.Diagnostics;

namespace Ingot.Templates.Dockerfile;

/// <summary>The names of a file's stages, and what COPY and the mounts of RUN take from them: only stages above.</summary>
internal sealed class StageNames(DiagnosticBag diagnostics)
{
    private readonly List<(Word From, int Stage, bool ByNumber)> _references = [];
    private readonly Dictionary<string, int> _last = new(StringComparer.OrdinalIgnoreCase);
    private readonly List<string> _stages = [];

    public void Add(FromInstruction from)
    {
        if (from.StageName is { } name)
            _last[name] = _stages.Count;
        _stages.Add(from.StageName ?? "");
    }

    public void Reference(Instruction instruction)
    {
        if (instruction is CopyInstruction { From: { } from })
            _references.Add((from, _stages.Count - 1, ByNumber: true));
        foreach (var mount in instruction is RunInstruction run ? run.Mounts : [])
        {
            if (mount.Find("from") is { } source)
                _references.Add((source, _stages.Count - 1, ByNumber: false));
        }
    }

    // At the end, because only then is it known whether a name is that of a stage below.
    // What is no stage may be an image or a named context.
    public void CheckReferences()
    {
        HashSet<string> above = new(StringComparer.OrdinalIgnoreCase);
        int passed = 0;
        foreach (var (from, stage, byNumber) in _references)
        {
            for (; passed < stage; passed++)
                above.Add(_stages[passed]);
            if (byNumber && from.Text.All(char.IsAsciiDigit))
                CheckNumber(from, stage);
            else if (!above.Contains(from.Text) && _last.TryGetValue(from.Text, out int defined))
                Refuse(from, defined == stage);
        }
    }

    private void CheckNumber(Word from, int stage)
    {
        if (!int.TryParse(from.Text, NumberStyles.None, CultureInfo.InvariantCulture, out int index) || index >= stage)
            diagnostics.Error(DockerfileCodes.UndefinedStage, $"there is no stage {from.Text} above", from.Span, "stages start at 0");
    }

    private void Refuse(Word from, bool isItself)
    {
        if (isItself)
            diagnostics.Error(DockerfileCodes.UndefinedStage, $"the stage '{from.Text}' copies from itself", from.Span);
        else
            diagnostics.Error(DockerfileCodes.UndefinedStage, $"the stage '{from.Text}' comes further down", from.Span,
                "a stage can copy only from stages above it: move that stage up");
    }
}

using Ingot.Diagnostics;

namespace Ingot.Templates.Dockerfile.Checks;

/// <summary>Checks of how a file is written.</summary>
internal static class StyleRules
{
    public static IEnumerable<Finding> InstructionCasing(CheckedFile file)
    {
        List<Instruction> instructions = [.. file.Syntax.Stages.SelectMany(stage => stage.Instructions.Prepend(stage.From))];
        int lower = instructions.Count(i => IsLower(file.Keyword(i)));
        int upper = instructions.Count(i => IsUpper(file.Keyword(i)));
        bool wantLower = lower > upper;
        foreach (var instruction in instructions)
        {
            string keyword = file.Keyword(instruction);
            if (wantLower ? !IsLower(keyword) : !IsUpper(keyword))
                yield return new(file.KeywordSpan(instruction), $"'{keyword}' is not written as most instructions are",
                    $"write {(wantLower ? keyword.ToLowerInvariant() : keyword.ToUpperInvariant())}");
        }
    }

    public static IEnumerable<Finding> FromAsCasing(CheckedFile file)
    {
        foreach (var from in file.Syntax.Stages.Select(stage => stage.From))
        {
            if (from.NameSpan is not { } name)
                continue;

            int start = from.Image.Span.Start + from.Image.Span.Length;
            string between = file.Syntax.Source.Text[start..name.Start];
            string word = between.Trim(' ', '\t', '\r', '\n', '\v', '\f', file.Syntax.Escape);
            string keyword = file.Keyword(from);
            bool consistent = IsLower(keyword) ? IsLower(word) : !IsUpper(keyword) || IsUpper(word);
            int at = between.IndexOf(word, StringComparison.Ordinal);
            if (!consistent && at >= 0)
                yield return new(file.Syntax.Source.Span(start + at, word.Length), $"'{word}' is not written as '{keyword}' is",
                    $"write {(IsLower(keyword) ? word.ToLowerInvariant() : word.ToUpperInvariant())}");
        }
    }

    public static IEnumerable<Finding> StageNameCasing(CheckedFile file) =>
        from stage in file.Syntax.Stages
        where stage.From.NameSpan is { } span && span.Text.Any(char.IsUpper)
        select new Finding(stage.From.NameSpan!.Value, $"the stage '{stage.From.NameSpan.Value.Text}' is not named in lower case",
            $"write {stage.Name}");

    public static IEnumerable<Finding> DuplicateStageName(CheckedFile file)
    {
        Dictionary<string, FromInstruction> first = [];
        foreach (var from in file.Syntax.Stages.Select(stage => stage.From))
        {
            if (from.StageName is { } name && !first.TryAdd(name, from))
                yield return new(from.NameSpan ?? from.Span, $"there is already a stage '{name}'",
                    $"the first is on line {first[name].Span.Line}");
        }
    }

    public static IEnumerable<Finding> ReservedStageName(CheckedFile file) =>
        from stage in file.Syntax.Stages
        where stage.Name is "scratch" or "context"
        select new Finding(stage.From.NameSpan ?? stage.From.Span, $"the stage is named '{stage.Name}', which has a meaning of its own");

    public static IEnumerable<Finding> EmptyContinuation(CheckedFile file) =>
        file.Syntax.EmptyContinuations
            .Select(span => new Finding(span, "there is an empty line inside a continued one", "remove it, or make it a comment with #"));

    public static IEnumerable<Finding> Maintainer(CheckedFile file) =>
        file.Instructions
            .OfType<MaintainerInstruction>()
            .Select(m => new Finding(m.Span, "MAINTAINER is deprecated", "write LABEL org.opencontainers.image.authors=…"));

    public static IEnumerable<Finding> LegacyKeyValue(CheckedFile file)
    {
        foreach (var instruction in file.Instructions)
        {
            var pairs = instruction switch { EnvInstruction env => env.Variables, LabelInstruction label => label.Labels, _ => [] };
            if (pairs is [var (name, value)] && file.Syntax.Source.Text.AsSpan(name.Span.Start + name.Span.Length) is not ['=', ..])
                yield return new(instruction.Span, $"{file.Keyword(instruction).ToUpperInvariant()} '{name}' is written without '='",
                    $"write {name}={(value.Text.Contains(' ', StringComparison.Ordinal) ? $"\"{value}\"" : value)}");
        }
    }

    public static IEnumerable<Finding> Description(CheckedFile file)
    {
        foreach (var instruction in file.Everything)
        {
            string[] names = instruction switch
            {
                FromInstruction { StageName: { } stage } => [stage],
                ArgInstruction arg => [.. arg.Arguments.Select(argument => argument.Name)],
                _ => [],
            };
            if (names.Length == 0 || file.DescriptionAbove(instruction) is not [.., var (text, span)] || text.Length == 0
                || IsDirective(text))
                continue;
            if (!names.Contains(text.Split(' ')[0]))
                yield return new(span, $"the comment does not begin with '{names[0]}'",
                    $"write '# {names[0]} …', or a blank line below it");
        }
    }

    private static bool IsDirective(string text) => text.Split('=')[0].Trim().ToLowerInvariant() is "syntax" or "escape" or "check";

    private static bool IsLower(string word) => !word.Any(char.IsUpper);

    private static bool IsUpper(string word) => !word.Any(char.IsLower);
}

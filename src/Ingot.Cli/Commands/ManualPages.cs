using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Ingot.Cli.Commands;

/// <summary>The manual: <c>ingot.1</c>, and a page for each command, such as <c>ingot-log-show.1</c>.</summary>
/// <remarks>In the macros of <see href="https://man7.org/linux/man-pages/man7/man.7.html">man(7)</see>, without a date: the same program
/// has the same manual.</remarks>
internal static partial class ManualPages
{
    /// <summary>Each page by its file's name.</summary>
    public static IEnumerable<(string File, string Text)> Of(IReadOnlyList<CommandPage> pages) =>
        pages.Select(page => ($"{NameOf(page)}.1", Write(page)));

    private static string NameOf(CommandPage page) => page.Path.Length == 0 ? "ingot" : $"ingot-{page.Path.Replace(' ', '-')}";

    private static string Write(CommandPage page)
    {
        StringBuilder text = new();
        text.Append(".\\\" Generated from the program by scripts/generate-docs; change that instead.\n");
        text.Append($".TH {Escape(NameOf(page).ToUpperInvariant())} 1 \"\" \"ingot {Application.Version}\" \"Ingot\"\n");
        text.Append($".SH NAME\n{Escape(NameOf(page))} \\- {Escape(Summary(page.Command.Description))}\n");
        text.Append($".SH SYNOPSIS\n.B {Escape(page.Synopsis)}\n[\\fIOPTION\\fR]...\n");
        text.Append($".SH DESCRIPTION\n{Line(page.Command.Description)}\n");
        WriteCommands(text, page);
        if (page.Command.Arguments.Count > 0)
            text.Append(".SH ARGUMENTS\n");
        foreach (var argument in page.Command.Arguments)
            Item(text, $"\\fI{Escape(argument.Name)}\\fR", argument.Description);
        WriteOptions(text, page);
        text.Append(".SH EXIT STATUS\n");
        foreach (var (code, meaning) in ExitCode.All)
        {
            string sentence = char.ToUpperInvariant(meaning[0]) + meaning[1..].Replace("`", "", StringComparison.Ordinal);
            Item(text, $"\\fB{code.ToString(CultureInfo.InvariantCulture)}\\fR", sentence);
        }

        WriteSeeAlso(text, page);
        return text.ToString();
    }

    private static void WriteCommands(StringBuilder text, CommandPage page)
    {
        if (page.Subcommands.Count > 0)
            text.Append(".SH COMMANDS\n");
        foreach (var command in page.Subcommands)
            Item(text, $"\\fB{Escape(command.Name)}\\fR", command.Description);
    }

    private static void WriteOptions(StringBuilder text, CommandPage page)
    {
        text.Append(".SH OPTIONS\n");
        if (page.Path.Length > 0)
            text.Append("Those of\n.BR ingot (1)\napply to every command.\n");
        foreach (var option in page.Options)
        {
            string names = string.Join(", ", CommandPage.NamesOf(option).Select(name => $"\\fB{Escape(name)}\\fR"));
            string value = CommandPage.IsSwitch(option) ? "" : $" \\fI{Escape(CommandPage.Value(option).Trim())}\\fR";
            Item(text, names + value, option.Description);
        }
    }

    private static void WriteSeeAlso(StringBuilder text, CommandPage page)
    {
        string parent = page.Path.LastIndexOf(' ') is > 0 and var space ? $"ingot-{page.Path[..space]}" : "ingot";
        string[] others = page.Path.Length == 0
            ? [.. page.Subcommands.Select(c => $"ingot-{c.Name}")]
            : [parent, .. page.Subcommands.Select(c => $"{NameOf(page)}-{c.Name}")];
        if (others.Length > 0)
            text.Append(".SH SEE ALSO\n").Append(string.Join(" ,\n", others.Select(name => $".BR {Escape(name)} (1)"))).Append('\n');
    }

    private static void Item(StringBuilder text, string tag, string? body) => text.Append($".TP\n{tag}\n{Line(body)}\n");

    private static string Summary(string? description) =>
        Sentence().Match(description ?? "").Value is { Length: > 0 } first ? first : description ?? "";

    // A line that begins with a dot or an apostrophe would be a macro.
    private static string Line(string? text)
    {
        string escaped = Escape(text ?? "");
        string whole = escaped.Length == 0 || escaped.EndsWith('.') ? escaped : escaped + ".";
        return whole is ['.' or '\'', ..] ? "\\&" + whole : whole;
    }

    private static string Escape(string text) => text
        .Replace("\\", "\\e", StringComparison.Ordinal)
        .Replace("-", "\\-", StringComparison.Ordinal)
        .Replace("…", "...", StringComparison.Ordinal)
        .Replace("'", "\\(aq", StringComparison.Ordinal);

    [GeneratedRegex("^[^:;.]+")]
    private static partial Regex Sentence();
}

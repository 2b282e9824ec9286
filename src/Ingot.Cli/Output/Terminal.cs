using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Ingot.Diagnostics;
using Spectre.Console;

namespace Ingot.Cli.Output;

/// <summary>What a command says: data on standard output, as text or JSON; progress on standard error in JSON mode,
/// else on standard output.</summary>
/// <remarks>Here all text goes out, and here it is made harmless: whatever a name, a label, a reason or the output of a program holds, no
/// control character reaches the terminal but those of our own colours, and a line break in it begins no line of ours,
/// but an indented one.</remarks>
internal sealed class Terminal
{
    // https://www.unicode.org/reports/tr11: nothing below is wide.
    private const char FirstWide = '\u1100';

    private readonly TextWriter _out;
    private readonly TextWriter _progress;
    private readonly bool _live;
    private readonly bool _color;
    private readonly Lock _gate = new();

    // Stands around a colour until the text is written. Nobody who writes a text knows it.
    private readonly string _mark = "\u0001" + Convert.ToHexString(RandomNumberGenerator.GetBytes(8));
    private IReadOnlyList<string> _shown = [];

    public Terminal(TextWriter output, TextWriter error, bool json, bool outputIsTerminal, bool errorIsTerminal, bool noColor)
    {
        _out = output;
        _progress = json ? error : output;
        Json = json;
        bool terminal = json ? errorIsTerminal : outputIsTerminal;
        _color = terminal && !noColor;
        _live = terminal;
        Error = error;
    }

    private Terminal(Terminal other, TextWriter progress)
    {
        _out = other._out;
        _progress = progress;
        Json = other.Json;
        Error = other.Error;
        IsQuiet = other.IsQuiet;
        IsVerbose = other.IsVerbose;
    }

    /// <summary>The same with all progress on standard error: for a command whose output is one value that scripts take as it is.</summary>
    public Terminal ForValue() => new(this, Error);

    /// <summary>The same with all that is not said on standard error written to <paramref name="text"/>.</summary>
    public Terminal Into(TextWriter text) => new(text, Error, Json, _live, _live, !_color) { IsQuiet = IsQuiet, IsVerbose = IsVerbose };

    /// <summary>Whether what is going on now can be shown.</summary>
    public bool IsLive => _live;

    /// <summary>Whether data is printed as JSON.</summary>
    public bool Json { get; }

    /// <summary>Whether progress is left out: results and errors only.</summary>
    public bool IsQuiet { get; set; }

    /// <summary>Whether the programs that are run and the requests that are made are shown.</summary>
    public bool IsVerbose { get; set; }

    /// <summary>Whether findings are printed as SARIF, which only one command can.</summary>
    public bool Sarif { get; init; }

    private TextWriter Error { get; }

    /// <summary>Says on standard error why a command failed.</summary>
    public void Fault(string text) => Error.WriteLine(Safe(text));

    /// <summary>Shows diagnostics on standard error.</summary>
    public void Fault(IReadOnlyList<Diagnostic> diagnostics) =>
        Error.WriteLine(PlainText.VisibleLines(DiagnosticRenderer.Render(diagnostics)));

    /// <summary>Prints <paramref name="value"/> in JSON mode; true when it did.</summary>
    public bool TryJson<T>(T value, JsonTypeInfo<T> type)
    {
        if (!Json)
            return false;

        _out.WriteLine(JsonSerializer.Serialize(value, type));
        return true;
    }

    /// <summary>Prints <paramref name="log"/> in SARIF mode; true when it did.</summary>
    public bool TrySarif(SarifLog log)
    {
        if (Sarif)
            _out.WriteLine(JsonSerializer.Serialize(log, SarifJson.Default.SarifLog));
        return Sarif;
    }

    /// <summary>Ends a command that prints no SARIF, before it does anything.</summary>
    public void RefuseSarif()
    {
        if (Sarif)
            throw new InvalidInputException("output", "only 'ingot build --check' writes SARIF", "--output text or --output json");
    }

    /// <summary>A line of data in text mode.</summary>
    public void Line(string text = "") => Write(_out, Safe(text));

    /// <summary>A text that is data as a whole, such as a key or a document: its lines stay its own.</summary>
    public void Document(string text) => Write(_out, PlainText.VisibleLines(text));

    /// <summary>A line as it is, whatever it does to a terminal: only for who asks for that.</summary>
    public void Raw(string text) => Write(_out, text);

    /// <summary>What another terminal wrote, in the place of the page before: on a terminal of its own, elsewhere beneath it.</summary>
    public void Page(string text, bool isFirst)
    {
        string begin = Json ? "" : _live ? "\u001b[H\u001b[2J" : isFirst ? "" : "\n";
        Write(_out, begin + text.TrimEnd('\n'));
    }

    /// <summary>A line of progress, which the quiet do without.</summary>
    public void Progress(string text)
    {
        if (!IsQuiet)
            Write(_progress, Safe(text));
    }

    /// <summary>A line that is the answer for people and no data: where progress goes, also for the quiet.</summary>
    public void Result(string text) => Write(_progress, Safe(text));

    /// <summary>A line of what is done in detail, on standard error, for those who asked for it.</summary>
    public void Detail(string text)
    {
        if (IsVerbose)
            Write(Error, Safe(text));
    }

    /// <summary>Replaces the line that shows what is going on now; nothing where the output is not a terminal.</summary>
    public void Status(string? text) => Show(text is null ? [] : [text]);

    /// <summary>Replaces what is going on now by several lines, as many of them as fit; nothing where the output is not a
    /// terminal.</summary>
    public void Show(IReadOnlyList<string> lines)
    {
        if (!_live || IsQuiet)
            return;

        lock (_gate)
        {
            Erase();
            Draw([.. lines.Take(Rows).Select(PlainText.Visible)]);
            _progress.Flush();
        }
    }

    /// <summary>A table without borders: a header and rows.</summary>
    public void Table(IReadOnlyList<string> header, IEnumerable<IReadOnlyList<string>> rows)
    {
        var table = new Table { Border = TableBorder.None, ShowHeaders = true };
        foreach (var name in header)
            table.AddColumn(new TableColumn(new Text(PlainText.Visible(name))) { NoWrap = true, Padding = new Padding(0, 0, 2, 0) });
        foreach (var row in rows)
            table.AddRow(row.Select(cell => (Spectre.Console.Rendering.IRenderable)new Text(PlainText.Visible(cell))));
        var console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Out = new AnsiConsoleOutput(_out),
            Ansi = AnsiSupport.No,
            ColorSystem = ColorSystemSupport.NoColors,
        });
        console.Profile.Width = 400;
        console.Write(table);
    }

    public string Good(string text) => Paint("32", text);

    public string Bad(string text) => Paint("31", text);

    public string Faint(string text) => Paint("2", text);

    public string Strong(string text) => Paint("1", text);

    private string Paint(string code, string text) => _color ? $"{_mark}[{code}m{text}{_mark}[0m" : text;

    private string Safe(string text)
    {
        if (PlainText.IsPlain(text))
            return text;

        var lines = text.TrimEnd('\n').Split('\n').Select(line => string.Join('\u001b', line.Split(_mark).Select(PlainText.Visible)));
        return string.Join("\n  ", lines);
    }

    private void Write(TextWriter writer, string text)
    {
        lock (_gate)
        {
            bool redraw = _live && _shown.Count > 0;
            if (redraw)
                Erase();
            writer.WriteLine(text);
            if (redraw)
                Draw(_shown);
            writer.Flush();
        }
    }

    // The cursor stands at the end of the last line.
    private void Erase()
    {
        if (_shown.Count > 1)
            _progress.Write(string.Create(CultureInfo.InvariantCulture, $"\u001b[{_shown.Count - 1}A"));
        _progress.Write(_shown.Count > 1 ? "\r\u001b[J" : "\r\u001b[K");
    }

    private void Draw(IReadOnlyList<string> lines)
    {
        _shown = lines;
        int width = Math.Max(20, ConsoleWidth() - 1);
        _progress.Write(string.Join('\n', lines.Select(line => Fit(line, width))));
    }

    // A line that the terminal breaks could not be taken away again: no character is believed to be narrow that may be wide.
    private static string Fit(string line, int width)
    {
        line = line.Replace('\t', ' ');
        int cells = 0;
        for (int i = 0; i < line.Length; i++)
        {
            cells += line[i] < FirstWide ? 1 : 2;
            if (cells > width)
                return line[..i];
        }

        return line;
    }

    /// <summary>How many lines there are to show what is going on now.</summary>
    public static int Rows => Math.Max(1, Dimension(() => Console.WindowHeight, 24) - 2);

    private static int ConsoleWidth() => Dimension(() => Console.WindowWidth, 80);

    private static int Dimension(Func<int> ask, int otherwise)
    {
        try
        {
            return ask() is > 0 and var found ? found : otherwise;
        }
        catch (IOException)
        {
            return otherwise;
        }
    }
}

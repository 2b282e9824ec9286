using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Ingot.Diagnostics;
using Spectre.Console;

namespace Ingot.Cli.Output;

/// <summary>What a command says: data on standard output, as text or JSON; progress on standard error in JSON mode, else on standard output.</summary>
internal sealed class Terminal
{
    private readonly TextWriter _out;
    private readonly TextWriter _progress;
    private readonly bool _live;
    private readonly bool _color;
    private readonly Lock _gate = new();
    private string? _status;

    public Terminal(TextWriter output, TextWriter error, bool json, bool outputIsTerminal, bool errorIsTerminal, bool noColor)
    {
        _out = output;
        _progress = json ? error : output;
        Json = json;
        bool terminal = json ? errorIsTerminal : outputIsTerminal;
        _color = terminal && !noColor;
        _live = terminal;
        Error = error;
        ErrorColor = errorIsTerminal && !noColor;
    }

    /// <summary>Whether data is printed as JSON.</summary>
    public bool Json { get; }

    /// <summary>Whether findings are printed as SARIF, which only one command can.</summary>
    public bool Sarif { get; init; }

    public TextWriter Error { get; }

    public bool ErrorColor { get; }

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
    public void Line(string text = "") => Write(_out, text);

    /// <summary>A line of progress.</summary>
    public void Progress(string text) => Write(_progress, text);

    /// <summary>Replaces the line that shows what is going on now; nothing where the output is not a terminal.</summary>
    public void Status(string? text)
    {
        if (!_live)
            return;

        lock (_gate)
        {
            _status = text;
            int width = Math.Max(20, ConsoleWidth() - 1);
            _progress.Write("\r\u001b[K");
            if (text is not null)
                _progress.Write(text.Length > width ? text[..width] : text);
            _progress.Flush();
        }
    }

    /// <summary>A table without borders: a header and rows.</summary>
    public void Table(IReadOnlyList<string> header, IEnumerable<IReadOnlyList<string>> rows)
    {
        var table = new Table { Border = TableBorder.None, ShowHeaders = true };
        foreach (var name in header)
            table.AddColumn(new TableColumn(new Text(name)) { NoWrap = true, Padding = new Padding(0, 0, 2, 0) });
        foreach (var row in rows)
            table.AddRow(row.Select(cell => (Spectre.Console.Rendering.IRenderable)new Text(cell)));
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(_out), Ansi = AnsiSupport.No, ColorSystem = ColorSystemSupport.NoColors });
        console.Profile.Width = 400;
        console.Write(table);
    }

    public string Good(string text) => Paint("32", text);

    public string Bad(string text) => Paint("31", text);

    public string Faint(string text) => Paint("2", text);

    public string Strong(string text) => Paint("1", text);

    private string Paint(string code, string text) => _color ? $"\u001b[{code}m{text}\u001b[0m" : text;

    private void Write(TextWriter writer, string text)
    {
        lock (_gate)
        {
            if (_live && _status is not null)
                _progress.Write("\r\u001b[K");
            writer.WriteLine(text);
            if (_live && _status is not null)
                _progress.Write(_status.Length >= ConsoleWidth() ? _status[..(ConsoleWidth() - 1)] : _status);
            writer.Flush();
        }
    }

    private static int ConsoleWidth()
    {
        try
        {
            return Console.WindowWidth > 0 ? Console.WindowWidth : 80;
        }
        catch (IOException)
        {
            return 80;
        }
    }
}

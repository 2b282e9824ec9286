using System.Text.RegularExpressions;

namespace Ingot.Architecture.Tests.Uses;

/// <summary>
/// What may use what, read from the table of <c>ARCHITECTURE.md</c> under <c>| Namespace | may use |</c>: namespaces stand in
/// backquotes, <c>.*</c> at the end means those below too, a row counts for the namespaces below its own, and of rows the longest
/// that fits. A row within another is a room of it where one of the two names the other: rooms share their <c>internal</c> types. Words
/// outside of backquotes are for the reader.
/// </summary>
public sealed partial class Direction
{
    // Holds the exception that all others derive from.
    private const string Root = "Ingot";

    private readonly Dictionary<string, IReadOnlyList<string>> _rows = [];

    private Direction()
    {
    }

    /// <summary>The namespaces that have a row.</summary>
    public IEnumerable<string> Namespaces => _rows.Keys;

    /// <summary>Reads the table out of a document; throws when there is none.</summary>
    public static Direction Parse(string document)
    {
        var direction = new Direction();
        var rows = document.Split('\n')
            .SkipWhile(line => !line.StartsWith("| Namespace | may use", StringComparison.Ordinal))
            .Skip(2)
            .TakeWhile(line => line.StartsWith('|'));
        foreach (string row in rows)
        {
            string[] cells = row.Split('|');
            foreach (string name in Quoted(cells[1]))
                direction._rows.Add(name, Quoted(cells[2]));
        }

        return direction._rows.Count > 0 ? direction : throw new FormatException("the document has no table '| Namespace | may use |'");
    }

    /// <summary>A sentence about a use that the table does not allow; null for one it does.</summary>
    public string? Fault(Use use)
    {
        if (!IsOurs(use.From) || !IsOurs(use.To) || use.From == Root || use.To == Root)
            return null;
        if (RowOf(use.From) is not { } from)
            return $"{use.Where}: the namespace {use.From} has no row in the table";
        if (RowOf(use.To) is not { } to)
            return $"{use.Where} uses {use.Type}, whose namespace {use.To} has no row in the table";
        if (from != to && !_rows[from].Any(allowed => Covers(allowed, use.To)))
            return $"{use.Where} uses {use.Type}, "
                + $"but {from} may use {(_rows[from].Count == 0 ? "nothing of ours" : $"only {string.Join(", ", _rows[from])}")}";
        if (from != to && use.IsInternal && HouseOf(from) != HouseOf(to))
            return $"{use.Where} uses {use.Type}, which is internal to {to}";
        return null;
    }

    private string? RowOf(string name) => _rows.Keys.Where(row => Covers(row + ".*", name)).MaxBy(row => row.Length);

    private string HouseOf(string row) => _rows.Keys
        .Where(around => row.StartsWith(around + ".", StringComparison.Ordinal)
            && (_rows[row].Contains(around) || _rows[around].Contains(row)))
        .MinBy(around => around.Length) ?? row;

    private bool Covers(string allowed, string name)
    {
        if (allowed.EndsWith(".*", StringComparison.Ordinal))
            return (name + ".").StartsWith(allowed[..^1], StringComparison.Ordinal);
        return RowOf(name) == allowed;
    }

    private static bool IsOurs(string name) => name == Root || name.StartsWith(Root + ".", StringComparison.Ordinal);

    private static List<string> Quoted(string cell) => [.. InBackquotes().Matches(cell).Select(match => match.Groups[1].Value)];

    [GeneratedRegex("`([^`]+)`")]
    private static partial Regex InBackquotes();
}

using System.Text.Encodings.Web;
using System.Text.Json;

namespace Ingot.Plans;

/// <summary>What an image's history says of an instruction: the words of Docker's builder, so that tools which read histories find what
/// they look for. Values of build arguments are left out.</summary>
internal static class HistoryText
{
    /// <summary>A command: with its shell, as it is executed.</summary>
    public static string Run(IReadOnlyList<string> arguments) => "RUN " + string.Join(' ', arguments);

    /// <summary>A list of words in brackets.</summary>
    public static string Bracketed(string keyword, IEnumerable<string> words) => $"{keyword} [{string.Join(' ', words)}]";

    /// <summary>A list of quoted arguments in brackets.</summary>
    public static string Quoted(string keyword, IEnumerable<string> arguments) =>
        Bracketed(keyword, arguments.Select(a => $"\"{JsonEncodedText.Encode(a, JavaScriptEncoder.UnsafeRelaxedJsonEscaping)}\""));

    /// <summary>Names and values.</summary>
    public static string Pairs(string keyword, IEnumerable<(string Name, string Value)> pairs) =>
        keyword + string.Concat(pairs.Select(p => $" {p.Name}={p.Value}"));

    /// <summary>A copy; <paramref name="mode"/> is that of <c>--chmod</c> as it is written.</summary>
    public static string Copy(string keyword, CopyStep step, string? mode, IEnumerable<string> sources, string destination)
    {
        string flags = (step.Parents ? " --parents" : "") + (step.Owner is { } owner ? $" --chown={owner}" : "")
            + (mode is null ? "" : $" --chmod={mode}");
        return $"{keyword}{flags}{string.Concat(sources.Select(s => " " + s))}{string.Concat(step.Inline.Select(f => " <<" + f.Name))} "
            + $"{destination}";
    }
}

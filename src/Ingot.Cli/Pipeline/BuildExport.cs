using Ingot.Diagnostics;

namespace Ingot.Cli.Pipeline;

/// <summary>A form in which a built image is written for others.</summary>
/// <param name="Type"><c>local</c>, <c>tar</c>, <c>oci</c> or <c>docker</c>.</param>
/// <param name="Destination">An absolute path, or <see cref="StandardOutput"/>.</param>
internal sealed record BuildExport(string Type, string Destination)
{
    /// <summary>The destination that is standard output.</summary>
    public const string StandardOutput = "-";

    private const string InStore = "the image is in the local store in any case; 'ingot push' sends it to a registry";

    private static readonly string[] s_types = ["local", "tar", "oci", "docker"];
    private static readonly string[] s_keys = ["type", "dest"];

    /// <summary>Reads <c>type=TYPE,dest=PATH</c>; a path alone is a directory for the files, <c>-</c> alone their archive on standard
    /// output.</summary>
    public static BuildExport Parse(string text, string directory)
    {
        if (text == StandardOutput)
            return new BuildExport("tar", StandardOutput);
        if (!text.Contains('=', StringComparison.Ordinal))
        {
            return text.Contains('/', StringComparison.Ordinal) || text is "." or ".."
                ? new BuildExport("local", Path.GetFullPath(text, directory))
                : throw Wrong(text, "it is neither a way to print data nor a form of an image",
                    Suggestion.For(text, ["text", "json", "sarif"]));
        }

        var fields = Fields(text);
        string type = fields.GetValueOrDefault("type") ?? throw Wrong(text, "it has no type");
        if (!s_types.Contains(type))
            throw Wrong(text, $"there is no type '{type}'", type is "image" or "registry" ? InStore : Suggestion.For(type, s_types));
        string destination = fields.GetValueOrDefault("dest") is { Length: > 0 } given ? given : throw Wrong(text, "it has no destination");
        if (destination == StandardOutput && type == "local")
            throw Wrong(text, "a directory cannot be written to standard output", "use type=tar");
        return new BuildExport(type, destination == StandardOutput ? destination : Path.GetFullPath(destination, directory));
    }

    private static Dictionary<string, string> Fields(string text)
    {
        var fields = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (string field in text.Split(','))
        {
            string[] parts = field.Split('=', 2);
            if (parts.Length < 2 || !s_keys.Contains(parts[0]))
                throw Wrong(text, $"it has no field '{parts[0]}'", Suggestion.For(parts[0], s_keys));
            if (!fields.TryAdd(parts[0], parts[1]))
                throw Wrong(text, $"'{parts[0]}' appears twice");
        }

        return fields;
    }

    private static InvalidInputException Wrong(string text, string why, string? detail = null) =>
        new("output", $"'--output {text}' cannot be read: {why}",
            detail ?? "write type=local,dest=DIR, or type=tar, oci or docker with dest=FILE; or text, json or sarif");
}

using System.Text;
using Ingot.Diagnostics;

namespace Ingot.Cli.Commands;

/// <summary>Reads what <c>--secret</c> and <c>--ssh</c> name, as Docker's options of those names do.</summary>
internal static class BuildSecrets
{
    // https://docs.docker.com/build/building/secrets: larger ones are refused there too.
    private const int MaxBytes = 500 << 10;

    // Ours: the value is an ordinary word, and not looked for.
    private const string ExemptKey = "exempt";

    private static readonly string[] s_keys = ["id", "src", "source", "env", "type", ExemptKey];

    public static IReadOnlyDictionary<string, ReadOnlyMemory<byte>> Read(IEnumerable<string> options, string directory)
    {
        var secrets = new Dictionary<string, ReadOnlyMemory<byte>>(StringComparer.Ordinal);
        foreach (var option in options)
        {
            var fields = Fields(option);
            string id = fields.GetValueOrDefault("id") is { Length: > 0 } given ? given : throw Wrong(option, "it has no id");
            if (!secrets.TryAdd(id, Value(option, id, fields, directory)))
                throw Wrong(option, $"there is already a secret '{id}'");
        }

        return secrets;
    }

    /// <summary>The ids of those that <c>exempt</c> is said of.</summary>
    public static IReadOnlyList<string> ReadExempt(IEnumerable<string> options) =>
    [
        .. options
            .Where(o => Fields(o).TryGetValue(ExemptKey, out string? value) && IsExempt(o, value))
            .Select(o => Fields(o)["id"])
            .Order(StringComparer.Ordinal),
    ];

    private static bool IsExempt(string option, string value) => value switch
    {
        ExemptKey or "true" => true,
        "false" => false,
        _ => throw Wrong(option, $"'{value}' does not say whether it is exempt",
            "write exempt, exempt=true or exempt=false"),
    };

    public static IReadOnlyDictionary<string, string> ReadAgents(IEnumerable<string> options, string directory)
    {
        var agents = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var option in options)
        {
            int equals = option.IndexOf('=', StringComparison.Ordinal);
            string id = equals < 0 ? option : option[..equals];
            string? socket = equals < 0
                ? Environment.GetEnvironmentVariable("SSH_AUTH_SOCK")
                : Path.GetFullPath(option[(equals + 1)..], directory);
            if (string.IsNullOrEmpty(socket))
                throw new InvalidInputException("ssh", $"'--ssh {option}' names no agent: SSH_AUTH_SOCK is not set",
                    "start one with: eval $(ssh-agent), and add keys with ssh-add");
            if (!File.Exists(socket) || (File.GetAttributes(socket) & FileAttributes.Directory) != 0 || new FileInfo(socket).Length > 0)
                throw new InvalidInputException("ssh", $"'{socket}' is not the socket of an SSH agent",
                    "give a key file to an agent: eval $(ssh-agent); ssh-add FILE; then --ssh " + id);
            agents[id] = socket;
        }

        return agents;
    }

    private static Dictionary<string, string> Fields(string option)
    {
        var fields = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var field in option.Split(','))
        {
            int equals = field.IndexOf('=', StringComparison.Ordinal);
            string key = equals >= 0 ? field[..equals] : field == ExemptKey && fields.Count > 0 ? ExemptKey : "id";
            if (!s_keys.Contains(key))
                throw Wrong(option, $"it has no field '{key}'", Suggestion.For(key, s_keys));
            if (!fields.TryAdd(key == "source" ? "src" : key, field[(equals + 1)..]))
                throw Wrong(option, $"'{key}' appears twice");
        }

        return fields;
    }

    private static ReadOnlyMemory<byte> Value(string option, string id, Dictionary<string, string> fields, string directory)
    {
        string? file = fields.GetValueOrDefault("src");
        string? variable = fields.GetValueOrDefault("env");
        if (fields.GetValueOrDefault("type") == "env" && variable is null)
            (variable, file) = (file ?? id, null);
        // The id alone: the variable of that name, else the file.
        if (file is null && variable is null)
            (variable, file) = Environment.GetEnvironmentVariable(id) is null ? (null, id) : (id, (string?)null);

        if (variable is not null)
        {
            return Encoding.UTF8.GetBytes(Environment.GetEnvironmentVariable(variable)
                ?? throw Wrong(option, $"the variable '{variable}' is not set"));
        }

        // A project may have made a link of what is in it, to a file that is not the project's.
        if (ProjectDirectory.RootOfTyped(directory, file!, out string inside) == directory)
        {
            using var project = new ProjectDirectory(directory);
            return project.FindBytes(inside, file!, MaxBytes) ?? throw Wrong(option, $"there is no file '{file}'");
        }

        string path = Path.GetFullPath(file!, directory);
        if (!File.Exists(path))
            throw Wrong(option, $"there is no file '{file}'");
        return ReadTyped(option, file!, path);
    }

    // A pipe has no length, and a device no end.
    private static byte[] ReadTyped(string option, string file, string path)
    {
        try
        {
            using var stream = File.OpenRead(path);
            byte[] bytes = new byte[MaxBytes + 1];
            int read = stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
            return read <= MaxBytes ? bytes[..read] : throw Wrong(option, $"'{file}' is larger than {MaxBytes >> 10} KiB");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Wrong(option, $"'{file}' cannot be read: {IngotException.ReasonOf(e)}", "make it readable by the user who builds");
        }
    }

    private static InvalidInputException Wrong(string option, string why, string? detail = null) =>
        new("secret", $"'--secret {option}' cannot be read: {why}",
            detail ?? "write --secret id=NAME,src=FILE or --secret id=NAME,env=VARIABLE");
}

using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Ingot.Tools;

/// <summary>Which Engine the <c>docker</c> command of this user talks to: <c>DOCKER_HOST</c>, else <c>DOCKER_CONTEXT</c>, else the context
/// its configuration names (<see href="https://docs.docker.com/engine/manage-resources/contexts/">Docker contexts</see>). Instances run on
/// this host's own, so one that is elsewhere is refused aloud, and never taken for it.</summary>
/// <param name="variable">The environment.</param>
/// <param name="home">The user's home directory.</param>
public sealed class DockerContext(Func<string, string?> variable, string home)
{
    private const string Default = "default";
    private const string Cure = "instances run on this host's own Engine, at " + DockerEngine.DefaultSocket + ": ";

    private static readonly string[] s_own = ["unix://" + DockerEngine.DefaultSocket, "unix:///run/docker.sock"];

    /// <summary>That of the user who runs this program.</summary>
    public static DockerContext OfUser { get; } =
        new(Environment.GetEnvironmentVariable, Environment.GetFolderPath(Environment.SpecialFolder.UserProfile));

    private string Configuration => Value("DOCKER_CONFIG") ?? Path.Combine(home, ".docker");

    /// <summary>What is chosen that is not this host's own Engine, and the cure, in a sentence; null when it is this host's own.</summary>
    public string? Elsewhere()
    {
        if (Value("DOCKER_HOST") is { } host)
            return s_own.Contains(host)
                ? null
                : $"DOCKER_HOST is '{host}', and {Cure}unset DOCKER_HOST, or name the Ingot of that host with INGOT_SERVER";
        if (Chosen() is not { } name || name == Default)
            return null;

        string? address = AddressOf(name);
        return s_own.Contains(address) ? null
            : $"the Docker context is '{name}', "
                + $"which leads to {(address is null ? "a place that is not defined on this host" : $"'{address}'")}, and {Cure}"
                + "select it with 'docker context use default', or name the Ingot of that host with INGOT_SERVER";
    }

    private string? Chosen() => Value("DOCKER_CONTEXT") ?? Text(Path.Combine(Configuration, "config.json"), "currentContext");

    // A context is kept under the digest of its name.
    private string? AddressOf(string name)
    {
        string id = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(name)));
        return Text(Path.Combine(Configuration, "contexts", "meta", id, "meta.json"), "Endpoints", "docker", "Host");
    }

    private string? Value(string name) => variable(name) is { Length: > 0 } value ? value : null;

    // What cannot be read says nothing: the docker command itself takes a configuration that it cannot read for an empty one.
    private static string? Text(string path, params ReadOnlySpan<string> keys)
    {
        try
        {
            using var document = JsonDocument.Parse(File.ReadAllBytes(path));
            var at = document.RootElement;
            foreach (string key in keys)
            {
                if (at.ValueKind != JsonValueKind.Object || !at.TryGetProperty(key, out at))
                    return null;
            }

            return at.ValueKind == JsonValueKind.String && at.GetString() is { Length: > 0 } text ? text : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException or InvalidOperationException)
        {
            return null;
        }
    }
}

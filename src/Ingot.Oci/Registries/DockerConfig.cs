using System.Text.Json;
using System.Text.Json.Serialization;

namespace Ingot.Oci.Registries;

/// <summary>Docker's <c>config.json</c>, as far as it says who we are to registries.</summary>
public sealed class DockerConfig
{
    private readonly string _path;
    private readonly DockerConfigFile _file;

    private DockerConfig(string path, DockerConfigFile file)
    {
        _path = path;
        _file = file;
    }

    /// <summary>Reads the file; one that is not there says nothing.</summary>
    /// <exception cref="RegistryException">It is not JSON of that shape.</exception>
    public static async Task<DockerConfig> ReadAsync(string path, CancellationToken cancellationToken = default)
    {
        if (!File.Exists(path))
            return new DockerConfig(path, new DockerConfigFile());

        byte[] json = await File.ReadAllBytesAsync(path, cancellationToken).ConfigureAwait(false);
        try
        {
            return new DockerConfig(path,
                JsonSerializer.Deserialize(json, CredentialJson.Default.DockerConfigFile) ?? new DockerConfigFile());
        }
        catch (JsonException e)
        {
            throw new RegistryException(0, code: null, repository: "",
                $"could not read credentials from '{path}': {IngotException.ReasonOf(e)}", e);
        }
    }

    /// <summary>The credentials in the file itself for a registry's host; null when there are none.</summary>
    /// <exception cref="RegistryException">The entry is damaged.</exception>
    public RegistryCredentials? Find(string registry)
    {
        try
        {
            return Keys(registry).Select((_file.Auths ?? []).GetValueOrDefault).OfType<DockerAuth>().Select(auth => auth.ToCredentials())
                .FirstOrDefault(found => found is not null);
        }
        catch (FormatException e)
        {
            throw new RegistryException(0, code: null, repository: "",
                $"could not read credentials for '{registry}' from '{_path}': {IngotException.ReasonOf(e)}", e);
        }
    }

    /// <summary>The helper that keeps the credentials of a registry, and the name it knows that by: <c>docker-credential-HELPER get</c> is
    /// to be given <c>Server</c> on its standard input; null when there is none.</summary>
    public (string Helper, string Server)? HelperOf(string registry)
    {
        foreach (string key in Keys(registry))
        {
            if (_file.CredHelpers?.GetValueOrDefault(key) is { Length: > 0 } helper)
                return (helper, key);
        }

        return string.IsNullOrEmpty(_file.CredsStore) ? null : (_file.CredsStore, IsHub(registry) ? HubKey : registry);
    }

    /// <summary>The credentials in what a helper printed; null when it has none.
    /// The name <c>&lt;token&gt;</c> marks an identity token.</summary>
    /// <exception cref="RegistryException">The answer is not understood.</exception>
    public static RegistryCredentials? ReadHelperAnswer(string helper, string json)
    {
        try
        {
            return JsonSerializer.Deserialize(json, CredentialJson.Default.HelperAnswer) switch
            {
                { Secret: { Length: > 0 } token, UserName: "<token>" } => new RegistryCredentials("", "", token),
                { Secret: { Length: > 0 } secret, UserName: { Length: > 0 } name } => new RegistryCredentials(name, secret),
                _ => null,
            };
        }
        catch (JsonException e)
        {
            // Not the answer itself: it may hold a password.
            throw new RegistryException(0, code: null, repository: "",
                $"the answer of 'docker-credential-{helper}' is not understood at byte {e.BytePositionInLine}");
        }
    }

    // Docker writes its own registry under the address of its first version.
    private const string HubKey = "https://index.docker.io/v1/";

    private static bool IsHub(string registry) => registry is "docker.io" or "index.docker.io" or "registry-1.docker.io";

    private static string[] Keys(string registry) => IsHub(registry)
        ? [HubKey, "docker.io", "index.docker.io", "registry-1.docker.io"]
        : [registry, $"https://{registry}", $"http://{registry}", $"https://{registry}/", $"https://{registry}/v1/",
            $"https://{registry}/v2/"];
}

internal sealed record DockerConfigFile
{
    [JsonPropertyName("auths")]
    public Dictionary<string, DockerAuth?>? Auths { get; init; }

    [JsonPropertyName("credsStore")]
    public string? CredsStore { get; init; }

    [JsonPropertyName("credHelpers")]
    public Dictionary<string, string?>? CredHelpers { get; init; }
}

internal sealed record HelperAnswer
{
    [JsonPropertyName("Username")]
    public string? UserName { get; init; }

    [JsonPropertyName("Secret")]
    public string? Secret { get; init; }
}

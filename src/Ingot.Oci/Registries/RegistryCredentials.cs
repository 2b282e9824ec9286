using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Ingot.Oci.Registries;

/// <summary>Who we are to a registry: a name and password, or a token that stands for both.</summary>
/// <param name="UserName">The name; empty with an identity token.</param>
/// <param name="Password">The password, or an access token in its place.</param>
/// <param name="IdentityToken">A token to be exchanged for access tokens; null when there is none.</param>
public sealed record RegistryCredentials(string UserName, string Password, string? IdentityToken = null)
{
    /// <summary>The credentials that <c>docker login</c> left for <paramref name="registry"/> in a <c>config.json</c>; null when the file or the entry is not there. Credential helpers are not run.</summary>
    public static async Task<RegistryCredentials?> FromDockerConfigAsync(string path, string registry, CancellationToken cancellationToken = default)
    {
        if (!File.Exists(path))
            return null;

        byte[] json = await File.ReadAllBytesAsync(path, cancellationToken).ConfigureAwait(false);
        try
        {
            var auths = JsonSerializer.Deserialize(json, CredentialJson.Default.DockerConfigFile)?.Auths ?? [];
            // Docker writes its own registry under the address of its first version.
            string[] keys = registry == "docker.io" ? [registry, "https://index.docker.io/v1/"] : [registry, $"https://{registry}", $"http://{registry}"];
            return keys.Select(auths.GetValueOrDefault).OfType<DockerAuth>().FirstOrDefault()?.ToCredentials();
        }
        catch (Exception e) when (e is JsonException or FormatException)
        {
            throw new RegistryException(0, code: null, repository: "", $"could not read credentials for '{registry}' from '{path}': {e.Message}", e);
        }
    }

    // A record prints its members; a password must not reach a log.
    /// <inheritdoc/>
    public override string ToString() => $"credentials of '{UserName}'";
}

internal sealed record DockerConfigFile
{
    [JsonPropertyName("auths")]
    public Dictionary<string, DockerAuth?>? Auths { get; init; }
}

internal sealed record DockerAuth
{
    [JsonPropertyName("auth")]
    public string? Auth { get; init; }

    [JsonPropertyName("username")]
    public string? UserName { get; init; }

    [JsonPropertyName("password")]
    public string? Password { get; init; }

    [JsonPropertyName("identitytoken")]
    public string? IdentityToken { get; init; }

    public RegistryCredentials? ToCredentials()
    {
        if (!string.IsNullOrEmpty(IdentityToken))
            return new RegistryCredentials("", "", IdentityToken);
        if (!string.IsNullOrEmpty(UserName))
            return new RegistryCredentials(UserName, Password ?? "");
        if (string.IsNullOrEmpty(Auth))
            return null;

        string pair = Encoding.UTF8.GetString(Convert.FromBase64String(Auth));
        int colon = pair.IndexOf(':', StringComparison.Ordinal);
        return colon < 0 ? throw new FormatException("'auth' is not NAME:PASSWORD in base64") : new RegistryCredentials(pair[..colon], pair[(colon + 1)..].TrimEnd('\0'));
    }
}

internal sealed record TokenResponse
{
    [JsonPropertyName("token")]
    public string? Token { get; init; }

    [JsonPropertyName("access_token")]
    public string? AccessToken { get; init; }
}

[JsonSerializable(typeof(DockerConfigFile))]
[JsonSerializable(typeof(TokenResponse))]
internal sealed partial class CredentialJson : JsonSerializerContext;

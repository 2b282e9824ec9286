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
    /// <summary>The credentials that <c>docker login</c> left for <paramref name="registry"/> in a <c>config.json</c>; null when the file
    /// or the entry is not there. Credential helpers are not run: see <see cref="DockerConfig"/>.</summary>
    public static async Task<RegistryCredentials?> FromDockerConfigAsync(
        string path, string registry, CancellationToken cancellationToken = default) =>
        (await DockerConfig.ReadAsync(path, cancellationToken).ConfigureAwait(false)).Find(registry);

    // A record prints its members; a password must not reach a log.
    /// <inheritdoc/>
    public override string ToString() => $"credentials of '{UserName}'";
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
        return colon < 0
            ? throw new FormatException("'auth' is not NAME:PASSWORD in base64")
            : new RegistryCredentials(pair[..colon], pair[(colon + 1)..].TrimEnd('\0'));
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
[JsonSerializable(typeof(HelperAnswer))]
[JsonSerializable(typeof(TokenResponse))]
internal sealed partial class CredentialJson : JsonSerializerContext;

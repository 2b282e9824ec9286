using System.Collections;
using System.Collections.Concurrent;
using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using Ingot.Diagnostics;
using Ingot.Oci.Registries;
using Ingot.Tools;

namespace Ingot.Projects.Images;

/// <summary>Clients of registries, one each, as the person's Docker configuration knows them: credentials, helpers, certificates.</summary>
public sealed class RegistryConnections(ProjectHost host, IReadOnlyList<string>? insecure = null) : IDisposable
{
    private const string CertificatesDirectory = "/etc/docker/certs.d";

    private readonly ConcurrentDictionary<string, Lazy<Task<RegistryClient>>> _clients = new();
    private readonly ConcurrentBag<HttpClient> _http = [];

    /// <summary>The client of the registry with that host.</summary>
    public Task<RegistryClient> ConnectAsync(string registry, CancellationToken cancellationToken) =>
        _clients.GetOrAdd(registry, name => new Lazy<Task<RegistryClient>>(() => CreateAsync(name, cancellationToken))).Value;

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var http in _http)
            http.Dispose();
    }

    private async Task<RegistryClient> CreateAsync(string registry, CancellationToken cancellationToken)
    {
        if (await host.Surroundings.FindRegistryAsync(registry, cancellationToken) is { } ours)
        {
            _http.Add(ours.Http);
            return new RegistryClient(ours.Http, ours.Address);
        }

        var address = insecure?.Contains(registry) == true ? new Uri($"http://{registry}/") : RegistryClient.UriOf(registry);
        var handler = new SocketsHttpHandler
        {
            ConnectTimeout = TimeSpan.FromSeconds(30),
            PooledConnectionLifetime = TimeSpan.FromMinutes(10),
            MaxAutomaticRedirections = 10,
            Proxy = new ForeignProxy(),
        };
        if (OwnRoots(registry) is { Count: > 0 } roots)
            handler.SslOptions.RemoteCertificateValidationCallback = (_, certificate, chain, errors) =>
                IsTrusted(certificate, chain, errors, roots);
        // Transfers take as long as they get on; what stands still is noticed by who reads and writes.
        var http = new HttpClient(handler) { Timeout = Timeout.InfiniteTimeSpan };
        http.DefaultRequestHeaders.TryAddWithoutValidation("User-Agent", $"ingot/{host.Version}");
        _http.Add(http);
        return new RegistryClient(http, address, await CredentialsAsync(registry, cancellationToken));
    }

    private static async Task<RegistryCredentials?> CredentialsAsync(string registry, CancellationToken cancellationToken)
    {
        string directory = Environment.GetEnvironmentVariable("DOCKER_CONFIG") is { Length: > 0 } given
            ? given
            : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".docker");
        var config = await DockerConfig.ReadAsync(Path.Combine(directory, "config.json"), cancellationToken);
        if (config.HelperOf(registry) is { } source
            && await AskHelperAsync(source.Helper, source.Server, cancellationToken) is { } credentials)
            return credentials;
        return config.Find(registry);
    }

    private static async Task<RegistryCredentials?> AskHelperAsync(string helper, string server, CancellationToken cancellationToken)
    {
        if (helper.Contains('/', StringComparison.Ordinal))
            throw new InvalidInputException("credential-helper", $"'{helper}' is not the name of a credential helper",
                "Docker's config.json names it without 'docker-credential-'");

        // A helper finds its keys by the person's variables.
        var environment = Environment.GetEnvironmentVariables().Cast<DictionaryEntry>()
            .ToDictionary(e => (string)e.Key, e => (string?)e.Value ?? "");
        var command = new Command($"docker-credential-{helper}", "get")
        {
            Input = System.Text.Encoding.UTF8.GetBytes(server),
            Environment = environment,
        };
        var answer = await CommandRunner.CaptureAsync(command, 1 << 20, cancellationToken);
        string output = System.Text.Encoding.UTF8.GetString(answer.Output);
        if (answer.ExitCode == 0)
            return DockerConfig.ReadHelperAnswer(helper, output);

        // It says so on its output, and nowhere else.
        string said = output.Trim();
        return said.Contains("credentials not found", StringComparison.OrdinalIgnoreCase)
            ? null
            : throw new ToolException(
                command, answer.ExitCode, said.Length > 0 ? said : System.Text.Encoding.UTF8.GetString(answer.Error).Trim());
    }

    // Where Docker and Podman look for the certificates of a registry that is signed by nobody known.
    private static X509Certificate2Collection OwnRoots(string registry)
    {
        var roots = new X509Certificate2Collection();
        string directory = Path.Combine(CertificatesDirectory, registry);
        if (!Directory.Exists(directory))
            return roots;

        foreach (string file in Directory.EnumerateFiles(directory, "*.crt"))
            roots.ImportFromPemFile(file);
        return roots;
    }

    private static bool IsTrusted(X509Certificate? certificate, X509Chain? chain, SslPolicyErrors errors, X509Certificate2Collection roots)
    {
        if (errors == SslPolicyErrors.None)
            return true;
        if (errors != SslPolicyErrors.RemoteCertificateChainErrors || certificate is not X509Certificate2 server || chain is null)
            return false;

        using var own = new X509Chain();
        own.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        own.ChainPolicy.CustomTrustStore.AddRange(roots);
        own.ChainPolicy.ExtraStore.AddRange(chain.ChainPolicy.ExtraStore);
        own.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        return own.Build(server);
    }
}

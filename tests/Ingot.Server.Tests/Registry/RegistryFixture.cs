using System.Net.Http.Headers;
using System.Text;
using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Server.Ledger;
using Ingot.Server.Registry;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Logging;

namespace Ingot.Server.Tests.Registry;

/// <summary>A registry on an ephemeral port, and the few things a client does to it.
/// Repositories below <c>scratch/</c> are mutable.</summary>
public sealed class RegistryFixture : IAsyncDisposable
{
    private readonly TestHome _test = new();
    private WebApplication? _app;

    private RegistryFixture()
    {
    }

    public LedgerStore Ledger { get; private set; } = null!;

    public DirectoryStore Store { get; private set; } = null!;

    public HttpClient Http { get; private set; } = null!;

    public string Uploads => _test.Home.Uploads;

    public Server.Storage.ServerHome Home => _test.Home;

    public static async Task<RegistryFixture> StartAsync(Func<RegistryOptions, RegistryOptions>? configure = null)
    {
        var fixture = new RegistryFixture();
        await fixture.OpenAsync(configure);
        return fixture;
    }

    /// <summary>Stops the server and starts another on the same home.</summary>
    public async Task RestartAsync(Func<RegistryOptions, RegistryOptions>? configure = null)
    {
        await CloseAsync();
        await OpenAsync(configure);
    }

    /// <summary>Stops the server, for <see cref="StartAgainAsync"/>.</summary>
    public Task StopAsync() => CloseAsync();

    /// <summary>Starts a server on the home of the one that was stopped.</summary>
    public Task StartAgainAsync() => OpenAsync(null);

    public async ValueTask DisposeAsync()
    {
        await CloseAsync();
        _test.Dispose();
    }

    public Task<HttpResponseMessage> SendAsync(
        string method, string path, byte[]? body = null, params (string Name, string Value)[] headers) =>
        SendAsync(method, path, body is null ? null : new ByteArrayContent(body), headers);

    public async Task<HttpResponseMessage> SendAsync(
        string method, string path, HttpContent? body, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), path) { Content = body };
        foreach (var (name, value) in headers)
        {
            if (!request.Headers.TryAddWithoutValidation(name, value))
            {
                request.Content ??= new ByteArrayContent([]);
                request.Content.Headers.TryAddWithoutValidation(name, value);
            }
        }

        return await Http.SendAsync(request);
    }

    public async Task<Descriptor> PushBlobAsync(string repository, byte[] bytes, string mediaType = "application/octet-stream")
    {
        var descriptor = Descriptor.Of(mediaType, bytes);
        var response = await SendAsync("POST", $"/v2/{repository}/blobs/uploads/?digest={descriptor.Digest}", bytes);
        await ExpectAsync(201, response);
        return descriptor;
    }

    public Task<HttpResponseMessage> PutManifestAsync(
        string repository, string reference, byte[] manifest, string? mediaType = MediaType.Manifest)
    {
        var content = new ByteArrayContent(manifest);
        content.Headers.ContentType = mediaType is null ? null : MediaTypeHeaderValue.Parse(mediaType);
        return SendAsync("PUT", $"/v2/{repository}/manifests/{reference}", content);
    }

    /// <summary>An image with one layer of the given text, its blobs pushed.</summary>
    public async Task<byte[]> MakeImageAsync(
        string repository, string text, Func<Manifest, Manifest>? change = null, string architecture = "amd64")
    {
        var layer = await PushBlobAsync(repository, Encoding.UTF8.GetBytes(text), MediaType.LayerGzip);
        var manifest = new Manifest { Config = await PushConfigAsync(repository, [layer], architecture), Layers = [layer] };
        var changed = change?.Invoke(manifest) ?? manifest;
        // A configuration speaks of as many layers as there are.
        return ImageJson.Write(changed.Config == manifest.Config
            ? changed with { Config = await PushConfigAsync(repository, changed.Layers, architecture) }
            : changed);
    }

    /// <summary>The configuration of an image of these layers.</summary>
    public Task<Descriptor> PushConfigAsync(string repository, IReadOnlyList<Descriptor> layers, string architecture = "amd64")
    {
        var config = new ImageConfig
        {
            Architecture = architecture,
            Os = "linux",
            RootFs = new RootFileSystem { DiffIds = [.. layers.Select(layer => layer.Digest)] },
        };
        return PushBlobAsync(repository, ImageJson.Write(config), MediaType.Config);
    }

    /// <summary>An image, published under a tag.</summary>
    public async Task<Digest> PublishAsync(string repository, string tag, string text, Func<Manifest, Manifest>? change = null)
    {
        var manifest = await MakeImageAsync(repository, text, change);
        await ExpectAsync(201, await PutManifestAsync(repository, tag, manifest));
        return Digest.Of(manifest);
    }

    /// <summary>Fails with the body when the status is another; with a code given, also when that is another.</summary>
    public static async Task ExpectAsync(int status, HttpResponseMessage response, string? code = null)
    {
        string body = await response.Content.ReadAsStringAsync();
        Assert.True(status == (int)response.StatusCode, $"expected {status}, got {(int)response.StatusCode}: {body}");
        if (code is not null)
            Assert.Contains($"\"code\":\"{code}\"", body, StringComparison.Ordinal);
    }

    private async Task OpenAsync(Func<RegistryOptions, RegistryOptions>? configure)
    {
        Ledger = await LedgerStore.OpenAsync(_test.Home, TimeProvider.System);
        Store = new DirectoryStore(_test.Home.Content);
        var options = new RegistryOptions
        {
            Ledger = Ledger,
            Store = Store,
            Uploads = _test.Home.Uploads,
            ReferrerNotes = _test.Home.ReferrerNotes,
            Mutable = ["scratch/*"],
        };
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        _app = builder.Build();
        _app.MapRegistry(configure?.Invoke(options) ?? options);
        await _app.StartAsync();
        Http = new HttpClient { BaseAddress = new Uri(_app.Urls.First()) };
    }

    private async Task CloseAsync()
    {
        Http.Dispose();
        await _app!.StopAsync();
        await _app.DisposeAsync();
        await Ledger.DisposeAsync();
    }
}

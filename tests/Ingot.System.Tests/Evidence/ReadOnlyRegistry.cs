using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Ingot.Evidence;
using Ingot.Oci.Content;
using Ingot.Oci.Images;

namespace Ingot.SystemTests.Evidence;

/// <summary>As much of a registry as a verifier asks for: manifests, blobs and referrers of one repository, over a store.</summary>
internal sealed class ReadOnlyRegistry : IAsyncDisposable
{
    private readonly IContentStore _store;
    private readonly Dictionary<string, Descriptor> _tags = [];
    private readonly List<Descriptor> _manifests = [];
    private readonly HttpListener _listener = new();
    private readonly Task _serving;

    public ReadOnlyRegistry(IContentStore store)
    {
        _store = store;
        int port = FreePort();
        Address = string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{port}");
        _listener.Prefixes.Add($"http://{Address}/");
        _listener.Start();
        _serving = ServeAsync();
    }

    public string Address { get; }

    public List<string> Requests { get; } = [];

    public void Publish(Descriptor manifest, string? tag = null)
    {
        _manifests.Add(manifest);
        if (tag is not null)
            _tags[tag] = manifest;
    }

    public void Publish(IEnumerable<EvidenceManifest> manifests)
    {
        foreach (var manifest in manifests)
            Publish(manifest.Descriptor, manifest.Tag);
    }

    public async ValueTask DisposeAsync()
    {
        _listener.Stop();
        await _serving;
        _listener.Close();
    }

    private async Task ServeAsync()
    {
        while (true)
        {
            HttpListenerContext context;
            try
            {
                context = await _listener.GetContextAsync();
            }
            catch (Exception e) when (e is HttpListenerException or ObjectDisposedException)
            {
                return;
            }

            await AnswerAsync(context);
        }
    }

    private async Task AnswerAsync(HttpListenerContext context)
    {
        string path = context.Request.Url!.AbsolutePath;
        lock (Requests)
            Requests.Add($"{context.Request.HttpMethod} {path}");
        var (type, body) = await FindAsync(path);
        using var response = context.Response;
        response.StatusCode = body is null ? 404 : 200;
        if (body is null)
            return;

        response.ContentType = type;
        response.Headers["Docker-Content-Digest"] = Digest.Of(body).ToString();
        response.ContentLength64 = body.Length;
        if (context.Request.HttpMethod != "HEAD")
            await response.OutputStream.WriteAsync(body);
    }

    private async Task<(string Type, byte[]? Body)> FindAsync(string path)
    {
        if (path == "/v2/")
            return ("application/json", "{}"u8.ToArray());

        string last = path[(path.LastIndexOf('/') + 1)..];
        if (path.Contains("/manifests/", StringComparison.Ordinal))
        {
            var found = _tags.GetValueOrDefault(last) ?? _manifests.Find(m => m.Digest.ToString() == last);
            return found is null ? ("", null) : (found.MediaType, await _store.ReadAsync(found.Digest));
        }

        if (path.Contains("/referrers/", StringComparison.Ordinal))
            return (MediaType.Index, await ReferrersAsync(last));
        return Digest.TryParse(last, out var digest) ? ("application/octet-stream", await _store.ReadAsync(digest)) : ("", null);
    }

    private async Task<byte[]> ReferrersAsync(string subject)
    {
        List<Descriptor> found = [];
        foreach (var manifest in _manifests)
        {
            var read = ImageJson.ReadManifest(await _store.ReadRequiredAsync(manifest.Digest));
            if (read.Subject?.Digest.ToString() == subject)
                found.Add(manifest with { ArtifactType = read.ArtifactType, Annotations = read.Annotations });
        }

        return ImageJson.Write(new ImageIndex { Manifests = found });
    }

    private static int FreePort()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)socket.LocalEndPoint!).Port;
    }
}

using System.Diagnostics;
using System.Text;
using Ingot.SystemTests.Shop;
using Ingot.Tools;

namespace Ingot.SystemTests.Registry;

/// <summary>Clients of others against the whole server: with a token they write, without one they read.</summary>
public sealed class AuthenticatedClientTests : IAsyncLifetime
{
    private readonly string _work = Directory.CreateTempSubdirectory("ingot-clients-").FullName;
    private readonly int _port = ShopFixture.FreePort();
    private IngotProgram _ingot = null!;
    private Process _server = null!;

    private string Host => $"127.0.0.1:{_port}";

    public async ValueTask InitializeAsync()
    {
        _ingot = new IngotProgram(Path.Combine(_work, "home"), server: null);
        await StartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        Directory.Delete(_work, recursive: true);
    }

    [Fact]
    public async Task SkopeoAndPodmanWriteWithATokenAndReadWithout()
    {
        string image = await MakeImageAsync("skopeo");
        string token = await TokenAsync("ci", "publisher");
        Assert.SkipUnless(File.Exists("/usr/bin/skopeo"), "needs skopeo: apt-get install skopeo");
        await FailsAsync("skopeo", "copy", "--dest-tls-verify=false", image, $"docker://{Host}/shop/app:1");
        await FailsAsync("skopeo", "copy", "--dest-tls-verify=false", "--dest-creds", $"ci:{token}x", image, $"docker://{Host}/shop/app:1");
        await FailsAsync("skopeo", "copy", "--dest-tls-verify=false", "--dest-creds", $"root:{token}", image,
            $"docker://{Host}/shop/app:1");
        await FailsAsync("skopeo", "copy", "--dest-tls-verify=false", "--dest-creds",
            $"eve:{await TokenAsync("eve", "viewer", "approver", "releaser")}", image, $"docker://{Host}/shop/app:1");
        await CommandRunner.RunAsync(new Command("skopeo", "copy", "--dest-tls-verify=false", "--dest-creds", $"ci:{token}", image,
            $"docker://{Host}/shop/app:1"));
        await CommandRunner.RunAsync(new Command("skopeo", "copy", "--src-tls-verify=false", $"docker://{Host}/shop/app:1",
            $"dir:{_work}/copied"));
        Assert.SkipUnless(File.Exists("/usr/bin/podman"), "needs podman: apt-get install podman");
        await CommandRunner.RunAsync(new Command("podman", "login", "--authfile", $"{_work}/auth.json", "--tls-verify=false", "-u", "ci",
            "--password-stdin", Host)
        {
            Input = Encoding.ASCII.GetBytes(token),
        });
        await FailsAsync("podman", "login", "--authfile", $"{_work}/other.json", "--tls-verify=false", "-u", "eve", "-p", token, Host);
        await CommandRunner.RunAsync(new Command("skopeo", "copy", "--authfile", $"{_work}/auth.json", "--dest-tls-verify=false", image,
            $"docker://{Host}/shop/app:2"));
    }

    [Fact]
    public async Task DockerLogsInPushesAndPulls()
    {
        await SkipUnlessDockerAsync();
        string name = $"{Host}/shop/docker:1";
        string token = await TokenAsync("ci", "publisher");
        string config = Directory.CreateDirectory(Path.Combine(_work, "docker")).FullName;
        Command Docker(params string[] arguments) => new("docker", ["--config", config, .. arguments]);
        await CommandRunner.RunAsync(Docker("import", await MakeTarAsync("docker"), name));
        try
        {
            await FailsAsync("docker", "--config", config, "push", name);
            await FailsAsync("docker", "--config", config, "login", "-u", "eve", "-p", token, Host);
            await CommandRunner.RunAsync(Docker("login", "-u", "ci", "--password-stdin", Host) with
            {
                Input = Encoding.ASCII.GetBytes(token),
            });
            await CommandRunner.RunAsync(Docker("push", name));
            await CommandRunner.RunAsync(Docker("logout", Host));
            await CommandRunner.RunAsync(Docker("rmi", name));
            await CommandRunner.RunAsync(Docker("pull", name));
        }
        finally
        {
            await CommandRunner.TryRunAsync(Docker("rmi", name), onLine: null);
        }
    }

    /// <summary>As for releases: the Engine is given the credentials with the request.</summary>
    [Fact]
    public async Task AClosedRegistryIsReadWithATokenOnlyAlsoByTheEngine()
    {
        await StopAsync();
        await StartAsync("--no-anonymous-read");
        string image = await MakeImageAsync("closed");
        string token = await TokenAsync("ci", "publisher");
        Assert.SkipUnless(File.Exists("/usr/bin/skopeo"), "needs skopeo: apt-get install skopeo");
        await CommandRunner.RunAsync(new Command("skopeo", "copy", "--dest-tls-verify=false", "--dest-creds", $"ci:{token}", image,
            $"docker://{Host}/shop/app:1"));
        await FailsAsync("skopeo", "inspect", "--tls-verify=false", $"docker://{Host}/shop/app:1");
        string digest = (await CommandRunner.RunAsync(new Command("skopeo", "inspect", "--tls-verify=false", "--creds", $"ci:{token}",
            "--format", "{{.Digest}}", $"docker://{Host}/shop/app:1"))).Trim();

        await SkipUnlessDockerAsync();
        using var engine = new DockerEngine();
        await Assert.ThrowsAsync<ToolException>(() => engine.PullAsync($"{Host}/shop/app", digest));
        await engine.PullAsync($"{Host}/shop/app", digest, new System.Net.NetworkCredential("ci", token));
        await CommandRunner.TryRunAsync(new Command("docker", "rmi", $"{Host}/shop/app@{digest}"), onLine: null);
    }

    private async Task StartAsync(params string[] options)
    {
        _server = _ingot.Start(["serve", "--listen", Host, .. options]);
        _ = _server.StandardOutput.ReadToEndAsync();
        _ = _server.StandardError.ReadToEndAsync();
        string socket = Path.Combine(_work, "home", "server", "ingot.sock");
        for (int i = 0; i < 600; i++)
        {
            try
            {
                (await UnixPeer.ConnectAsync(socket, UnixPeer.OwnUserId)).Socket.Dispose();
                return;
            }
            catch (System.Net.Sockets.SocketException) when (!_server.HasExited)
            {
                await Task.Delay(50);
            }
        }

        Assert.Fail("the server did not answer within 30 s");
    }

    private async Task StopAsync()
    {
        _server.Kill();
        await _server.WaitForExitAsync();
        _server.Dispose();
    }

    private async Task<string> TokenAsync(string name, params string[] roles) =>
        (await _ingot.ExpectAsync(0, ["tokens", "create", name, .. roles.SelectMany(role => (string[])["--role", role])])).Output.Trim();

    private static async Task FailsAsync(string program, params string[] arguments)
    {
        var ended = await CommandRunner.TryRunAsync(new Command(program, arguments), onLine: null);
        Assert.True(ended.ExitCode != 0, $"'{program} {string.Join(' ', arguments)}' should have been refused");
    }

    private static async Task SkipUnlessDockerAsync()
    {
        using var engine = new DockerEngine();
        Assert.SkipUnless(await engine.AnswersAsync(), $"no Docker daemon answers at {DockerEngine.DefaultSocket}");
    }

    private async Task<string> MakeTarAsync(string name)
    {
        string root = Directory.CreateDirectory(Path.Combine(_work, "root-" + name)).FullName;
        await File.WriteAllTextAsync(Path.Combine(root, "hello.txt"), name + Host);
        await CommandRunner.RunAsync(new Command("tar", "-C", root, "-cf", $"{_work}/{name}.tar", "."));
        return $"{_work}/{name}.tar";
    }

    /// <summary>A small image, as skopeo names it.</summary>
    private async Task<string> MakeImageAsync(string name)
    {
        await _ingot.ExpectAsync(0, "import", await MakeTarAsync(name), "--name", $"{name}:1");
        await _ingot.ExpectAsync(0, "export", $"{name}:1", $"{_work}/{name}-archive.tar", "--format", "oci-archive");
        return $"oci-archive:{_work}/{name}-archive.tar";
    }
}

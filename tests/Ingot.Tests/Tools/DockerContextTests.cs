using System.Security.Cryptography;
using System.Text;
using Ingot.Testing;
using Ingot.Tools;

namespace Ingot.Tests.Tools;

public sealed class DockerContextTests : IDisposable
{
    private readonly TemporaryDirectory _home = new();
    private readonly Dictionary<string, string> _variables = [];

    public void Dispose() => _home.Dispose();

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("unix:///var/run/docker.sock")]
    [InlineData("unix:///run/docker.sock")]
    public void ThisHostsOwnEngineIsMeant(string? host)
    {
        if (host is not null)
            _variables["DOCKER_HOST"] = host;
        Assert.Null(Elsewhere());
    }

    [Theory]
    [InlineData("tcp://10.0.0.1:2375")]
    [InlineData("ssh://somebody@far")]
    [InlineData("unix:///run/user/1000/docker.sock")]
    public void AnEngineElsewhereIsNamedWithTheCure(string host)
    {
        _variables["DOCKER_HOST"] = host;
        Assert.StartsWith($"DOCKER_HOST is '{host}', and instances run on this host's own Engine", Elsewhere());
        Assert.Contains("INGOT_SERVER", Elsewhere(), StringComparison.Ordinal);
    }

    [Fact]
    public void TheVariableComesBeforeTheContextAndThatBeforeTheConfiguration()
    {
        Context("far", "ssh://somebody@far");
        Context("near", "unix:///var/run/docker.sock");
        Configure("""{ "currentContext": "far" }""");
        Assert.StartsWith("the Docker context is 'far', which leads to 'ssh://somebody@far'", Elsewhere());
        _variables["DOCKER_CONTEXT"] = "near";
        Assert.Null(Elsewhere());
        _variables["DOCKER_CONTEXT"] = "default";
        Assert.Null(Elsewhere());
        _variables["DOCKER_CONTEXT"] = "gone";
        Assert.StartsWith("the Docker context is 'gone', which leads to a place that is not defined on this host", Elsewhere());
        _variables["DOCKER_HOST"] = "unix:///var/run/docker.sock";
        Assert.Null(Elsewhere());
    }

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("[1]")]
    [InlineData("""{ "currentContext": 3 }""")]
    [InlineData("""{ "currentContext": "" }""")]
    [InlineData("""{ "currentContext": "\ud800" }""")]
    public void AConfigurationThatSaysNothingIsNone(string text)
    {
        Configure(text);
        Assert.Null(Elsewhere());
    }

    private string? Elsewhere() => new DockerContext(_variables.GetValueOrDefault, _home.Root).Elsewhere();

    private void Configure(string text)
    {
        _home.Make(".docker");
        File.WriteAllText(_home.At(".docker", "config.json"), text);
    }

    private void Context(string name, string address)
    {
        string id = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(name)));
        _home.Make(".docker", "contexts", "meta", id);
        File.WriteAllText(_home.At(".docker", "contexts", "meta", id, "meta.json"),
            $$$"""{ "Name": "{{{name}}}", "Endpoints": { "docker": { "Host": "{{{address}}}" } } }""");
    }
}

using Ingot.Server.Storage;

namespace Ingot.Server.Tests;

/// <summary>A home in a temporary directory, gone after the test.</summary>
internal sealed class TestHome : IDisposable
{
    public TestHome() => Home = new ServerHome(Directory.CreateTempSubdirectory("ingot-home-").FullName);

    public ServerHome Home { get; }

    public void Dispose() => Directory.Delete(Home.Root, recursive: true);
}

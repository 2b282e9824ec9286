using Ingot.Projects;
using Ingot.Server.Storage;

namespace Ingot.Cli;

/// <summary>Where data lies on this host, and which server commands talk to.</summary>
internal sealed class Home
{
    public const string DefaultServer = "http://127.0.0.1:7070";

    private readonly ServerHome _server;

    private Home(ServerHome server) => _server = server;

    public string Directory => _server.Root;

    /// <summary>The content of this host: the local server and the builder share it, so that publishing moves no bytes.</summary>
    public string Content => _server.Content;

    public string Keys => _server.Keys;

    public string Cache => Path.Combine(Directory, "cache");

    /// <summary>The server's names for the same places.</summary>
    public ServerHome Server => _server;

    public string Work => Path.Combine(Directory, "work");

    public string Logs => Path.Combine(Directory, "logs");

    /// <summary>The token of the local server; only its owner can read it.</summary>
    public string Token => _server.Token;

    /// <summary>The places that work on projects uses.</summary>
    public ProjectPlaces Places => new() { Content = Content, Cache = Cache, Work = Work, Recipes = Path.Combine(Directory, "recipes") };

    /// <summary>Makes it its owner's only, and refuses one that is another's. Returns a note when that changed anything.</summary>
    public string? Prepare()
    {
        try
        {
            return HomeDirectory.Prepare(Directory);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It cannot be made: commands that only read do without, and those that write say so.
            return null;
        }
    }

    /// <summary>The home of this user, or the one that <c>INGOT_HOME</c> names.</summary>
    public static Home FromEnvironment() => new(ServerHome.FromEnvironment());

    /// <summary>The home at <paramref name="root"/>.</summary>
    public static Home At(string root) => new(new ServerHome(root));
}

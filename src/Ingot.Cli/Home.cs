namespace Ingot.Cli;

/// <summary>Where data lies on this host, and which server commands talk to.</summary>
internal sealed record Home(string Directory)
{
    public const string DefaultServer = "http://127.0.0.1:7070";

    public string Store => Path.Combine(Directory, "store");

    public string Cache => Path.Combine(Directory, "cache");

    public string Work => Path.Combine(Directory, "work");

    public string Keys => Path.Combine(Directory, "keys");

    public string Logs => Path.Combine(Directory, "logs");

    /// <summary>The token of the local server; only its owner can read it.</summary>
    public string Token => Path.Combine(Directory, "server", "token");

    /// <summary><c>$INGOT_HOME</c>, else <c>/var/lib/ingot</c> for root and <c>~/.local/share/ingot</c> for others.</summary>
    public static Home FromEnvironment()
    {
        var chosen = Environment.GetEnvironmentVariable("INGOT_HOME");
        if (!string.IsNullOrEmpty(chosen))
            return new Home(Path.GetFullPath(chosen));

        return new Home(Environment.UserName == "root"
            ? "/var/lib/ingot"
            : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".local", "share", "ingot"));
    }
}

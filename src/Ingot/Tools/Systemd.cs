using System.Text;

namespace Ingot.Tools;

/// <summary>systemd, the manager of services of most hosts, through <c>systemctl</c>.</summary>
/// <remarks>See <see href="https://www.freedesktop.org/software/systemd/man/latest/systemd.service.html">systemd.service</see> for what a
/// unit says.</remarks>
/// <param name="root">Where the host's files are.</param>
public sealed class Systemd(string root = "/")
{
    private static readonly string[] s_places =
        ["etc/systemd/system", "run/systemd/system", "usr/local/lib/systemd/system", "usr/lib/systemd/system", "lib/systemd/system"];

    /// <summary>Whether it manages this host, as <c>sd_booted</c> tells.</summary>
    public bool IsRunning => Directory.Exists(Path.Combine(root, "run/systemd/system"));

    /// <summary>Where an administrator's own unit lies.</summary>
    public string UnitFile(string unit) => Path.Combine(root, s_places[0], unit);

    /// <summary>Whether the host has a unit of that name.</summary>
    public bool Has(string unit) => s_places.Any(place => File.Exists(Path.Combine(root, place, unit)));

    /// <summary>Asks for a unit to be started, and waits until it is.</summary>
    public static Command Start(string unit) => new("systemctl", "start", unit);

    /// <summary>Asks for a unit to be ended and started again, and waits until it is.</summary>
    public static Command Restart(string unit) => new("systemctl", "restart", unit);

    /// <summary>Has a unit started with the host, and now.</summary>
    public static Command Enable(string unit) => new("systemctl", "enable", "--now", unit);

    /// <summary>Ends a unit, and has it started with the host no more.</summary>
    public static Command Disable(string unit) => new("systemctl", "disable", "--now", unit);

    /// <summary>Asks whether a unit runs: it does when this ends with 0.</summary>
    public static Command IsActive(string unit) => new("systemctl", "is-active", "--quiet", unit);

    /// <summary>Has units read that were written since.</summary>
    public static Command Reload() => new("systemctl", "daemon-reload");

    /// <summary>A word of a unit: as it is, whatever is in it. Throws <see cref="ArgumentException"/> for one with control characters,
    /// which a line of a unit cannot hold.</summary>
    public static string Quote(string word)
    {
        var text = new StringBuilder("\"");
        foreach (char c in word)
        {
            if (char.IsControl(c))
                throw new ArgumentException($"a line of a unit cannot hold the control character U+{(int)c:X4}", nameof(word));
            // %: a specifier; $: a variable of a command.
            text.Append(c switch { '"' or '\\' => $"\\{c}", '%' => "%%", '$' => "$$", _ => c.ToString() });
        }

        return text.Append('"').ToString();
    }

    /// <summary>The word of an <c>Environment=</c> line, in which <c>$</c> means nothing.</summary>
    public static string QuoteVariable(string name, string value) => Quote($"{name}={value}").Replace("$$", "$", StringComparison.Ordinal);
}

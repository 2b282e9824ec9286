using System.Globalization;

namespace Ingot.Plans;

/// <summary>What commands of steps run with, beside what their instructions say.</summary>
public sealed record RunSettings
{
    /// <summary>The network of commands that name none.</summary>
    public StepNetwork Network { get; init; }

    /// <summary>Further lines of <c>/etc/hosts</c>, as <c>address name</c>.</summary>
    public IReadOnlyList<string> Hosts { get; init; } = [];

    /// <summary>The size of <c>/dev/shm</c> in bytes; null for 64 MiB.</summary>
    public long? SharedMemory { get; init; }

    /// <summary>Limits of every process, sorted by name.</summary>
    public IReadOnlyList<StepLimit> Limits { get; init; } = [];
}

/// <summary>A limit of processes.</summary>
/// <param name="Name">Which, as <c>nofile</c>.</param>
/// <param name="Soft">The limit; null for none.</param>
/// <param name="Hard">What it may be raised to; null for anything.</param>
public sealed record StepLimit(string Name, ulong? Soft, ulong? Hard)
{
    /// <summary>The names there are (<see href="https://man7.org/linux/man-pages/man2/getrlimit.2.html">getrlimit</see>).</summary>
    public static IReadOnlyList<string> Names { get; } =
        ["as", "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile", "nproc", "rss", "rtprio", "rttime",
            "sigpending", "stack"];

    /// <summary>A limit as people write it, <c>nofile=1024:2048</c>; -1 is none. Null when it is none.</summary>
    public static StepLimit? TryParse(string text)
    {
        string[] parts = text.Split('=');
        if (parts.Length != 2 || !Names.Contains(parts[0]))
            return null;

        string[] values = parts[1].Split(':');
        if (values.Length > 2 || !TryParseValue(values[0], out ulong? soft) || !TryParseValue(values[^1], out ulong? hard))
            return null;
        return (soft ?? ulong.MaxValue) <= (hard ?? ulong.MaxValue) ? new StepLimit(parts[0], soft, hard) : null;
    }

    /// <inheritdoc/>
    public override string ToString() => $"{Name}={Text(Soft)}:{Text(Hard)}";

    private static string Text(ulong? value) => value?.ToString(CultureInfo.InvariantCulture) ?? "-1";

    private static bool TryParseValue(string text, out ulong? value)
    {
        bool isNumber = ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out ulong number);
        value = isNumber ? number : null;
        return isNumber || text == "-1";
    }
}

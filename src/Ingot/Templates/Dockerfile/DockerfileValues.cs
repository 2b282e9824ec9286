using System.Globalization;
using System.Text.RegularExpressions;

namespace Ingot.Templates.Dockerfile;

/// <summary>Values of instructions and flags, for those who expand variables first.</summary>
public static partial class DockerfileValues
{
    // signal(7): the names that Linux has, without SIG.
    private static readonly HashSet<string> s_signals = new(
    [
        "ABRT", "ALRM", "BUS", "CHLD", "CLD", "CONT", "FPE", "HUP", "ILL", "INT", "IO", "IOT", "KILL", "PIPE", "POLL", "PROF", "PWR",
        "QUIT", "SEGV", "STKFLT", "STOP",
        "SYS", "TERM", "TRAP", "TSTP", "TTIN", "TTOU", "URG", "USR1", "USR2", "VTALRM", "WINCH", "XCPU", "XFSZ", "RTMIN", "RTMAX",
    ], StringComparer.OrdinalIgnoreCase);

    /// <summary>What a sentence about a signal ends with.</summary>
    public const string SignalForm = "a name such as SIGTERM, or a number";

    /// <summary>Whether a text is a signal: a positive number, or a name with or without <c>SIG</c>, in any case.</summary>
    public static bool IsSignal(string text)
    {
        if (int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int number))
            return number > 0;

        string name = text.StartsWith("SIG", StringComparison.OrdinalIgnoreCase) ? text[3..] : text;
        return s_signals.Contains(name) || RealTimeSignal().IsMatch(name);
    }

    /// <summary>A switch of a mount or of <c># check=</c>: <c>1</c>, <c>t</c>, <c>true</c> and their opposites;
    /// null for anything else.</summary>
    public static bool? TryParseSwitch(string text) => text switch
    {
        "1" or "t" or "T" or "true" or "TRUE" or "True" => true,
        "0" or "f" or "F" or "false" or "FALSE" or "False" => false,
        _ => null,
    };

    /// <summary>A size in bytes: <c>64m</c>, <c>1.5GiB</c>, <c>4096</c>, in powers of 1024;
    /// null when it is none or does not fit 63 bits.</summary>
    public static long? TryParseSize(string text)
    {
        var match = Size().Match(text);
        if (!match.Success
            || !double.TryParse(match.Groups[1].ValueSpan, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double number))
            return null;

        string unit = match.Groups[2].Value.ToLowerInvariant();
        double bytes = number * Math.Pow(1024, unit.Length == 0 ? 0 : "kmgtpe".IndexOf(unit[0], StringComparison.Ordinal) + 1);
        return bytes < long.MaxValue ? (long)bytes : null;
    }

    /// <summary>A mode of a mount: octal, at most 32 bits; null for anything else.</summary>
    public static uint? TryParseMode(string text)
    {
        ulong mode = 0;
        foreach (char c in text)
        {
            if (c is < '0' or > '7' || mode > uint.MaxValue >> 3)
                return null;
            mode = (mode << 3) + (uint)(c - '0');
        }

        return text.Length > 0 ? (uint)mode : null;
    }

    /// <summary>A user or a group of a mount: a decimal number of 32 bits; null for anything else.</summary>
    public static uint? TryParseId(string text) =>
        uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out uint id) ? id : null;

    [GeneratedRegex(@"^RTM(IN\+([1-9]|1[0-5])|AX-([1-9]|1[0-4]))$", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex RealTimeSignal();

    [GeneratedRegex(@"^([0-9]+(?:\.[0-9]*)?) ?([kmgtpe]?)i?b?$", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex Size();
}

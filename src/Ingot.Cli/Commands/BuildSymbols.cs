using System.CommandLine;
using System.Globalization;
using Ingot.Diagnostics;

namespace Ingot.Cli.Commands;

/// <summary>How images are to be built.</summary>
internal sealed record BuildOptions(bool NoCache, DateTimeOffset? Epoch, IReadOnlyList<KeyValuePair<string, string>> Arguments);

/// <summary>The options that <c>up</c> and <c>build</c> share.</summary>
internal sealed class BuildSymbols
{
    private readonly Option<bool> _noCache = new("--no-cache") { Description = "Run every step again" };
    private readonly Option<long?> _epoch = new("--source-date-epoch") { Description = "The time of the sources in seconds since 1970; $SOURCE_DATE_EPOCH when left out, else 1980-01-01", HelpName = "SECONDS" };
    private readonly Option<string[]> _arguments = new("--build-arg") { Description = "A build argument for every image, over what ingot.yaml says", HelpName = "NAME=VALUE" };

    public void AddTo(Command command)
    {
        command.Add(_noCache);
        command.Add(_epoch);
        command.Add(_arguments);
    }

    public BuildOptions Read(ParseResult result) => new(result.GetValue(_noCache), Epoch(result), [.. (result.GetValue(_arguments) ?? []).Select(Split)]);

    private DateTimeOffset? Epoch(ParseResult result)
    {
        if (result.GetValue(_epoch) is { } given)
            return DateTimeOffset.FromUnixTimeSeconds(given);

        string? variable = Environment.GetEnvironmentVariable("SOURCE_DATE_EPOCH");
        if (string.IsNullOrEmpty(variable))
            return null;
        return long.TryParse(variable, NumberStyles.None, CultureInfo.InvariantCulture, out long seconds) && seconds < 253402300800
            ? DateTimeOffset.FromUnixTimeSeconds(seconds)
            : throw new InvalidInputException("source-date-epoch", $"SOURCE_DATE_EPOCH is '{variable}'", "expected seconds since 1970");
    }

    private static KeyValuePair<string, string> Split(string text)
    {
        int equals = text.IndexOf('=', StringComparison.Ordinal);
        return equals > 0
            ? new(text[..equals], text[(equals + 1)..])
            : new(text, Environment.GetEnvironmentVariable(text) ?? throw new InvalidInputException("build-arg", $"'{text}' is not a build argument", "expected NAME=VALUE, or the NAME of a variable that is set"));
    }
}

using System.CommandLine;
using Ingot.Diagnostics;
using Ingot.Oci.Content;

namespace Ingot.Cli.Commands;

/// <summary>Options that several commands have.</summary>
internal static class Symbols
{
    public static Option<string[]> InsecureRegistry() => new("--insecure-registry")
    {
        Description = "A registry that speaks plain http; registries on this host need not be listed",
        HelpName = "HOST[:PORT]",
    };

    public static Option<string?> Platform(string description) =>
        new("--platform") { Description = description, HelpName = "OS/ARCH[/VARIANT]" };

    /// <summary>The platform that was given; null when none was.</summary>
    public static Platform? ReadPlatform(ParseResult result, Option<string?> option) => result.GetValue(option) is not { } text
        ? null
        : ParsePlatform(text);

    /// <summary>A platform as it was typed; what nothing runs on is an error.</summary>
    public static Platform ParsePlatform(string text)
    {
        var platform = Oci.Content.Platform.TryParse(text);
        if (platform is { IsKnown: true })
            return platform;

        string near = Suggestion.For(text, Oci.Content.Platform.KnownNames) is { } likely ? likely + " " : "";
        throw new InvalidInputException("platform", $"'{text}' is not a platform",
            $"{near}platforms: {string.Join(", ", Oci.Content.Platform.KnownNames)}");
    }
}

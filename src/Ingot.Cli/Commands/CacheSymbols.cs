using System.CommandLine;
using Ingot.Diagnostics;
using Ingot.Oci.Registries;
using Ingot.Projects;

namespace Ingot.Cli.Commands;

/// <summary>The options about shared caches.</summary>
internal sealed class CacheSymbols
{
    private const string DirectoryPrefix = "dir:";
    private const string DefaultTag = "cache";

    private readonly Option<string[]> _from = new("--cache-from")
    {
        Description = "Use results of a shared cache: a tag of a registry, or dir:PATH; may be given several times, "
            + "the first that has a step's result is used",
        HelpName = "REF",
    };
    private readonly Option<string[]> _to = new("--cache-to")
    {
        Description = "Share the results of this build when it is done: REF as for --cache-from; "
            + "mode=min leaves out stages that no image has, mounts=true adds cache mounts",
        HelpName = "REF[,mode=max|min][,mounts=true]",
    };

    public void AddTo(Command command)
    {
        command.Add(_from);
        command.Add(_to);
    }

    public IReadOnlyList<CacheLocation> ReadFrom(ParseResult result, string directory) =>
        [.. (result.GetValue(_from) ?? []).Select(text => Location(text, directory, "cache-from"))];

    public IReadOnlyList<CacheLocation> ReadTo(ParseResult result, string directory) =>
        [.. (result.GetValue(_to) ?? []).Select(text => Target(text, directory))];

    private static CacheLocation Target(string text, string directory)
    {
        string[] parts = text.Split(',');
        var location = Location(parts[0], directory, "cache-to");
        foreach (string part in parts[1..])
        {
            location = part switch
            {
                "mode=max" => location with { AllStages = true },
                "mode=min" => location with { AllStages = false },
                "mounts=true" => location with { Mounts = true },
                "mounts=false" => location with { Mounts = false },
                _ => throw new InvalidInputException("cache-to", $"'{part}' in '--cache-to {text}' is not an option of it",
                    Suggestion.For(part, ["mode=max", "mode=min", "mounts=true", "mounts=false"]) ?? "mode=max, mode=min or mounts=true"),
            };
        }

        return location;
    }

    private static CacheLocation Location(string text, string directory, string option)
    {
        if (text.StartsWith(DirectoryPrefix, StringComparison.Ordinal) && text.Length > DirectoryPrefix.Length)
            return new CacheLocation(null, Path.GetFullPath(text[DirectoryPrefix.Length..], directory));
        if (!Reference.TryParse(text, out var reference) || reference.Digest is not null)
            throw new InvalidInputException(option, $"'{text}' is not a place for a cache",
                "expected [REGISTRY/]REPOSITORY[:TAG] in lower case, such as 'registry.example/team/app:cache', or dir:PATH");
        return new CacheLocation((reference.Tag is null ? reference.WithTag(DefaultTag) : reference).WithDockerDefaults(), null);
    }
}

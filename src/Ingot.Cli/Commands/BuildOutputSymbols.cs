using System.CommandLine;
using Ingot.Cli.Pipeline;
using Ingot.Diagnostics;
using Ingot.Oci.Registries;

namespace Ingot.Cli.Commands;

/// <summary>What is to be done with images when they are built.</summary>
/// <param name="Tags">Names in the local store, each with a tag.</param>
/// <param name="IdFile">The file that gets the digest; null for none.</param>
/// <param name="MetadataFile">The file that gets what the build came to; null for none.</param>
/// <param name="Exports">What is written for others.</param>
internal sealed record BuildOutputs(IReadOnlyList<string> Tags, string? IdFile, string? MetadataFile, IReadOnlyList<BuildExport> Exports)
{
    /// <summary>Whether anything is done that another time has to be done again.</summary>
    public bool WritesFiles => IdFile is not null || MetadataFile is not null || Exports.Count > 0;

    /// <summary>Whether something goes to standard output that must stand there alone.</summary>
    public bool TakesOutput => Exports.Any(e => e.Destination == BuildExport.StandardOutput);
}

/// <summary>The options for it, as Docker's of those names. <c>--output</c> is also how data is printed: that one every command
/// has.</summary>
internal sealed class BuildOutputSymbols
{
    private static readonly string[] s_formats = ["text", "json", "sarif"];

    private readonly Option<string[]> _tags = new("--tag", "-t")
    {
        Description = "A name for the image in the local store, instead of its directory's name and in addition to its project's",
        HelpName = "NAME[:TAG]",
    };

    private readonly Option<string> _idFile = new("--iidfile")
    {
        Description = "Write the digest of the image to a file",
        HelpName = "FILE",
    };

    private readonly Option<string> _metadataFile = new("--metadata-file")
    {
        Description = "Write digest, name and platform to a file, as JSON with BuildKit's names",
        HelpName = "FILE",
    };
    private readonly Option<string[]> _outputs = new("--output", "-o")
    {
        Description = "Also write the image: with type=local,dest=DIR its files into a directory; with type=tar, oci or docker and "
            + "dest=FILE an archive, - for standard output. Or how data is printed: text, json or sarif",
        HelpName = "type=TYPE,dest=PATH",
    };

    public void AddTo(Command command)
    {
        foreach (var option in (Option[])[_tags, _idFile, _metadataFile, _outputs])
            command.Add(option);
    }

    public BuildOutputs Read(ParseResult result, CommandContext context)
    {
        string? At(string? path) => path is null ? null : context.Resolve(path);
        string[] outputs = result.GetValue(_outputs) ?? [];
        var exports = outputs.Where(o => !s_formats.Contains(o)).Select(o => BuildExport.Parse(o, context.Directory)).ToList();
        if (exports.Count(e => e.Destination == BuildExport.StandardOutput) > 1)
            throw new InvalidInputException("output", "two archives cannot both go to standard output", "name a file for one: dest=FILE");
        return new BuildOutputs([.. (result.GetValue(_tags) ?? []).Select(ReadTag).Distinct()], At(result.GetValue(_idFile)),
            At(result.GetValue(_metadataFile)), exports);
    }

    private static string ReadTag(string text)
    {
        if (!Reference.TryParse(text, out var reference) || reference.Digest is not null)
            throw new InvalidInputException("tag", $"'{text}' is not a name for an image",
                "expected [REGISTRY/]NAME[:TAG] in lower case, such as shop/web:1.2");
        return reference.Tag is null ? $"{reference}:latest" : reference.ToString();
    }
}

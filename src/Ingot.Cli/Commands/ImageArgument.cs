using Ingot.Cli.Output;
using Ingot.Diagnostics;
using Ingot.Oci.Content;
using Ingot.Server.Api;

namespace Ingot.Cli.Commands;

/// <summary>What a person means by an IMAGE: <c>name[:tag][@digest]</c> of the project, resolved to a digest once, at the door.</summary>
internal sealed record ImageArgument(string Project, string Image, string? Version, Digest Digest)
{
    /// <summary>The repository the image is published in.</summary>
    public string Repository => $"{Project}/{Image}";

    public static async Task<ImageArgument> ResolveAsync(
        CommandContext context, ServerClient server, string text, CancellationToken cancellationToken)
    {
        var (name, tag, digest) = Split(text);
        string project;
        if (name.Contains('/', StringComparison.Ordinal))
        {
            int slash = name.IndexOf('/', StringComparison.Ordinal);
            (project, name) = (name[..slash], name[(slash + 1)..]);
        }
        else
        {
            var definition = context.LoadProject();
            project = definition.Name;
            var image = definition.Images.FirstOrDefault(i => i.Name == name)
                ?? throw new InvalidInputException("no-image", $"the project '{project}' has no image '{name}'",
                    Suggestion.Among(name, "images", [.. definition.Images.Select(i => i.Name)]));
            if (digest is null)
                tag ??= image.Version;
        }

        var query = digest is { } d ? $"digest={Uri.EscapeDataString(d.ToString())}" : $"tag={Uri.EscapeDataString(tag ?? "")}";
        var reply = await server.GetAsync(
            $"api/v1/resolve?project={Uri.EscapeDataString(project)}&image={Uri.EscapeDataString(name)}&{query}",
            ApiJson.Default.ResolveReply,
            cancellationToken);
        return new ImageArgument(reply.Project, reply.Image, reply.Version, reply.Digest);
    }

    private static (string Name, string? Tag, Digest? Digest) Split(string text)
    {
        Digest? digest = null;
        int at = text.IndexOf('@', StringComparison.Ordinal);
        if (at >= 0)
        {
            if (!Digest.TryParse(text.AsSpan(at + 1), out var parsed))
                throw new InvalidInputException("image", $"'{text[(at + 1)..]}' is not a digest", "expected name[:tag][@sha256:…]");
            digest = parsed;
            text = text[..at];
        }

        int colon = text.IndexOf(':', StringComparison.Ordinal);
        var (name, tag) = colon < 0 ? (text, (string?)null) : (text[..colon], text[(colon + 1)..]);
        if (name.Length == 0 || tag == "")
            throw new InvalidInputException("image", $"'{text}' does not name an image", "expected name[:tag][@sha256:…]");
        return (name, tag, digest);
    }
}

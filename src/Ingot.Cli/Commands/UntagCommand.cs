using System.CommandLine;
using Ingot.Cli.Output;
using Ingot.Diagnostics;
using Ingot.Oci.Registries;
using Ingot.Server.Api;

namespace Ingot.Cli.Commands;

/// <summary><c>ingot untag NAME:TAG</c>.</summary>
internal static class UntagCommand
{
    public static Command Create(Binder bind)
    {
        var name = new Argument<string>("NAME:TAG") { Description = "The repository on the server, and the tag" };
        var why = new Option<string>("--why") { Description = "The reason, for the record", HelpName = "TEXT", Required = true };
        var command = new Command("untag",
            "Free a tag that somebody took, when its image was never admitted or released, or is not of that version; the image stays")
        {
            name, why,
        };
        command.SetAction(bind(async (context, result, cancellationToken) =>
        {
            string text = result.GetRequiredValue(name);
            if (!Reference.TryParse(text, out var reference) || reference is not { Registry: null, Tag: { } tag, Digest: null })
                throw new InvalidInputException("reference", $"'{text}' is not a repository and a tag",
                    "expected for example shop/web:1.4");

            using var server = await context.ConnectAsync(cancellationToken);
            var request = new TagRequest(reference.Repository, tag, result.GetRequiredValue(why));
            var reply = await server.SendAsync(HttpMethod.Post, "api/v1/tags/deletions", request, ApiJson.Default.TagRequest,
                ApiJson.Default.TagReply, cancellationToken);
            if (!context.Terminal.TryJson(reply, ApiJson.Default.TagReply))
                context.Terminal.Line($"{reply.Repository}:{reply.Tag} is free; {reply.Digest} stays");
            return ExitCode.Done;
        }));
        return command;
    }
}

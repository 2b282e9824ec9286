using System.CommandLine;
using Ingot.Server.Api;

namespace Ingot.Cli.Commands;

/// <summary><c>ingot exec</c>, which is refused: an instance is never changed.</summary>
internal static class ExecCommand
{
    public static Command Create(Binder bind)
    {
        var service = new Argument<string?>("SERVICE") { Description = "The service", Arity = ArgumentArity.ZeroOrOne };
        var rest = new Argument<string[]>("COMMAND") { Description = "What other tools would run", Arity = ArgumentArity.ZeroOrMore };
        var command = new Command("exec", "Refused, with the reason and an alternative: nothing is run in an instance") { service, rest };
        command.TreatUnmatchedTokensAsErrors = false;
        command.SetAction(bind(async (context, result, cancellationToken) =>
        {
            // Options of theirs may stand before it: exec -it web sh.
            string[] words = [result.GetValue(service) ?? "", .. result.GetValue(rest) ?? [], .. result.UnmatchedTokens];
            string name = words.FirstOrDefault(word => word.Length > 0 && word[0] != '-') ?? "SERVICE";
            throw new RefusedException(
                "nothing is run in an instance: it never changes after it was made, and anything done in it by hand would be "
                    + "unrecorded and lost with the next release; "
                + $"see what it wrote with 'ingot logs {name}', its state with 'ingot ps {name}', "
                + "and try things in a copy of its image: 'docker run --rm -it --entrypoint sh "
                    + $"{await ImageAsync(context, name, cancellationToken)}'");
        }));
        return command;
    }

    private static async Task<string> ImageAsync(CommandContext context, string service, CancellationToken cancellationToken)
    {
        const string Unknown = "IMAGE@DIGEST";
        try
        {
            using var server = await context.ConnectAsync(cancellationToken, start: false);
            var status = await server.GetAsync("api/v1/status", ApiJson.Default.StatusReply, cancellationToken);
            return status.Services.FirstOrDefault(s => s.Service == service && s.Digest is not null) is { } runs
                ? $"{server.Server.Authority}/{runs.Image}@{runs.Digest}"
                : Unknown;
        }
        catch (IngotException)
        {
            // The answer is the same.
            return Unknown;
        }
    }
}

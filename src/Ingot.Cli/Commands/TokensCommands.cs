using System.CommandLine;
using System.Globalization;
using Ingot.Diagnostics;
using Ingot.Server.Access;
using Ingot.Server.Api;

namespace Ingot.Cli.Commands;

/// <summary><c>ingot tokens create|list|revoke</c>.</summary>
internal static class TokensCommands
{
    public static Command Create(Binder bind) => new("tokens",
        "Who may do what on this server: a token is for one person or program, and everything it does is recorded under its name")
    {
        CreateCreate(bind), CreateList(bind), CreateRevoke(bind),
    };

    private static Command CreateCreate(Binder bind)
    {
        var name = Name("Whose it will be; a name is used once, and never given to anybody else");
        var roles = new Option<string[]>("--role")
        {
            Description = "What it may do, viewer when left out: viewer, publisher, approver, releaser or administrator; may be repeated",
            HelpName = "ROLE",
        };
        var expires = new Option<string?>("--expires")
        {
            Description = "When it ends, such as 12h or 30d from now; never when left out",
            HelpName = "TIME",
        };
        var command = new Command("create",
            "Make a token and print it once: give it to its owner, who uses it as INGOT_TOKEN or as the password for 'docker login'")
        {
            name, roles, expires,
        };
        command.SetAction(bind(async (context, result, cancellationToken) =>
        {
            DateTimeOffset? end = result.GetValue(expires) is { } text ? TimeProvider.System.GetUtcNow() + ReadSpan(text) : null;
            context = context with { Terminal = context.Terminal.ForValue() };
            using var server = await context.ConnectAsync(cancellationToken);
            var request = new TokenRequest(result.GetRequiredValue(name), result.GetValue(roles) ?? [], end);
            var reply = await server.SendAsync(HttpMethod.Post, "api/v1/tokens", request, ApiJson.Default.TokenRequest,
                ApiJson.Default.TokenReply, cancellationToken);
            if (context.Terminal.TryJson(reply, ApiJson.Default.TokenReply))
                return ExitCode.Done;

            // The token alone is data; what is said about it goes beside it.
            context.Terminal.Fault($"token of {reply.Name}: "
                + $"{string.Join(", ", reply.Roles)}{(reply.Expires is { } until ? $", until {until:yyyy-MM-dd HH:mm} UTC" : "")}");
            context.Terminal.Line(reply.Token);
            return ExitCode.Done;
        }));
        return command;
    }

    private static Command CreateList(Binder bind)
    {
        var command = new Command("list", "Every token that was made, and its state");
        command.SetAction(bind(async (context, _, cancellationToken) =>
        {
            using var server = await context.ConnectAsync(cancellationToken);
            Print(context, await server.GetAsync("api/v1/tokens", ApiJson.Default.TokenListReply, cancellationToken));
            return ExitCode.Done;
        }));
        return command;
    }

    private static Command CreateRevoke(Binder bind)
    {
        var name = Name("Whose it is");
        var why = new Option<string>("--why")
        {
            Description = "The reason, for the record",
            HelpName = "TEXT",
            DefaultValueFactory = _ => "by hand",
        };
        var command = new Command("revoke", "Revoke a token at once; its name stays taken") { name, why };
        command.SetAction(bind(async (context, result, cancellationToken) =>
        {
            using var server = await context.ConnectAsync(cancellationToken);
            string path = $"api/v1/tokens/{Uri.EscapeDataString(result.GetRequiredValue(name))}/revocation";
            var request = new TokenRevocationRequest(result.GetRequiredValue(why));
            Print(context, await server.SendAsync(HttpMethod.Post, path, request, ApiJson.Default.TokenRevocationRequest,
                ApiJson.Default.TokenListReply, cancellationToken));
            return ExitCode.Done;
        }));
        return command;
    }

    private static void Print(CommandContext context, TokenListReply reply)
    {
        if (!context.Terminal.TryJson(reply, ApiJson.Default.TokenListReply))
            context.Terminal.Table(["NAME", "ROLES", "MADE BY", "EXPIRES", "STATE"], reply.Tokens.Select(Row));
    }

    private static string[] Row(TokenStatus token) =>
        [token.Name, string.Join(",", token.Roles), token.CreatedBy,
            token.Expires?.ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture) ?? "never", token.State];

    private static Argument<string> Name(string description)
    {
        var name = new Argument<string>("NAME") { Description = description };
        name.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<string>() is { } text && !Principal.IsName(text))
                result.AddError(
                    $"'{text}' is not a name for a token: use lower-case letters, digits, '-', '_' and '.', beginning with a letter");
        });
        return name;
    }

    private static TimeSpan ReadSpan(string text)
    {
        var unit = text.Length == 0
            ? TimeSpan.Zero
            : text[^1] switch
            {
                'm' => TimeSpan.FromMinutes(1),
                'h' => TimeSpan.FromHours(1),
                'd' => TimeSpan.FromDays(1),
                _ => TimeSpan.Zero,
            };
        return unit > TimeSpan.Zero
            && int.TryParse(text.AsSpan(0, text.Length - 1), NumberStyles.None, CultureInfo.InvariantCulture, out int count)
            && count is > 0 and <= 36500
            ? count * unit
            : throw new InvalidInputException("expires", $"'{text}' is not a time a token can last", "give one such as 90m, 12h or 30d");
    }
}

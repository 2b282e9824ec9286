using System.CommandLine;
using System.Globalization;
using Ingot.Cli.Output;
using Ingot.Diagnostics;
using Ingot.Evidence.Signatures;
using Ingot.Server.Api;

namespace Ingot.Cli.Commands;

/// <summary><c>ingot keys create|list|export|trust|retire|rotate</c>.</summary>
internal static class KeysCommands
{
    public static Command Create(Binder bind) => new("keys", "The key that signs evidence, and the keys that are trusted")
    {
        CreateCreate(bind), CreateList(bind), CreateExport(bind), CreateTrust(bind), CreateRetire(bind), CreateRotate(bind),
    };

    /// <summary>The key store of this home, with the password from <c>$INGOT_KEY_PASSWORD</c> or the file <c>$INGOT_KEY_PASSWORD_FILE</c>
    /// names.</summary>
    public static KeyStore Open(Home home)
    {
        string? password = Environment.GetEnvironmentVariable("INGOT_KEY_PASSWORD");
        if (string.IsNullOrEmpty(password) && Environment.GetEnvironmentVariable("INGOT_KEY_PASSWORD_FILE") is { Length: > 0 } file)
        {
            password = ReadNamed(file, "key-password", "INGOT_KEY_PASSWORD_FILE names").TrimEnd('\r', '\n');
        }

        return new KeyStore(home.Keys, string.IsNullOrEmpty(password) ? null : password);
    }

    // What a person named, and cannot be read, is the person's to mend.
    private static string ReadNamed(string path, string code, string who)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new InvalidInputException(code, $"{who} '{path}', and there is no such file");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new InvalidInputException(
                code, $"{who} '{path}', which cannot be read: {IngotException.ReasonOf(e)}", "make it readable by the user who runs this");
        }
    }

    private static Command CreateCreate(Binder bind)
    {
        var command = new Command("create", "Make the signing key now (it is made on first use anyway)");
        command.SetAction(bind(async (context, _, cancellationToken) =>
        {
            var store = Open(context.Home);
            using var key = await store.LoadOrCreateAsync(cancellationToken);
            context.Terminal.Line($"signing key {key.Id}, public half in {store.PublicKeyPath}");
            return ExitCode.Done;
        }));
        return command;
    }

    private static Command CreateList(Binder bind)
    {
        var command = new Command("list",
            "Every key the ledger knows: name, id, roles, whether it is in use or retired, since when and by whom");
        command.SetAction(bind(async (context, _, cancellationToken) =>
        {
            await using var keys = await KeyAccess.OpenAsync(context, cancellationToken);
            var reply = await keys.ListAsync(cancellationToken);
            if (!context.Terminal.TryJson(reply, ApiJson.Default.KeysReply))
                Print(context.Terminal, reply);
            return ExitCode.Done;
        }));
        return command;
    }

    private static void Print(Terminal terminal, KeysReply reply)
    {
        terminal.Table(["NAME", "ID", "ROLES", "OWN", "STATE", "SINCE", "BY"], reply.Keys.Select(k => (string[])
            [k.Name, k.Id.Length > 12 ? k.Id[..12] : k.Id, string.Join(", ", k.Roles), k.Own ? "yes" : "no", k.State,
                k.Since.ToString("yyyy-MM-dd HH:mm:ss'Z'", CultureInfo.InvariantCulture), k.By]));
        foreach (var retired in reply.Keys.Where(k => k.Why is not null))
            terminal.Line($"{retired.Name} ({retired.Id[..Math.Min(12, retired.Id.Length)]}) was retired: {retired.Why}");
        foreach (var note in reply.Notes)
            terminal.Line(note);
    }

    private static Command CreateExport(Binder bind)
    {
        var isPublic = new Option<bool>("--public")
        {
            Description = "The public key (the private one never leaves its file)",
            Required = true,
        };
        var command = new Command("export", "Print the public key in PEM, for 'cosign verify --key'") { isPublic };
        command.SetAction(bind(async (context, _, cancellationToken) =>
        {
            using var key = await Open(context.Home).LoadOrCreateAsync(cancellationToken);
            context.Terminal.Document(key.PublicKey.ToPem().TrimEnd('\n'));
            return ExitCode.Done;
        }));
        return command;
    }

    private static Command CreateTrust(Binder bind)
    {
        var name = new Argument<string>("NAME") { Description = "Whose it is" };
        var file = new Argument<string>("FILE") { Description = "A public key in PEM" };
        var roles = new Option<string[]>("--role")
        {
            Description = $"What it may attest: {string.Join(", ", KeyRole.Names)}, or a predicate type; may be repeated",
            HelpName = "ROLE",
            Required = true,
        };
        var command = new Command("trust",
            "Trust evidence that another key signed, in the given roles; repeating the command replaces the roles")
        {
            name, file, roles,
        };
        command.SetAction(bind(async (context, result, cancellationToken) =>
        {
            string pem = ReadNamed(context.Resolve(result.GetRequiredValue(file)), "no-file", "the command line names");
            await using var keys = await KeyAccess.OpenAsync(context, cancellationToken);
            var request = new KeyTrustRequest(result.GetRequiredValue(name), pem, result.GetRequiredValue(roles));
            var key = await keys.TrustAsync(request, cancellationToken);
            if (!context.Terminal.TryJson(key, ApiJson.Default.KeyReply))
                context.Terminal.Line($"{key.Name} ({key.Id[..12]}) is trusted as {string.Join(", ", key.Roles)}");
            return ExitCode.Done;
        }));
        return command;
    }

    private static Command CreateRetire(Binder bind)
    {
        var key = new Argument<string>("KEY") { Description = "Its name, or its id" };
        var why = Why();
        var command = new Command("retire", "Stop trusting a key, for good: admissions that rest on its word alone fall") { key, why };
        command.SetAction(bind(async (context, result, cancellationToken) =>
        {
            await using var keys = await KeyAccess.OpenAsync(context, cancellationToken);
            var reply = await keys.RetireAsync(
                new KeyRetirementRequest(result.GetRequiredValue(key), result.GetRequiredValue(why)), cancellationToken);
            if (!context.Terminal.TryJson(reply, ApiJson.Default.KeyRetirementReply))
                Print(context.Terminal, reply);
            return ExitCode.Done;
        }));
        return command;
    }

    private static Command CreateRotate(Binder bind)
    {
        var why = Why();
        var command = new Command("rotate",
            "Retire the signing key of this home and make a new one; sign what the old one signed again with 'ingot up'")
        {
            why,
        };
        command.SetAction(bind(async (context, result, cancellationToken) =>
        {
            var store = Open(context.Home);
            var old = await store.PublicKeyAsync(cancellationToken) ?? throw new InvalidInputException("no-key",
                "there is no signing key yet", "it is made on first use, or with 'ingot keys create'");
            await using var keys = await KeyAccess.OpenAsync(context, cancellationToken);
            var reply = await keys.RetireAsync(new KeyRetirementRequest(old.Id, result.GetRequiredValue(why)), cancellationToken);
            await store.SetAsideAsync(old.Id, cancellationToken);
            using var key = await store.LoadOrCreateAsync(cancellationToken);
            await keys.ListAsync(cancellationToken);
            if (!context.Terminal.TryJson(reply, ApiJson.Default.KeyRetirementReply))
            {
                Print(context.Terminal, reply);
                context.Terminal.Line($"signing key {key.Id}, public half in {store.PublicKeyPath}");
            }

            return ExitCode.Done;
        }));
        return command;
    }

    private static void Print(Terminal terminal, KeyRetirementReply reply)
    {
        terminal.Line($"{reply.Key.Name} ({reply.Key.Id[..12]}) is retired: {reply.Key.Why}");
        foreach (var admission in reply.Fallen)
            terminal.Line($"no longer admitted: {admission}");
    }

    private static Option<string> Why() => new("--why") { Description = "The reason, for the record", HelpName = "TEXT", Required = true };
}

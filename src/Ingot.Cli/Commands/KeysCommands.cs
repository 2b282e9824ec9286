using System.CommandLine;
using System.Text.Json.Serialization;
using Ingot.Diagnostics;
using Ingot.Evidence.Signatures;

namespace Ingot.Cli.Commands;

/// <summary><c>ingot keys create|list|export|trust</c>.</summary>
internal static class KeysCommands
{
    public static Command Create(Binder bind) => new("keys", "The key that signs evidence, and the public keys that are trusted")
    {
        CreateCreate(bind), CreateList(bind), CreateExport(bind), CreateTrust(bind),
    };

    /// <summary>The key store of this home, with the password from <c>$INGOT_KEY_PASSWORD</c> or the file <c>$INGOT_KEY_PASSWORD_FILE</c> names.</summary>
    public static KeyStore Open(Home home)
    {
        string? password = Environment.GetEnvironmentVariable("INGOT_KEY_PASSWORD");
        if (string.IsNullOrEmpty(password) && Environment.GetEnvironmentVariable("INGOT_KEY_PASSWORD_FILE") is { Length: > 0 } file)
        {
            password = File.Exists(file)
                ? File.ReadAllText(file).TrimEnd('\r', '\n')
                : throw new InvalidInputException("key-password", $"INGOT_KEY_PASSWORD_FILE names '{file}', and there is no such file");
        }

        return new KeyStore(home.Keys, string.IsNullOrEmpty(password) ? null : password);
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
        var command = new Command("list", "The trusted public keys");
        command.SetAction(bind(async (context, _, cancellationToken) =>
        {
            var keys = (await Open(context.Home).TrustedAsync(cancellationToken)).Select(k => new KeyRow(k.Name, k.Key.Id)).ToList();
            if (!context.Terminal.TryJson(new KeyList(keys), KeysJson.Default.KeyList))
                context.Terminal.Table(["NAME", "ID"], keys.Select(k => (string[])[k.Name, k.Id]));
            return ExitCode.Done;
        }));
        return command;
    }

    private static Command CreateExport(Binder bind)
    {
        var isPublic = new Option<bool>("--public") { Description = "The public key (the private one never leaves its file)", Required = true };
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
        var file = new Argument<string>("FILE") { Description = "A public key in PEM" };
        var name = new Argument<string>("NAME") { Description = "Whose it is" };
        var command = new Command("trust", "Believe evidence that another key signed") { file, name };
        command.SetAction(bind((context, result, _) =>
        {
            string path = context.Resolve(result.GetRequiredValue(file));
            string owner = result.GetRequiredValue(name);
            if (!File.Exists(path))
                throw new InvalidInputException("no-file", $"there is no file '{path}'");
            if (owner.Length == 0 || !owner.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.') || owner.StartsWith('.'))
                throw new InvalidInputException("key-name", $"'{owner}' is not a name for a key", "use letters, digits, '-', '_' and '.'");

            var key = PublicKey.FromPem(File.ReadAllText(path), path);
            var store = Open(context.Home);
            Directory.CreateDirectory(store.TrustedDirectory);
            File.WriteAllText(Path.Combine(store.TrustedDirectory, owner + ".pub"), key.ToPem());
            context.Terminal.Line($"{owner} ({key.Id}) is trusted");
            return Task.FromResult(ExitCode.Done);
        }));
        return command;
    }
}

internal sealed record KeyRow(string Name, string Id);

internal sealed record KeyList(IReadOnlyList<KeyRow> Keys);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(KeyList))]
internal sealed partial class KeysJson : JsonSerializerContext;

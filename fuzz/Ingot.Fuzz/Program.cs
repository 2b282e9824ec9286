using System.Globalization;
using System.Security.Cryptography;
using Ingot.Fuzz;

// dotnet run --project fuzz/Ingot.Fuzz -- --target NAME|all [--seconds N] [--seed S] [--replay FILE]
using LayerTarget layer = new();
FuzzTarget[] targets =
    [new DockerfileTarget(), new IgnoreFileTarget(), new SubstitutionTarget(), new ReferenceTarget(), new TarTarget(), layer];
if (Arguments.Parse(args) is not { } arguments || (arguments.Target != "all" && targets.All(t => t.Name != arguments.Target)))
{
    Console.Error.WriteLine($"error: expected --target NAME, one of {string.Join(", ", targets.Select(t => t.Name))} or all, "
        + "and --seconds N, --seed S or --replay FILE where wanted");
    return 2;
}

string root = Arguments.FindRoot();
string output = Directory.CreateDirectory(Path.Combine(root, "artifacts", "fuzz")).FullName;
using CancellationTokenSource stop = new();
Console.CancelKeyPress += (_, e) =>
{
    e.Cancel = true;
    stop.Cancel();
};

foreach (var target in targets.Where(t => arguments.Target == "all" || t.Name == arguments.Target))
{
    List<byte[]> corpus = arguments.Replay is { } replay
        ? [await File.ReadAllBytesAsync(replay)]
        : [.. Directory.EnumerateFiles(Path.Combine(root, "fuzz", "corpus", target.Name))
            .Order(StringComparer.Ordinal)
            .Select(File.ReadAllBytes)];
    string last = Path.Combine(output, $"{target.Name}-{Environment.ProcessId}.last");
    Fuzzer fuzzer = new(target, corpus, arguments.Seed, TimeProvider.System, last);
    var find = await fuzzer.RunAsync(arguments.Replay is null ? TimeSpan.FromSeconds(arguments.Seconds) : TimeSpan.Zero, stop.Token);
    File.Delete(last);
    Console.WriteLine($"{target.Name}: {fuzzer.Runs} runs, {fuzzer.Ways} ways, seed {arguments.Seed}");
    if (find is null)
        continue;

    string path = Path.Combine(output, $"{target.Name}-{Convert.ToHexStringLower(SHA256.HashData(find.Input))[..16]}");
    await File.WriteAllBytesAsync(path, find.Input);
    Console.WriteLine($"{target.Name}: found with '{Path.GetRelativePath(root, path)}': {find.Why}");
    return 1;
}

return 0;

namespace Ingot.Fuzz
{
    /// <summary>The command line.</summary>
    internal sealed record Arguments(string Target, int Seconds, int Seed, string? Replay)
    {
        /// <summary>Null when it cannot be read.</summary>
        public static Arguments? Parse(string[] args)
        {
            Arguments result = new("", 60, 1, null);
            for (int i = 0; i + 1 < args.Length; i += 2)
            {
                bool isNumber = int.TryParse(args[i + 1], NumberStyles.None, CultureInfo.InvariantCulture, out int number);
                switch (args[i])
                {
                    case "--target":
                        result = result with { Target = args[i + 1] };
                        break;
                    case "--seconds" when isNumber:
                        result = result with { Seconds = number };
                        break;
                    case "--seed" when isNumber:
                        result = result with { Seed = number };
                        break;
                    case "--replay":
                        result = result with { Replay = args[i + 1] };
                        break;
                    default:
                        return null;
                }
            }

            return result.Target.Length > 0 && args.Length % 2 == 0 ? result : null;
        }

        /// <summary>The directory that holds <c>Ingot.slnx</c>.</summary>
        public static string FindRoot()
        {
            string? directory = AppContext.BaseDirectory;
            while (directory is not null && !File.Exists(Path.Combine(directory, "Ingot.slnx")))
                directory = Path.GetDirectoryName(directory);
            return directory ?? throw new DirectoryNotFoundException($"no Ingot.slnx above '{AppContext.BaseDirectory}'");
        }
    }
}

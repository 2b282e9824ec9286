using System.Globalization;
using System.Text;

namespace Ingot.Benchmarks;

/// <summary>Files and Dockerfiles that are the same wherever they are made: a generator of numbers decides everything.</summary>
internal static class Workload
{
    private const uint Seed = 20261121;
    private const int FilesPerDirectory = 50;

    /// <summary>Files of sizes as in a source tree with its dependencies, in directories two deep; texts, tables of numbers, and a tenth
    /// that does not compress.</summary>
    public static void WriteFiles(string directory, int count, long bytes, int seed)
    {
        var random = new Xorshift(Seed + (uint)seed);
        double[] weights = [.. Enumerable.Range(0, count).Select(_ => Math.Exp(1.4 * random.Normal()))];
        double sum = weights.Sum();
        for (int i = 0; i < count; i++)
        {
            string folder = Path.Combine(directory, $"d{i / FilesPerDirectory / 20:D2}", $"e{i / FilesPerDirectory % 20:D2}");
            Directory.CreateDirectory(folder);
            int size = (int)(bytes * weights[i] / sum);
            File.WriteAllBytes(Path.Combine(folder, $"f{i:D5}"), Content(random, i, size));
        }
    }

    /// <summary>Columns of stages that sleep and write, each stage on the one above it:
    /// what it takes to run as many at once as the graph allows.</summary>
    public static void WriteStages(string directory, int width, int depth, string seconds)
    {
        var text = new StringBuilder("FROM base AS start\n");
        for (int row = 0; row < depth; row++)
        {
            for (int column = 0; column < width; column++)
            {
                string below = row == 0 ? "start" : $"s{row - 1}x{column}";
                text.Append(CultureInfo.InvariantCulture,
                    $"FROM {below} AS s{row}x{column}\nRUN sleep {seconds} && head -c 1000000 /dev/zero > /out-{row}-{column}\n");
            }
        }

        text.Append("FROM start\n");
        for (int column = 0; column < width; column++)
            text.Append(CultureInfo.InvariantCulture, $"COPY --from=s{depth - 1}x{column} /out-{depth - 1}-{column} /out/\n");
        Directory.CreateDirectory(directory);
        File.WriteAllText(Path.Combine(directory, "Dockerfile"), text.ToString());
    }

    private static byte[] Content(Xorshift random, int index, int size)
    {
        byte[] content = new byte[size];
        switch (index % 10)
        {
            case 0:
                random.Fill(content);
                break;
            case < 4:
                for (int at = 0; at < size; at++)
                    content[at] = at % 8 < 5 ? (byte)0 : (byte)random.Next(16);
                break;
            default:
                FillText(random, content);
                break;
        }

        return content;
    }

    private static void FillText(Xorshift random, byte[] content)
    {
        for (int at = 0; at < content.Length;)
        {
            // Few words are most of a text.
            string word = s_words[random.Next(4) > 0 ? random.Next(250) : random.Next(s_words.Length)];
            for (int i = 0; i <= word.Length && at < content.Length; i++, at++)
                content[at] = i < word.Length ? (byte)word[i] : random.Next(12) == 0 ? (byte)'\n' : (byte)' ';
        }
    }

    private static readonly string[] s_words = MakeWords();

    private static string[] MakeWords()
    {
        var random = new Xorshift(Seed + 1);
        return [.. Enumerable.Range(0, 4000)
            .Select(_ => string.Concat(Enumerable.Range(0, 2 + random.Next(9)).Select(_ => (char)('a' + random.Next(26)))))];
    }

    private sealed class Xorshift(uint seed)
    {
        private ulong _state = seed * 0x9E3779B97F4A7C15UL | 1;

        public int Next(int below) => (int)(Step() % (ulong)below);

        public double Normal() => Enumerable.Range(0, 12).Sum(_ => Step() / (double)ulong.MaxValue) - 6;

        public void Fill(byte[] bytes)
        {
            for (int i = 0; i < bytes.Length; i++)
                bytes[i] = (byte)(Step() >> 32);
        }

        private ulong Step()
        {
            _state ^= _state << 13;
            _state ^= _state >> 7;
            return _state ^= _state << 17;
        }
    }
}

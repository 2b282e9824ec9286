using System.Text;

namespace Ingot.Fuzz;

/// <summary>Makes inputs of other inputs: bits, bytes, pieces of the language, lines, and parts of other inputs.</summary>
internal sealed class Mutator(FuzzTarget target, Random random)
{
    private const int MaximumLength = 1 << 16;

    private static readonly string[] s_numbers = ["0", "-1", "1", "255", "256", "2147483647", "2147483648", "4294967296",
        "9223372036854775808", "99999999999999999999999", "1e9", "0x10", "007"];

    private readonly byte[][] _tokens = [.. target.Tokens.Select(Encoding.UTF8.GetBytes)];

    /// <summary>One input of the pool, changed a few times.</summary>
    public byte[] Next(IReadOnlyList<byte[]> pool)
    {
        byte[] input = pool[random.Next(pool.Count)];
        for (int times = 1 << random.Next(4); times > 0; times--)
            input = Change(input, pool);
        input = input.Length > MaximumLength ? input[..MaximumLength] : input;
        return target.Repair(input.ToArray(), random);
    }

    private byte[] Change(byte[] input, IReadOnlyList<byte[]> pool)
    {
        int at = random.Next(input.Length + 1);
        int length = Math.Min(input.Length - at, 1 << random.Next(8));
        return random.Next(12) switch
        {
            0 =>
                Replace(input, at, Math.Min(1, length), [(byte)(at < input.Length ? input[at] ^ (1 << random.Next(8)) : random.Next(256))]),
            1 => Replace(input, at, Math.Min(1, length), [(byte)random.Next(256)]),
            2 or 3 => Replace(input, at, 0, Token()),
            4 => Replace(input, at, length, Token()),
            5 => Replace(input, at, length, []),
            6 => Replace(input, at, 0, input.AsSpan(at, length)),
            7 => Splice(input, at, pool[random.Next(pool.Count)]),
            8 => Lines(input, pool[random.Next(pool.Count)]),
            9 => Replace(input, at, 0, Repeated()),
            10 => Number(input),
            _ => Replace(input, at, input.Length - at, random.Next(3) == 0 ? [] : input.AsSpan(at)),
        };
    }

    private byte[] Token() => _tokens[random.Next(_tokens.Length)];

    // What takes too long for its length is found by length.
    private byte[] Repeated() =>
        [.. Enumerable.Repeat(Token(), 1 << random.Next(random.Next(8) == 0 ? 12 : 6)).SelectMany(bytes => bytes).Take(MaximumLength)];

    private byte[] Splice(byte[] input, int at, byte[] other)
    {
        int start = random.Next(other.Length + 1);
        int length = random.Next(other.Length - start + 1);
        return Replace(input, at, random.Next(2) == 0 ? 0 : Math.Min(length, input.Length - at), other.AsSpan(start, length));
    }

    private byte[] Lines(byte[] input, byte[] other)
    {
        var lines = Cut(input);
        var others = Cut(other);
        int at = random.Next(lines.Count + 1);
        lines.InsertRange(at, others.Skip(random.Next(others.Count + 1)).Take(1 + random.Next(3)));
        if (random.Next(2) == 0 && lines.Count > 0)
            lines.RemoveAt(random.Next(lines.Count));
        return [.. lines.SelectMany(line => line)];
    }

    private byte[] Number(byte[] input)
    {
        int start = Array.FindIndex(input, random.Next(input.Length + 1), b => b is >= (byte)'0' and <= (byte)'9');
        if (start < 0)
            return input;

        int end = start;
        while (end < input.Length && input[end] is >= (byte)'0' and <= (byte)'9')
            end++;
        return Replace(input, start, end - start, Encoding.ASCII.GetBytes(s_numbers[random.Next(s_numbers.Length)]));
    }

    private static List<byte[]> Cut(byte[] input)
    {
        List<byte[]> lines = [];
        for (int start = 0; start < input.Length;)
        {
            int end = Array.IndexOf(input, (byte)'\n', start);
            end = end < 0 ? input.Length : end + 1;
            lines.Add(input[start..end]);
            start = end;
        }

        return lines;
    }

    private static byte[] Replace(byte[] input, int at, int length, ReadOnlySpan<byte> by)
    {
        var result = new byte[input.Length - length + by.Length];
        input.AsSpan(0, at).CopyTo(result);
        by.CopyTo(result.AsSpan(at));
        input.AsSpan(at + length).CopyTo(result.AsSpan(at + by.Length));
        return result;
    }
}

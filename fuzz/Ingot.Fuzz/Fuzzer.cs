using System.IO.MemoryMappedFiles;

namespace Ingot.Fuzz;

/// <summary>Something that went wrong, and the input that did it.</summary>
internal sealed record Find(string Why, byte[] Input);

/// <summary>Runs one target on inputs that grow out of its corpus, until its time is over or something goes wrong.</summary>
internal sealed class Fuzzer(FuzzTarget target, IReadOnlyList<byte[]> corpus, int seed, TimeProvider time, string lastInput)
{
    private const long MaximumBytes = 512L << 20;
    private const int MaximumPool = 4000;

    private static readonly TimeSpan s_tooSlow = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan s_hangs = TimeSpan.FromSeconds(60);

    private readonly List<byte[]> _pool = [.. corpus];
    private readonly HashSet<int> _ways = [];
    private volatile byte[] _current = [];
    private long _started;

    /// <summary>How many inputs were run.</summary>
    public long Runs { get; private set; }

    /// <summary>How many different ways the target went.</summary>
    public int Ways => _ways.Count;

    /// <summary>Fuzzes for a while; null when nothing was found.</summary>
    public async Task<Find?> RunAsync(TimeSpan duration, CancellationToken cancellationToken)
    {
        TaskCompletionSource<Find?> done = new();
        // It may never come back: the program then ends without it.
        Thread worker = new(() => done.SetResult(Work(duration, cancellationToken)), 16 << 20) { IsBackground = true };
        Volatile.Write(ref _started, time.GetTimestamp());
        worker.Start();
        while (!done.Task.IsCompleted)
        {
            await Task.WhenAny(done.Task, Task.Delay(TimeSpan.FromMilliseconds(200), time, CancellationToken.None));
            if (!done.Task.IsCompleted && time.GetElapsedTime(Volatile.Read(ref _started)) > s_hangs)
                return new("does not end", _current);
        }

        return await done.Task;
    }

    private Find? Work(TimeSpan duration, CancellationToken cancellationToken)
    {
        // A process that dies leaves its last input in the file: nothing can be caught when a stack overflows.
        using var file = MemoryMappedFile.CreateFromFile(lastInput, FileMode.Create, null, 1 << 20);
        using var last = file.CreateViewAccessor();
        Random random = new(seed);
        Mutator mutator = new(target, random);
        long begin = time.GetTimestamp();
        foreach (byte[] input in corpus)
        {
            if (Try(input, last) is { } find)
                return find;
        }

        while (time.GetElapsedTime(begin) < duration && !cancellationToken.IsCancellationRequested)
        {
            byte[] input = mutator.Next(_pool);
            if (Try(input, last) is { } find)
                return find;
        }

        return null;
    }

    private Find? Try(byte[] input, MemoryMappedViewAccessor last)
    {
        last.Write(0, input.Length);
        last.WriteArray(4, input, 0, Math.Min(input.Length, (1 << 20) - 4));
        _current = input;
        Runs++;
        long before = GC.GetTotalAllocatedBytes();
        // The processor's time, not the clock's: a busy machine is no find.
        var start = Environment.CpuUsage.TotalTime;
        Volatile.Write(ref _started, time.GetTimestamp());
        try
        {
            int way = target.RunAsync(input).GetAwaiter().GetResult();
            if (_ways.Add(way) && _pool.Count < MaximumPool)
                _pool.Add(input);
        }
        catch (Exception e)
        {
            return new(e.ToString(), input);
        }

        var took = Environment.CpuUsage.TotalTime - start;
        long bytes = GC.GetTotalAllocatedBytes() - before;
        return took > s_tooSlow ? new($"takes {took.TotalSeconds:F1} s", input)
            : bytes > MaximumBytes ? new($"takes {bytes >> 20} MiB", input)
            : null;
    }
}

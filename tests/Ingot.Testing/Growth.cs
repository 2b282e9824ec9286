
namespace Ingot.Testing;

/// <summary>Whether work grows with its input and no faster, by the bytes it allocates:
/// time depends on what else the machine does.</summary>
public static class Growth
{
    private const int Small = 2_000;
    private const int Large = 10 * Small;

    /// <summary>Throws when ten times the input takes more than twenty times the memory.</summary>
    /// <param name="work">Does the work with an input of a given length; what does not depend on that happens before.</param>
    public static void IsInProportion(Func<int, Action> work)
    {
        var (small, large) = (work(Small), work(Large));
        small();
        large();
        long few = BytesOf(small), many = BytesOf(large);
        if (many > 20 * Math.Max(few, Small))
            throw new InvalidOperationException($"an input of {Small} takes {few} bytes, and one of {Large} takes {many}");
    }

    private static long BytesOf(Action act)
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        act();
        return GC.GetAllocatedBytesForCurrentThread() - before;
    }
}

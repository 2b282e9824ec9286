namespace Ingot.Fuzz;

/// <summary>Something that reads what others wrote.</summary>
internal abstract class FuzzTarget
{
    /// <summary>Its name, and that of its directory in the corpus.</summary>
    public abstract string Name { get; }

    /// <summary>Pieces of its language.</summary>
    public abstract IReadOnlyList<string> Tokens { get; }

    /// <summary>Reads an input. A number that differs when the target went another way makes the input worth keeping; any exception that is
    /// not documented is a find.</summary>
    public abstract Task<int> RunAsync(byte[] input);

    /// <summary>Makes a mutated input one that is not refused at its first byte.</summary>
    public virtual byte[] Repair(byte[] input, Random random) => input;

    /// <summary>Fails the run: something that must always hold does not.</summary>
    protected static void Must(bool holds, string what)
    {
        if (!holds)
            throw new BrokenPromiseException(what);
    }
}

/// <summary>What a target promises does not hold.</summary>
internal sealed class BrokenPromiseException(string what) : Exception(what);

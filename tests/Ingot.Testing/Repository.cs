namespace Ingot.Testing;

/// <summary>Where the files of the repository are while its tests run.</summary>
public static class Repository
{
    /// <summary>The directory that holds <c>Ingot.slnx</c>.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>The path of a test vector, <c>tests/vectors/…</c>.</summary>
    public static string Vector(params string[] parts) => Path.Combine([Root, "tests", "vectors", .. parts]);

    private static string FindRoot()
    {
        for (string? directory = AppContext.BaseDirectory; directory is not null; directory = Path.GetDirectoryName(directory))
        {
            if (File.Exists(Path.Combine(directory, "Ingot.slnx")))
                return directory;
        }

        throw new InvalidOperationException($"no Ingot.slnx above '{AppContext.BaseDirectory}'");
    }
}

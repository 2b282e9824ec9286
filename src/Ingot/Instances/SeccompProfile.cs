namespace Ingot.Instances;

/// <summary>Which system calls an instance may make. Everything that is not listed fails with EPERM.</summary>
/// <remarks>
/// The list is Ingot's own and shorter than Docker's default: what servers use is there; mounting, namespaces, tracing, kernel keys and
/// modules, io_uring, BPF, raw packet sockets and the kernel's cipher sockets are not, whatever capabilities a container is given.
/// <c>clone3</c> answers ENOSYS, because a filter cannot see its flags: C libraries then use <c>clone</c>, whose flags it can see.
/// </remarks>
public static class SeccompProfile
{
    private const string Resource = "Ingot.Instances.seccomp.json";

    /// <summary>The profile, as the JSON text the Engine takes.</summary>
    public static string Json { get; } = Read();

    private static string Read()
    {
        using var stream = typeof(SeccompProfile).Assembly.GetManifestResourceStream(Resource)
            ?? throw new InvalidOperationException($"the resource '{Resource}' is not in the assembly");
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }
}

using System.Runtime.InteropServices;
using System.Text;

namespace Ingot.Oci.Linux;

/// <summary>How a program is started by <see href="https://man7.org/linux/man-pages/man3/posix_spawn.3.html">posix_spawn</see>: which files
/// it has, and where. Nothing else that is open here is open there.</summary>
public sealed unsafe class SpawnStart : IDisposable
{
    // glibc's and musl's structures are smaller.
    private const int StructureBytes = 512;
    private const int SignalSetBytes = 128;

    private readonly byte* _actions = (byte*)NativeMemory.AllocZeroed(StructureBytes);

    /// <summary>Nothing is said yet: the program would have this process's three streams.</summary>
    public SpawnStart() => Check(Libc.PosixSpawnFileActionsInit(_actions));

    /// <summary>It has a file open.</summary>
    public void Open(int descriptor, string path, int flags, uint mode) =>
        Check(Libc.PosixSpawnFileActionsAddOpen(_actions, descriptor, LinuxPath.Terminated(path), flags, mode));

    /// <summary>It has an open file under a number.</summary>
    public void Duplicate(int descriptor, int number) => Check(Libc.PosixSpawnFileActionsAddDup2(_actions, descriptor, number));

    /// <summary>It runs in a directory.</summary>
    public void ChangeDirectory(string directory) => Check(Libc.PosixSpawnFileActionsAddChDir(_actions, LinuxPath.Terminated(directory)));

    /// <summary>Starts it with no signal blocked or ignored. An error's number, or 0; as its parent counts the calling thread.</summary>
    public int Run(string program, IReadOnlyList<string> arguments, IReadOnlyList<string> environment, bool newSession, out int process)
    {
        byte* attributes = stackalloc byte[StructureBytes];
        byte* all = stackalloc byte[SignalSetBytes], none = stackalloc byte[SignalSetBytes];
        _ = Libc.SigFillSet(all);
        _ = Libc.SigEmptySet(none);
        Check(Libc.PosixSpawnAttributesInit(attributes));
        Check(Libc.PosixSpawnAttributesSetSignalDefault(attributes, all));
        Check(Libc.PosixSpawnAttributesSetSignalMask(attributes, none));
        int flags = Kernel.POSIX_SPAWN_SETSIGDEF | Kernel.POSIX_SPAWN_SETSIGMASK | (newSession ? Kernel.POSIX_SPAWN_SETSID : 0);
        Check(Libc.PosixSpawnAttributesSetFlags(attributes, (short)flags));
        using var words = new Words(arguments);
        using var variables = new Words(environment);
        int error = Libc.PosixSpawn(out process, LinuxPath.Terminated(program), _actions, attributes, words.Pointer, variables.Pointer);
        _ = Libc.PosixSpawnAttributesDestroy(attributes);
        return error;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _ = Libc.PosixSpawnFileActionsDestroy(_actions);
        NativeMemory.Free(_actions);
    }

    private static void Check(int error)
    {
        if (error != 0)
            throw new IOException($"a program could not be prepared: {Marshal.GetPInvokeErrorMessage(error)}", error);
    }

    /// <summary>A list of words as C has it.</summary>
    private sealed class Words : IDisposable
    {
        private readonly int _count;

        public Words(IReadOnlyList<string> words)
        {
            byte[][] bytes = [.. words.Select(word => LinuxPath.Terminated(Encoding.UTF8.GetBytes(word)))];
            _count = bytes.Length;
            Pointer = (byte**)NativeMemory.AllocZeroed((nuint)(_count + 1), (nuint)sizeof(byte*));
            for (int i = 0; i < _count; i++)
            {
                Pointer[i] = (byte*)NativeMemory.Alloc((nuint)bytes[i].Length);
                bytes[i].CopyTo(new Span<byte>(Pointer[i], bytes[i].Length));
            }
        }

        public byte** Pointer { get; }

        public void Dispose()
        {
            for (int i = 0; i < _count; i++)
                NativeMemory.Free(Pointer[i]);
            NativeMemory.Free(Pointer);
        }
    }
}

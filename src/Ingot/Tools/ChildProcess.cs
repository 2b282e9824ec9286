using System.Runtime.InteropServices;
using Ingot.Oci.Linux;
using Microsoft.Win32.SafeHandles;

namespace Ingot.Tools;

/// <summary>A program that runs beside this one, or on after it: it reads nothing, and what it writes goes to a file. It has what the
/// thread that starts it has: mounts, network, working directory.</summary>
public sealed class ChildProcess
{
    /// <summary>The descriptor under which a program finds the first thing it is given;
    /// what else it is given has the numbers after it.</summary>
    public const int GivenDescriptor = 3;

    private const string Nothing = "/dev/null";
    private const uint LogMode = 0b110_000_000;

    private readonly Lock _gate = new();
    private int? _status;

    private ChildProcess(int id) => Id = id;

    /// <summary>The process.</summary>
    public int Id { get; }

    /// <summary>Starts a program, without a shell and without waiting for it.</summary>
    /// <param name="command">The program. It is given no input.</param>
    /// <param name="log">The file to which both of its streams are appended; it is made, for its owner only, when it is missing.</param>
    /// <param name="newSession">Whether it leaves this process's session: keys of the terminal then do not reach it.</param>
    /// <param name="given">Open files that it has as <see cref="GivenDescriptor"/> and the numbers after it.</param>
    /// <exception cref="ToolException">It cannot be started.</exception>
    public static ChildProcess Start(Command command, string log, bool newSession = false, params IReadOnlyList<SafeHandle> given)
    {
        using var start = new SpawnStart();
        start.Open(0, Nothing, Kernel.O_RDONLY, 0);
        start.Open(1, log, Kernel.O_WRONLY | Kernel.O_CREAT | Kernel.O_APPEND | LinuxAbi.Host.O_NOFOLLOW, LogMode);
        start.Duplicate(1, 2);
        using var files = new GivenFiles(given);
        for (int i = 0; i < files.Descriptors.Count; i++)
            start.Duplicate(files.Descriptors[i], GivenDescriptor + i);
        start.ChangeDirectory(command.Directory ?? CommandRunner.NoDirectory);
        var environment = CommandRunner.EnvironmentOf(command);
        string program = CommandRunner.FindProgram(command, environment);
        int error = start.Run(program, [command.Program, .. command.Arguments], [.. environment.Select(v => $"{v.Key}={v.Value}")],
            newSession, out int id);
        return error == 0
            ? new ChildProcess(id)
            : throw CommandRunner.NotStarted(command, Marshal.GetPInvokeErrorMessage(error), inner: null);
    }

    /// <summary>Ends it at once, unless it has ended.</summary>
    public void Kill()
    {
        // Until it was waited for, the number is its own.
        lock (_gate)
        {
            if (_status is null)
                _ = Libc.Kill(Id, Kernel.SIGKILL);
        }
    }

    /// <summary>Waits until it has ended; its exit code, or 128 and the signal.</summary>
    public int Wait()
    {
        int status = 0;
        while (_status is null && Libc.WaitId(Id) != 0 && LinuxError.Last == Kernel.EINTR)
        {
        }

        lock (_gate)
        {
            if (_status is null)
            {
                _ = Libc.WaitPid(Id, out status, 0);
                _status = (status & 0x7F) == 0 ? (status >> 8) & 0xFF : 128 + (status & 0x7F);
            }

            return _status.Value;
        }
    }

    /// <summary>What a program is given, under numbers that none of it will have there: giving one would otherwise close another.</summary>
    private sealed class GivenFiles : IDisposable
    {
        private readonly List<SafeHandle> _held = [];
        private readonly List<SafeFileHandle> _moved = [];
        private readonly List<int> _descriptors = [];

        public GivenFiles(IReadOnlyList<SafeHandle> given)
        {
            int first = GivenDescriptor + given.Count;
            foreach (var handle in given)
            {
                bool held = false;
                handle.DangerousAddRef(ref held);
                _held.Add(handle);
                _descriptors.Add(Above(first, (int)handle.DangerousGetHandle()));
            }
        }

        public IReadOnlyList<int> Descriptors => _descriptors;

        public void Dispose()
        {
            _held.ForEach(handle => handle.DangerousRelease());
            _moved.ForEach(handle => handle.Dispose());
        }

        private int Above(int first, int descriptor)
        {
            if (descriptor >= first)
                return descriptor;
            int moved = Libc.DuplicateFrom(descriptor, first);
            if (moved < 0)
                throw new IOException($"a file could not be given to a program: {LinuxError.Message}");
            _moved.Add(new SafeFileHandle(moved, ownsHandle: true));
            return moved;
        }
    }
}

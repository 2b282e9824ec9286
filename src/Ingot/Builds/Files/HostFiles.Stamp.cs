using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Ingot.Oci.Content;
using Ingot.Oci.Linux;
using Ingot.Oci.Tar;
using Microsoft.Win32.SafeHandles;

namespace Ingot.Builds.Files;

/// <summary>What a tree of files looks like without a look into any of them.</summary>
/// <param name="Digest">Of all names and stamps.</param>
/// <param name="IsSettled">Whether no later change could leave it as it is.</param>
internal readonly record struct TreeStamp(Digest Digest, bool IsSettled);

/// <content>Looks at many files at once: no string and no object for a file, which is what time goes into otherwise.</content>
internal sealed unsafe partial class HostFiles
{
    private const int DirectoryBytes = 64 << 10;
    private const int HashBytes = 64 << 10;

    // Those of which it is known that the kernel keeps the time of change, and no other machine does; linux/magic.h.
    private static readonly long[] s_localFilesystems =
    [
        0xEF53, // ext4
        0x58465342, // XFS
        0x9123683E, // btrfs
        0x01021994, // tmpfs
        0x794C7630, // overlayfs
        0xF2F52010, // F2FS
        0x2FC12FC1, // ZFS
        0xCA451A4E, // bcachefs
    ];

    /// <summary>Whether times of change can be believed there: not where another machine or a program says what they are.</summary>
    public bool IsLocal()
    {
        return Libc.FilesystemType(_root, out long type) == 0 && s_localFilesystems.Contains(type);
    }

    /// <summary>The stamp of a file, or of a directory with everything below; null when nothing is there.</summary>
    /// <param name="path">The path; no component may be a link.</param>
    /// <param name="isLeftOut">Whether a file or, with <c>true</c>, a directory with everything below does not matter;
    /// null when everything does.</param>
    /// <param name="now">What the clock of filesystems said before.</param>
    public TreeStamp? Stamp(string path, Func<string, bool, bool>? isLeftOut, long now)
    {
        using var top = TryOpen(path, Kernel.O_PATH | LinuxAbi.Host.O_NOFOLLOW);
        if (top is null)
            return null;

        var status = Status(top, path);
        using var walk = new StampWalk(isLeftOut, status.Stamp.Device, now);
        walk.Add([], status);
        if (status.Type == TarEntryType.Directory)
        {
            using var directory = TryOpen(path, LinuxAbi.Host.O_DIRECTORY);
            if (directory is null)
                return null;
            walk.Enter(directory, path);
        }

        return walk.Finish();
    }

    private sealed class StampWalk(Func<string, bool, bool>? isLeftOut, ulong device, long now) : IDisposable
    {
        // As many as the kernel lets one process look at with the default limit of open files, and deeper than people go.
        private const int MaxDepth = 500;

        private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        private readonly byte[] _pending = new byte[HashBytes];
        private readonly Stack<byte[]> _buffers = new();
        private int _filled;
        private int _depth;
        private bool _isSettled = true;

        public void Dispose() => _hash.Dispose();

        public TreeStamp Finish()
        {
            Flush();
            return new TreeStamp(Digest.FromHash(_hash.GetHashAndReset()), _isSettled);
        }

        public void Add(ReadOnlySpan<byte> name, HostFile file)
        {
            const int Fixed = 48;
            if (_filled + Fixed + name.Length > HashBytes)
                Flush();
            var record = _pending.AsSpan(_filled);
            BitConverter.TryWriteBytes(record, name.Length);
            BitConverter.TryWriteBytes(record[4..], file.TypeAndMode);
            BitConverter.TryWriteBytes(record[8..], file.Stamp.Device);
            BitConverter.TryWriteBytes(record[16..], file.Stamp.Inode);
            BitConverter.TryWriteBytes(record[24..], file.Stamp.Size);
            BitConverter.TryWriteBytes(record[32..], file.Stamp.Modified);
            BitConverter.TryWriteBytes(record[40..], file.Stamp.Changed);
            name.CopyTo(record[Fixed..]);
            _filled += Fixed + name.Length;
            _isSettled &= file.Stamp.Device == device && file.Stamp.IsSettled(now);
        }

        // In the order in which the kernel lists a directory: another order of the same is looked at more closely, and no harm is done.
        public void Enter(SafeFileHandle directory, string path)
        {
            if (++_depth > MaxDepth)
                throw new IOException($"'{path}' is more than {MaxDepth} directories deep");

            byte[] buffer = _buffers.TryPop(out byte[]? free) ? free : new byte[DirectoryBytes];
            while (true)
            {
                int length = (int)Libc.GetDirectoryEntries(directory, buffer, (nuint)buffer.Length);
                if (length < 0)
                    throw Failed("list", path);
                if (length == 0)
                    break;

                fixed (byte* entries = buffer)
                {
                    for (int at = 0; at < length; at += BitConverter.ToUInt16(buffer, at + DirectoryEntries.LengthAt))
                        Look(directory, path, entries + at + DirectoryEntries.NameAt);
                }
            }

            _buffers.Push(buffer);
            _depth--;
            Add([], default(HostFile) with { Stamp = new FileStamp(device, 0, 0, 0, 0) });
        }

        private void Look(SafeFileHandle directory, string path, byte* name)
        {
            var bytes = MemoryMarshal.CreateReadOnlySpanFromNullTerminated(name);
            if (DirectoryEntries.IsDots(bytes))
                return;

            if (Libc.StatX((int)directory.DangerousGetHandle(), name, Kernel.AT_SYMLINK_NOFOLLOW, Kernel.STATX_BASIC_STATS,
                out var status) != 0)
            {
                // Deleted since, or not to be looked at: nothing is concluded from such a tree.
                _isSettled = false;
                return;
            }

            var file = FileOf(status);
            bool isDirectory = file.Type == TarEntryType.Directory;
            string inner = isDirectory || isLeftOut is not null ? TarPath.Join(path, TarPath.Decode(bytes)) : "";
            if (isLeftOut?.Invoke(inner, isDirectory) == true)
                return;

            Add(bytes, file);
            if (!isDirectory)
                return;

            int fd = Libc.OpenAt((int)directory.DangerousGetHandle(), name,
                LinuxAbi.Host.O_DIRECTORY | LinuxAbi.Host.O_NOFOLLOW | Kernel.O_CLOEXEC);
            if (fd < 0)
            {
                _isSettled = false;
                return;
            }

            using var child = new SafeFileHandle(fd, ownsHandle: true);
            Enter(child, inner);
        }

        private void Flush()
        {
            _hash.AppendData(_pending, 0, _filled);
            _filled = 0;
        }
    }
}

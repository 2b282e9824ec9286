using System.Runtime.InteropServices;

namespace Ingot.Oci.Linux;

/// <summary>What the last call into <see cref="Libc"/> on this thread failed with.</summary>
public static class LinuxError
{
    /// <summary>The number, one of the <c>E…</c> of <see cref="Kernel"/> and others.</summary>
    public static int Last => Marshal.GetLastPInvokeError();

    /// <summary>The last error in words.</summary>
    public static string Message => Marshal.GetLastPInvokeErrorMessage();

    /// <summary>An error in words.</summary>
    public static string MessageOf(int error) => Marshal.GetPInvokeErrorMessage(error);

    /// <summary>An exception that says what could not be done with which file, why, and what may help.</summary>
    public static IOException Failed(string what, string name)
    {
        int error = Last;
        string cure = error switch
        {
            Kernel.EPERM => " (run as root)",
            Kernel.EEXIST => " (something of that name is in the way)",
            _ => "",
        };
        return new IOException($"could not {what} '{name}': {MessageOf(error)}{cure}", error);
    }
}

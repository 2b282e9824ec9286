using Ingot.Oci.Content;

namespace Ingot.Projects.Building;

/// <summary>Which platforms' programs the kernel runs: this host's, those that its processor knows, and those for which an emulator is
/// registered.</summary>
internal static class Emulators
{
    // https://docs.kernel.org/admin-guide/binfmt-misc.html
    private const string Registered = "/proc/sys/fs/binfmt_misc";

    public static bool Runs(Platform platform)
    {
        var host = Platform.Host;
        if (platform.Os != host.Os)
            return false;
        return platform.Architecture == host.Architecture
            || (platform.Architecture, host.Architecture) is ("386", "amd64")
            || IsEnabled($"qemu-{MachineOf(platform.Architecture)}");
    }

    private static bool IsEnabled(string name)
    {
        try
        {
            return File.ReadLines(Path.Combine(Registered, name)).FirstOrDefault() == "enabled";
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    private static string MachineOf(string architecture) => architecture switch
    {
        "amd64" => "x86_64",
        "arm64" => "aarch64",
        "386" => "i386",
        "mips64le" => "mips64el",
        "loong64" => "loongarch64",
        _ => architecture,
    };
}

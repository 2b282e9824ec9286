using Ingot.Builds.Normalisation;
using Ingot.Oci.Layers;
using Ingot.Plans;
using Ingot.Tools;

namespace Ingot.Builds;

/// <summary>Makes a root filesystem of Debian packages.</summary>
internal static class BootstrapExecution
{
    private const int RootMode = 0b111_101_101;

    // Packages start their services when they are installed. There is nothing to start them in, and what they would leave differs from run to run;
    // https://people.debian.org/~hmh/invokerc.d-policyrc.d-specification.txt.
    private const string NoServices = "#!/bin/sh\nexit 101\n";

    /// <summary>Makes the layer and its snapshot.</summary>
    public static async Task<StepResult> RunAsync(BuildSession session, BootstrapStep step, bool export, Action<string> onLine, CancellationToken cancellationToken)
    {
        string directory = session.Workspace.NewDirectory("bootstrap");
        var command = Mmdebstrap.Bootstrap(step.Suite, step.Packages, step.Mirror, directory, session.Settings.Epoch.ToUnixTimeSeconds());
        var result = await Tether.RunAsync(command, onLine, cancellationToken).ConfigureAwait(false);
        if (result.ExitCode != 0)
            throw new ToolException(command, result.ExitCode, result.Tail);

        ForbidServices(directory);
        var packages = ReadPackages(Path.Combine(directory, "var/lib/dpkg/status"));
        var normaliser = new Normaliser(session.Settings.Epoch, isBootstrap: true, leftOut: [], session.RulesOff);
        var made = await DirectoryResult.WriteAsync(session, directory, DirectoryForm.Plain, normaliser, RootMode, export, cancellationToken).ConfigureAwait(false);
        return made with { Packages = packages };
    }

    private static void ForbidServices(string directory)
    {
        string path = Path.Combine(directory, "usr/sbin/policy-rc.d");
        if (File.Exists(path))
            return;

        File.WriteAllText(path, NoServices);
        File.SetUnixFileMode(path, (UnixFileMode)RootMode);
    }

    // https://manpages.debian.org/bookworm/dpkg-dev/deb-control.5.en.html: stanzas between empty lines.
    private static List<InstalledPackage> ReadPackages(string status)
    {
        var packages = new List<InstalledPackage>();
        string? name = null;
        foreach (var line in File.ReadLines(status))
        {
            if (line.StartsWith("Package: ", StringComparison.Ordinal))
                name = line["Package: ".Length..];
            else if (line.StartsWith("Version: ", StringComparison.Ordinal) && name is not null)
                packages.Add(new InstalledPackage(name, line["Version: ".Length..]));
        }

        return [.. packages.OrderBy(p => p.Name, StringComparer.Ordinal)];
    }
}

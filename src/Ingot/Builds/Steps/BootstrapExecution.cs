using Ingot.Builds.Cache;
using Ingot.Builds.Normalisation;
using Ingot.Oci.Content;
using Ingot.Oci.Layers;
using Ingot.Plans;
using Ingot.Tools;

namespace Ingot.Builds.Steps;

/// <summary>Makes a root filesystem of Debian packages.</summary>
internal static class BootstrapExecution
{
    private const int RootMode = 0b111_101_101;

    // Packages start their services when they are installed. There is nothing to start them in, and what they would leave differs from run
    // to run; https://people.debian.org/~hmh/invokerc.d-policyrc.d-specification.txt.
    private const string NoServices = "#!/bin/sh\nexit 101\n";

    /// <summary>See <see cref="StepKind{T}.KeyParts"/>. A bootstrap stands on nothing.</summary>
    public static IEnumerable<KeyPart> KeyParts(BootstrapStep step, StepSurroundings met) =>
    [
        .. met.Reads, new("profile", Mmdebstrap.Profile), new("platform", Platform.Host.ToString()), .. met.Rules(isBootstrap: true),
    ];

    /// <summary>See <see cref="StepKind{T}.Settled"/>: from now on it is locked, and asked for so.</summary>
    public static BootstrapStep? Settled(BootstrapStep step, StepResult result) =>
        step.Lock is { IsWhole: true } ? null : step with { Lock = new BootstrapLock(result.Packages, IsWhole: true) };

    /// <summary>Makes the layer and its snapshot. What is locked is installed as it was,
    /// or <see cref="BootstrapException"/> names what is not to be had.</summary>
    public static async Task<StepResult> RunAsync(
        BuildSession session, BootstrapStep step, StepWork work, CancellationToken cancellationToken)
    {
        string image = work.Stage.Name;
        long start = session.Settings.TimeProvider.GetTimestamp();
        var started = session.Settings.TimeProvider.GetUtcNow();
        string directory = session.Workspace.NewDirectory("bootstrap");
        string hooks = session.Workspace.NewDirectory("bootstrap-hooks");
        var programs = WriteHooks(hooks, step.Lock);
        var command = Mmdebstrap.Bootstrap(step.Suite, step.Packages, step.Mirror, directory, session.Settings.Epoch.ToUnixTimeSeconds(),
            step.KeepsDocumentation, programs);
        var result = await Tether.RunAsync(command, session.Output, cancellationToken);
        if (result.ExitCode != 0)
            throw await ReasonAsync(step, image, directory, cancellationToken)
                ?? (IngotException)new ToolException(command, result.ExitCode, result.Tail);

        var packages = BootstrapPackages.Read(await File.ReadAllTextAsync(Path.Combine(hooks, "packages"), cancellationToken));
        if (step.Lock is not null)
            BootstrapPackages.Check(image, step.Lock, packages);
        ForbidServices(directory);
        if (!step.KeepsDocumentation)
            session.Note($"left out: {Mmdebstrap.LeftOut}; {Mmdebstrap.Configuration} leaves them out of packages installed later too. "
                + "'documentation: keep' keeps them");
        using var vouchers = new Vouchers([new StepFiles(directory)], step.ToString());
        var times = StepTimes.Between(session.Settings.Epoch, started, session.Settings.TimeProvider.GetElapsedTime(start),
            session.Settings.TimeProvider.GetUtcNow());
        var normaliser = new Normaliser(times, isBootstrap: true, leftOut: [], session.RulesOff, vouchers)
        {
            Cancellation = cancellationToken,
        };
        var made = await DirectoryResult.WriteAsync(
            session, directory, DirectoryForm.Plain, normaliser, RootMode, work.Export, cancellationToken);
        return made with { Packages = packages };
    }

    private static MmdebstrapHooks WriteHooks(string directory, BootstrapLock? locked)
    {
        string listing = WriteProgram(directory, "list", Mmdebstrap.Listing);
        if (locked is null)
            return new MmdebstrapHooks(Setup: null, listing);

        File.WriteAllText(Path.Combine(directory, "preferences"), BootstrapPackages.Preferences(locked, Platform.Host.Architecture));
        return new MmdebstrapHooks(WriteProgram(directory, "pin", Mmdebstrap.Pinning), listing);
    }

    private static string WriteProgram(string directory, string name, string content)
    {
        string path = Path.Combine(directory, name);
        File.WriteAllText(path, content + "\n");
        File.SetUnixFileMode(path, (UnixFileMode)RootMode);
        return path;
    }

    // Where packages are locked, most likely a version is gone; apt says so in many ways.
    private static async Task<BootstrapException?> ReasonAsync(
        BootstrapStep step, string image, string directory, CancellationToken cancellationToken)
    {
        if (step.Lock is not { Packages.Count: > 0 } locked)
            return null;

        var versions = await CommandRunner.TryRunAsync(Mmdebstrap.Versions(directory, [.. locked.Packages.Select(p => p.Name).Distinct()]),
            onLine: null, cancellationToken);
        // Nothing at all is what it says when the lists could not be had.
        return versions.ExitCode == 0
            && versions.Output.Length > 0
            && BootstrapPackages.Missing(locked, versions.Output) is { Count: > 0 } missing
            ? BootstrapPackages.Gone(image, missing)
            : null;
    }

    private static void ForbidServices(string directory)
    {
        string path = Path.Combine(directory, "usr/sbin/policy-rc.d");
        if (File.Exists(path))
            return;

        File.WriteAllText(path, NoServices);
        File.SetUnixFileMode(path, (UnixFileMode)RootMode);
    }
}

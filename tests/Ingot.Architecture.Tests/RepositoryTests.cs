using System.Text.RegularExpressions;
using Ingot.Testing;

namespace Ingot.Architecture.Tests;

/// <summary>Rules about the files of the repository themselves.</summary>
public sealed partial class RepositoryTests
{
    // Put together, so that this file does not break its own rule.
    private static readonly string[] s_registries =
    [
        "nuget" + ".org", "npmjs" + ".org", "npmjs" + ".com", "pypi" + ".org", "pythonhosted" + ".org", "crates" + ".io",
        "rubygems" + ".org", "proxy.golang" + ".org",
        "repo1.maven" + ".org", "deb.debian" + ".org", "security.debian" + ".org", "snapshot.debian" + ".org", "archive.ubuntu" + ".com",
        "security.ubuntu" + ".com",
        "ports.ubuntu" + ".com", "dl-cdn.alpinelinux" + ".org",
    ];

    // Where this checkout is, and the home of whoever tests it; that of root is on every machine.
    private static readonly string[] s_machinePaths =
        [.. new[] { Repository.Root, Environment.GetFolderPath(Environment.SpecialFolder.UserProfile) }
            .Where(path => path.Length > 0 && path != "/root")
            .Select(path => path + "/")];

    private static readonly string[] s_unfinished = ["TO" + "DO", "FIX" + "ME", "HA" + "CK:", "NotImplemented" + "Exception"];

    // The exception that all others derive from is in the namespace that all may use.
    private static readonly Dictionary<string, string> s_namespaces = new() { ["src/Ingot.Oci/IngotException.cs"] = "Ingot" };

    private static IEnumerable<string> TextFiles =>
        RepositoryFiles.Tracked.Where(file => !Path.GetExtension(file).Equals(".png", StringComparison.Ordinal));

    [Fact]
    public void NoFileConfiguresWherePackagesComeFrom() =>
        Assert.DoesNotContain(RepositoryFiles.Tracked,
            file => Path.GetFileName(file).Equals("nuget" + ".config", StringComparison.OrdinalIgnoreCase));

    [Fact]
    public void NoFileNamesThePlaceOfAPackageRegistry() =>
        AssertNone(TextFiles.SelectMany(file => s_registries
            .Where(host => RepositoryFiles.Read(file).Contains(host, StringComparison.OrdinalIgnoreCase))
            .Select(host => $"{file} names {host}")));

    [Fact]
    public void NoFileNamesAPathOfAMachine() =>
        AssertNone(TextFiles
            .Where(file => s_machinePaths.Any(path => RepositoryFiles.Read(file).Contains(path, StringComparison.Ordinal)))
            .Select(file => $"{file} names a directory of somebody's machine"));

    [Fact]
    public void ASourceFilesNamespaceIsItsFolder() =>
        AssertNone(RepositoryFiles.Tracked.Where(IsSource).Select(NamespaceFault).OfType<string>());

    // A shell makes commands of what a name holds. Who names one in the sources says why it is none between us and a program of the host.
    private static readonly Dictionary<string, string> s_shells = new()
    {
        ["src/Ingot.Cli/Commands/CompletionCommand.cs"] = "the shells for which scripts are printed; nothing is run",
        ["src/Ingot/Plans/StagePlanner.cs"] = "the default of SHELL, run in the container of a step",
        ["src/Ingot/Plans/DebianFrontEnd.cs"] = "the Cmd of an image, run in a container",
        ["src/Ingot/Templates/Dockerfile/Checks/CommandRules.cs"] = "what commands of a Dockerfile are looked at for; nothing is run",
        ["src/Ingot/Evidence/Tests/GossParser.cs"] = "commands of a goss file, run in the sandbox",
        ["src/Ingot/Evidence/Claims/Shells.cs"] = "what is looked for in an image; nothing is run",
        ["src/Ingot/Builds/Steps/BootstrapExecution.cs"] = "a file of the image",
        ["src/Ingot/Tools/HaproxyKeeper.cs"] =
            "what starts HAProxy again when nobody is there: a constant, given numbers and paths made of a hash (decision 11)",
        ["src/Ingot/Tools/Mmdebstrap.cs"] = "hooks of mmdebstrap: constants, run by their path, which read what they need from files",
    };

    [Fact]
    public void NoShellStandsBetweenUsAndAProgram() =>
        AssertNone(RepositoryFiles.Tracked.Where(file => IsSource(file) && !s_shells.ContainsKey(file))
            .Where(file => Shell().IsMatch(RepositoryFiles.Read(file)))
            .Select(file => $"{file} names a shell: run the program itself, and make what it needs with Ingot.Tools.Preparation"));

    [Fact]
    public void TheListOfWhoNamesAShellIsNotTooLong() =>
        AssertNone(s_shells.Keys
            .Where(file => !RepositoryFiles.Tracked.Contains(file) || !Shell().IsMatch(RepositoryFiles.Read(file)))
            .Select(file => $"{file} names no shell any more"));

    [Theory]
    [InlineData("new(\"sh\", \"-c\", x)", true)]
    [InlineData("new Command(\"/bin/bash\")", true)]
    [InlineData("$\"/usr/bin/dash -c {x}\"", true)]
    [InlineData("\"busybox sh -c\"", true)]
    [InlineData("UseShellExecute = true", true)]
    [InlineData("EntryPoint = \"system\"", true)]
    [InlineData("EntryPoint = \"popen\"", true)]
    [InlineData("\"show\"", false)]
    [InlineData("// a shell", false)]
    public void AShellIsRecognised(string line, bool expected) => Assert.Equal(expected, Shell().IsMatch(line));

    // Two layers once had numbers that were right on one processor only.
    [Fact]
    public void OnlyOneNamespaceCallsTheCLibrary() =>
        AssertNone(RepositoryFiles.Tracked
            .Where(file => IsSource(file) && !file.StartsWith("src/Ingot.Oci/Linux/", StringComparison.Ordinal))
            .Where(file => LibraryOfTheSystem().IsMatch(RepositoryFiles.Read(file)))
            .Select(file => $"{file} calls the C library by itself: Ingot.Oci.Linux does"));

    [Fact]
    public void NothingIsMarkedAsUnfinished() =>
        AssertNone(RepositoryFiles.Tracked
            .Where(file => file.EndsWith(".cs", StringComparison.Ordinal) || file.EndsWith(".c", StringComparison.Ordinal))
            .SelectMany(file => s_unfinished
                .Where(mark => RepositoryFiles.Read(file).Contains(mark, StringComparison.Ordinal))
                .Select(mark => $"{file} says {mark}")));

    // Who can guess a name where everybody can write lays a link there, or what is to be read or run. Directories of CreateTempSubdirectory
    // and mktemp have names that nobody can.
    [Fact]
    public void NothingIsKeptUnderAFixedNameWhereEverybodyCanWrite() =>
        AssertNone(RepositoryFiles.Tracked
            .Where(file => file.EndsWith(".cs", StringComparison.Ordinal)
                ? SharedName().IsMatch(RepositoryFiles.Read(file))
                : IsScriptWithSharedPlace(RepositoryFiles.Read(file)))
            .Select(file => $"{file} uses a directory that everybody can write to"));

    [Fact]
    public void LinksBetweenDocumentsLeadSomewhere() =>
        AssertNone(RepositoryFiles.Tracked.Where(file => file.EndsWith(".md", StringComparison.Ordinal)).SelectMany(BrokenLinks));

    // What is typed into a document by hand is true once.
    [Fact]
    public void WhatDocumentsShowOfCommandsAndTheirOutputIsMadeByAScript() =>
        AssertNone(RepositoryFiles.Tracked.Where(file => file.EndsWith(".md", StringComparison.Ordinal))
            .SelectMany(file => HandmadeTranscript().Matches(Transcript().Replace(RepositoryFiles.Read(file), ""))
                .Select(match => $"{file} shows '{match.Value.Trim()}': name a step of docs/transcripts above the block, "
                    + "and run scripts/generate-transcripts")));

    [Theory]
    [InlineData("ingot")]
    [InlineData("check")]
    [InlineData(".ci/run")]
    [InlineData("scripts/prerequisites")]
    [InlineData("scripts/run-suites")]
    [InlineData("scripts/generate-docs")]
    [InlineData("scripts/generate-transcripts")]
    [InlineData("scripts/compare-with-buildkit")]
    [InlineData("scripts/compare-checkouts")]
    [InlineData("benchmarks/run")]
    public void AScriptCanBeRun(string file)
    {
        Assert.StartsWith("#!/usr/bin/env bash\n", RepositoryFiles.Read(file), StringComparison.Ordinal);
        Assert.True(OperatingSystem.IsLinux() && File.GetUnixFileMode(Path.Combine(Repository.Root, file))
            .HasFlag(UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute));
    }

    [Fact]
    public void TheChangelogKnowsTheVersion()
    {
        string version = Version().Match(RepositoryFiles.Read("Directory.Build.props")).Groups[1].Value;

        Assert.Matches($@"(?m)^## {Regex.Escape(version)}\b", RepositoryFiles.Read("CHANGELOG.md"));
    }

    private static bool IsSource(string file) =>
        file.StartsWith("src/", StringComparison.Ordinal) && file.EndsWith(".cs", StringComparison.Ordinal);

    private static string? NamespaceFault(string file)
    {
        var declared = NamespaceDeclaration().Match(RepositoryFiles.Read(file));
        if (!declared.Success)
            return Path.GetFileName(file) is "Program.cs" or "AssemblyInfo.cs" or "GlobalUsings.cs"
                ? null
                : $"{file} declares no namespace";
        string expected = s_namespaces.GetValueOrDefault(file, Path.GetDirectoryName(file)!["src/".Length..].Replace('/', '.'));
        return declared.Groups[1].Value == expected ? null : $"{file} declares {declared.Groups[1].Value}, its folder says {expected}";
    }

    private static IEnumerable<string> BrokenLinks(string file) => Link().Matches(FencedBlock().Replace(RepositoryFiles.Read(file), ""))
        .Select(match => match.Groups[1].Value.Split('#')[0])
        .Where(target => target.Length > 0 && !target.Contains("://", StringComparison.Ordinal))
        .Where(target => !Path.Exists(Path.Combine(Repository.Root, Path.GetDirectoryName(file)!, target)))
        .Select(target => $"{file} links to {target}, which is not there");

    private static void AssertNone(IEnumerable<string> faults)
    {
        string text = string.Join('\n', faults);
        Assert.True(text.Length == 0, text);
    }

    [GeneratedRegex(@"[""!/ ](?:sh|ash|bash|dash|ksh|zsh)(?:""| -)|#!/|UseShellExecute = true|EntryPoint = ""(?:system|popen)""")]
    private static partial Regex Shell();

    [GeneratedRegex(@"(?:Import\(|Library = )""libc(?:\.so\.6)?""")]
    private static partial Regex LibraryOfTheSystem();

    // Put together, so that this file does not break its own rule.
    [GeneratedRegex("GetTemp" + "Path|GetTemp" + "FileName")]
    private static partial Regex SharedName();

    [GeneratedRegex("(?:>|=|-)[ \"]*/(?:var/)?" + "tmp/[a-z]|/dev/" + "shm/[a-z]")]
    private static partial Regex SharedPlace();

    private static bool IsScriptWithSharedPlace(string text) =>
        text.StartsWith("#!", StringComparison.Ordinal) && SharedPlace().IsMatch(text);

    [GeneratedRegex(@"^namespace ([\w.]+)", RegexOptions.Multiline)]
    private static partial Regex NamespaceDeclaration();

    [GeneratedRegex("<Version>(.+)</Version>")]
    private static partial Regex Version();

    [GeneratedRegex(@"\]\(([^)\s]+)\)")]
    private static partial Regex Link();

    [GeneratedRegex(@"^<!-- transcript: [^\n]* -->\n```console\n.*?^```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Transcript();

    [GeneratedRegex(@"^ *\$ \S.*$|^```console", RegexOptions.Multiline)]
    private static partial Regex HandmadeTranscript();

    [GeneratedRegex(@"^```.*?^```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex FencedBlock();
}

using System.Xml.Linq;
using Ingot.Architecture.Tests.Uses;
using Ingot.Testing;

namespace Ingot.Architecture.Tests;

/// <summary>What each project depends on, in full. Adding a dependency is changing this list, in view of a reviewer.</summary>
public sealed class DependencyTests
{
    private static readonly Dictionary<string, string[]> s_dependencies = new()
    {
        ["src/Ingot.Oci"] = [],
        ["src/Ingot"] = ["Ingot.Oci", "YamlDotNet"],
        ["src/Ingot.Server"] = ["Ingot", "Microsoft.AspNetCore.App", "Microsoft.Data.Sqlite.Core", "SQLitePCLRaw.bundle_e_sqlite3"],
        ["src/Ingot.Cli"] = ["Ingot.Server", "Spectre.Console", "System.CommandLine"],
        ["fuzz/Ingot.Fuzz"] = ["Ingot"],
        ["benchmarks/Ingot.Benchmarks"] = ["Ingot", "Ingot.Oci", "Ingot.Server"],
        ["tests/Ingot.Testing"] = ["FsCheck", "Ingot", "xunit.v3.assert", "xunit.v3.extensibility.core"],
        ["tests/Ingot.Oci.Tests"] = ["Ingot.Oci"],
        ["tests/Ingot.Tests"] = ["Ingot"],
        ["tests/Ingot.Appender"] = ["Ingot.Server"],
        ["tests/Ingot.Server.Tests"] = ["Ingot.Appender", "Ingot.Server"],
        ["tests/Ingot.Cli.Tests"] = ["Ingot.Cli"],
        ["tests/Ingot.Corpus"] = ["Ingot"],
        ["tests/Ingot.System.Tests"] = ["Ingot.Cli", "Ingot.Corpus"],
        ["tests/Ingot.Architecture.Tests"] = ["Ingot.Cli"],
    };

    // Said once in Directory.Build.props or Directory.Packages.props.
    private static readonly string[] s_common =
    [
        "TargetFramework", "TargetFrameworks", "LangVersion", "Nullable", "ImplicitUsings", "TreatWarningsAsErrors", "AnalysisLevel",
        "EnforceCodeStyleInBuild",
        "Deterministic", "InvariantGlobalization", "UseArtifactsOutput", "GenerateDocumentationFile", "IsTestProject", "Version",
        "RestoreSources", "RestoreAdditionalProjectSources",
    ];

    public static TheoryData<string> Projects =>
        [.. RepositoryFiles.Tracked.Where(file => file.EndsWith(".csproj", StringComparison.Ordinal))];

    [Theory]
    [MemberData(nameof(Projects))]
    public void AProjectDependsOnExactlyWhatIsListed(string file)
    {
        var found = Load(file).Descendants()
            .Where(element => element.Name.LocalName is "PackageReference" or "ProjectReference" or "FrameworkReference" or "Reference")
            .Select(element => NameOf((string)element.Attribute("Include")!))
            .Order(StringComparer.Ordinal);

        Assert.Equal(s_dependencies.GetValueOrDefault(Path.GetDirectoryName(file)!, ["(a project that is not listed)"]), found);
    }

    [Theory]
    [MemberData(nameof(Projects))]
    public void AProjectFileHoldsOnlyWhatIsItsOwn(string file)
    {
        var elements = Load(file).Descendants().ToList();

        Assert.DoesNotContain(elements, element => s_common.Contains(element.Name.LocalName));
        Assert.DoesNotContain(elements,
            element => element.Name.LocalName is "PackageReference" && element.Attribute("Version") is not null);
    }

    [Theory]
    [MemberData(nameof(Projects))]
    public void AProjectIsPartOfTheSolution(string file) =>
        Assert.Contains($"\"{file}\"", RepositoryFiles.Read("Ingot.slnx"), StringComparison.Ordinal);

    [Fact]
    public void EveryPackageVersionIsUsed()
    {
        var used = RepositoryFiles.Tracked
            .Where(file => file.EndsWith(".csproj", StringComparison.Ordinal) || file == "Directory.Build.props")
            .SelectMany(file => Load(file).Descendants().Where(element => element.Name.LocalName == "PackageReference"))
            .Select(element => (string)element.Attribute("Include")!)
            .ToHashSet();
        // Pinned for a package that brings it along.
        used.Add("FSharp.Core");

        Assert.Empty(PackageVersions().Except(used));
    }

    [Fact]
    public void EveryPackageIsNamedAmongTheWorkOfOthers()
    {
        string notices = RepositoryFiles.Read("THIRD-PARTY.md");

        Assert.All(PackageVersions(), package => Assert.Contains(package, notices, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("Ingot.Oci", "")]
    [InlineData("Ingot", "Ingot.Oci YamlDotNet")]
    public void ALibraryRefersToNothingElse(string assembly, string allowed)
    {
        var references = AssemblyUses.References(Path.Combine(AppContext.BaseDirectory, assembly + ".dll"));

        Assert.Empty(references
            .Where(name => !name.StartsWith("System.", StringComparison.Ordinal) && name != "Microsoft.Win32.Primitives")
            .Except(allowed.Split(' ')));
    }

    private static IEnumerable<string> PackageVersions() =>
        Load("Directory.Packages.props").Descendants().Where(element => element.Name.LocalName == "PackageVersion")
            .Select(element => (string)element.Attribute("Include")!);

    private static XDocument Load(string file) => XDocument.Parse(RepositoryFiles.Read(file));

    private static string NameOf(string include) =>
        include.EndsWith(".csproj", StringComparison.Ordinal) ? Path.GetFileNameWithoutExtension(include) : include;
}

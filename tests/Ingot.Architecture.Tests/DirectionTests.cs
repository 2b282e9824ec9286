using Ingot.Architecture.Tests.Uses;
using Ingot.Testing;

namespace Ingot.Architecture.Tests;

/// <summary>Data crosses the house in one direction: the table of ARCHITECTURE.md, held against the built assemblies.</summary>
public sealed class DirectionTests
{
    private static readonly Direction s_direction = Direction.Parse(File.ReadAllText(Path.Combine(Repository.Root, "ARCHITECTURE.md")));

    public static TheoryData<string> Assemblies => ["Ingot.Oci", "Ingot", "Ingot.Server", "Ingot.Cli"];

    [Theory]
    [MemberData(nameof(Assemblies))]
    public void ANamespaceUsesOnlyWhatTheTableAllows(string assembly) =>
        AssertNone(OneOfEach(AssemblyUses.Read(PathOf(assembly))).Select(s_direction.Fault).OfType<string>());

    [Theory]
    [MemberData(nameof(Assemblies))]
    public void EveryTypeIsInANamespaceOfItsAssembly(string assembly)
    {
        var strangers = AssemblyUses.OuterTypes(PathOf(assembly))
            .Where(type => type.StartsWith("Ingot.", StringComparison.Ordinal))
            .Where(type => type != "Ingot.IngotException"
                && !s_direction.Namespaces.Any(name => type.StartsWith(name + ".", StringComparison.Ordinal)));

        AssertNone(strangers.Select(type => $"{type} is in no namespace of the table"));
    }

    [Fact]
    public void ProgramsAreStartedOnlyByToolsAndTheCommandLine() =>
        AssertOnly("System.Diagnostics.Process", "Ingot.Tools", "Ingot.Cli");

    [Fact]
    public void OnlyTheCommandLineWritesToTheConsole() =>
        AssertOnly("System.Console", "Ingot.Cli");

    [Theory]
    [InlineData("System.TimeProvider")]
    [InlineData("System.Diagnostics.Stopwatch")]
    [InlineData("System.Random")]
    [InlineData("System.IO.")]
    [InlineData("System.Net.")]
    [InlineData("System.Threading.")]
    public void ReleasesAreArithmetic(string forbidden) => AssertNone(AssemblyUses.Read(PathOf("Ingot"))
        .Where(use => IsIn(use.From, "Ingot.Releases") && use.Type.StartsWith(forbidden, StringComparison.Ordinal))
        .Select(use => $"{use.Where} uses {use.Type}, but releases know no clock and no I/O"));

    // A type that uses another does so in many members: one of them is enough to find it, and not one that the compiler made.
    private static IEnumerable<Use> OneOfEach(IEnumerable<Use> uses) => uses
        .GroupBy(use => (use.By, use.Type, use.IsInternal))
        .Select(same => same.OrderBy(use => use.Where.Contains('<', StringComparison.Ordinal))
            .ThenBy(use => use.Where, StringComparer.Ordinal).First());

    private static void AssertOnly(string type, params string[] users) => AssertNone(Assemblies
        .Where(row => !users.Contains(row.Data))
        .SelectMany(row => AssemblyUses.Read(PathOf(row.Data)))
        .Where(use => use.Type == type && !users.Any(user => IsIn(use.From, user)))
        .Select(use => $"{use.Where} uses {type}, which only {string.Join(" and ", users)} may"));

    private static bool IsIn(string name, string parent) => (name + ".").StartsWith(parent + ".", StringComparison.Ordinal);

    private static string PathOf(string assembly) => Path.Combine(AppContext.BaseDirectory, assembly + ".dll");

    private static void AssertNone(IEnumerable<string> faults)
    {
        string text = string.Join('\n', faults.Distinct().Order(StringComparer.Ordinal));
        Assert.True(text.Length == 0, text);
    }
}

namespace Ingot.Architecture.Tests.Uses;

/// <summary>The reader finds every way in which a type can use another, and the table refuses it:
/// a check that never fails proves nothing.</summary>
public sealed class AssemblyUsesTests
{
    private const string Lower = "Ingot.Sample.Lower";
    private const string Upper = "Ingot.Sample.Upper";

    private static readonly IReadOnlyCollection<Use> s_uses = AssemblyUses.Read(typeof(AssemblyUsesTests).Assembly.Location);

    public static TheoryData<string> Ways => [.. typeof(Sample.Lower.NotAtAll).Assembly.GetTypes()
        .Where(type => type.Namespace == Lower && !type.IsNested && type != typeof(Sample.Lower.NotAtAll))
        .Select(type => type.Name)];

    [Theory]
    [MemberData(nameof(Ways))]
    public void EveryWayOfUsingIsSeenAndRefused(string way)
    {
        var faults = FaultsIn(way, $"| `{Lower}` | – |", $"| `{Upper}` | – |");

        Assert.NotEmpty(faults);
        Assert.All(faults,
            fault => Assert.Matches($@"^{Lower}\.{way}.* uses {Upper}\.\w*(Thing|Secret)\w*, but {Lower} may use nothing of ours$", fault));
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public void AllowedUsesAreNotRefusedUnlessInternal(string way)
    {
        var faults = FaultsIn(way, $"| `{Lower}` | `{Upper}` |", $"| `{Upper}` | – |");

        Assert.Equal(way == "ByInternalType",
            faults.Any(fault => fault.EndsWith($"which is internal to {Upper}", StringComparison.Ordinal)));
        Assert.DoesNotContain(faults, fault => fault.Contains("may use", StringComparison.Ordinal));
    }

    [Fact]
    public void ANameThatTheCompilerTurnsIntoTextIsNoUse() =>
        Assert.Empty(FaultsIn("NotAtAll", $"| `{Lower}` | – |", $"| `{Upper}` | – |"));

    [Fact]
    public void TheMemberThatUsesIsNamed() =>
        Assert.Contains(s_uses, use => use is { Where: $"{Lower}.ByCall.Call", Type: $"{Upper}.Thing" });

    [Fact]
    public void InternalUseWithinANamespaceIsFree() =>
        Assert.Empty(FaultsIn("ByInternalType", "| `Ingot.Sample` | – |"));

    [Theory]
    [InlineData("| `Ingot.Sample` | – |", "`Ingot.Sample`", "`Ingot.Sample`", true)]
    [InlineData("| `Ingot.Sample` | `Ingot.Sample.Lower`, `Ingot.Sample.Upper` |", "", "–", true)]
    [InlineData("| `Ingot.Sample` | `Ingot.Sample.Lower` |", "", "`Ingot.Sample`", true)]
    [InlineData("| `Ingot.Sample` | `Ingot.Sample.Lower` |", "", "–", false)]
    [InlineData("| `Ingot.Sample` | `Ingot.*` |", "", "–", false)]
    [InlineData("| `Ingot.Sample` | – |", "`Ingot.*`", "–", false)]
    [InlineData("| `Ingot` | – |", "`Ingot.Sample`", "`Ingot.Sample`", false)]
    public void RoomsOfARowShareWhatIsInternal(string around, string lower, string upper, bool shared)
    {
        var faults = FaultsIn("ByInternalType", around, $"| `{Lower}` | {lower}, `{Upper}` |", $"| `{Upper}` | {upper} |");

        Assert.Equal(shared, faults.Count == 0);
        Assert.All(faults, fault => Assert.EndsWith($"which is internal to {Upper}", fault, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("| `Ingot.Sample.Upper` | – |", "the namespace Ingot.Sample.Lower has no row in the table")]
    [InlineData("| `Ingot.Sample.Lower` | – |", "whose namespace Ingot.Sample.Upper has no row in the table")]
    public void ANamespaceWithoutARowIsAFault(string row, string expected) =>
        Assert.All(FaultsIn("ByCall", row), fault => Assert.Contains(expected, fault, StringComparison.Ordinal));

    [Theory]
    [InlineData("`Ingot.Sample.*`", true)]
    [InlineData("`Ingot.Sample.Upper.*`", true)]
    [InlineData("`Ingot.Sample.Upper`, for reasons", true)]
    [InlineData("Ingot.Sample.Upper without backquotes", false)]
    [InlineData("`Ingot.Sample.Up`", false)]
    [InlineData("`Ingot.Sample.Upper.Below`", false)]
    [InlineData("`Ingot.Sample.Upper.Below.*`", false)]
    [InlineData("`Ingot`", false)]
    public void ACellNamesNamespacesInBackquotes(string cell, bool allowed) =>
        Assert.Equal(allowed, FaultsIn("ByCall", $"| `{Lower}` | {cell} |", $"| `{Upper}` | – |").Count == 0);

    [Fact]
    public void TheLongestRowCounts() =>
        Assert.NotEmpty(FaultsIn("ByCall", "| `Ingot.Sample` | `Ingot.Sample.*` |", $"| `{Lower}` | – |", $"| `{Upper}` | – |"));

    [Fact]
    public void ADocumentWithoutTheTableIsRefused() =>
        Assert.Throws<FormatException>(() => Direction.Parse("# Architecture\n| Word | Meaning |\n|---|---|\n| `a` | b |\n"));

    private static List<string> FaultsIn(string way, params string[] rows)
    {
        var direction = Direction.Parse($"text\n\n| Namespace | may use |\n|---|---|\n{string.Join('\n', rows)}\n\ntext");
        return [.. s_uses
            .Where(use => use.From == Lower
                && use.To != use.From
                && (use.Where + ".").StartsWith($"{Lower}.{way}", StringComparison.Ordinal)
                && !char.IsLetterOrDigit((use.Where + ".")[Lower.Length + 1 + way.Length]))
            .Select(direction.Fault).OfType<string>()];
    }
}

using Ingot.Cli.Commands;
using Ingot.Cli.Output;
using Ingot.Projects.Building;
using Ingot.Testing;

namespace Ingot.Cli.Tests.Commands;

/// <summary>Which build a name means that made no image.</summary>
public sealed class BuildLogsCommandTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void ABuildOfTheProjectAboveIsFoundFromBelow()
    {
        File.WriteAllText(Path.Combine(_directory.Make("shop"), "ingot.yaml"), "ingot: 1\nproject: shop\n");
        string below = _directory.Make("shop/web/src");
        Assert.True(IsNameOf("web", below, builtIn: _directory.At("shop")));
        Assert.True(IsNameOf("web", below, builtIn: below));
        Assert.True(IsNameOf("shop/web", _directory.Root, builtIn: _directory.At("shop")));
        Assert.False(IsNameOf("web", _directory.Root, builtIn: _directory.At("shop")));
        Assert.False(IsNameOf("web", below, builtIn: _directory.At("other")));
        Assert.False(IsNameOf("web", below, builtIn: _directory.At("shop"), isGiven: true));
    }

    [Fact]
    public void NoProjectIsNeeded()
    {
        string alone = _directory.Make("alone");
        Assert.True(IsNameOf("web", alone, builtIn: alone));
        Assert.False(IsNameOf("web", alone, builtIn: _directory.At("shop")));
    }

    private static bool IsNameOf(string text, string directory, string builtIn, bool isGiven = false)
    {
        var terminal = new Terminal(
            TextWriter.Null, TextWriter.Null, json: false, outputIsTerminal: false, errorIsTerminal: false, noColor: true);
        var context = new CommandContext(directory, Home.At("/nowhere"), terminal) { IsDirectoryGiven = isGiven };
        return BuildLogsCommand.IsNameOf(context, new LoggedBuild("1", "shop", builtIn, default, ["web"], [], [], IsCut: false), text);
    }
}

using Ingot.Builds.Layers;
using Ingot.Testing;
using Ingot.Tools;

namespace Ingot.Tests.Builds.Layers;

public sealed class LayerMountsTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private int _trials;

    private string Answer => _directory.At("mountable");

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task TheHostIsTriedOnceAndLeftAsItWas()
    {
        bool first = await AskAsync();
        Assert.Equal(first, await AskAsync());
        Assert.Equal(1, _trials);
        Assert.Equal([Answer], Directory.EnumerateFileSystemEntries(_directory.Root));
        Assert.Empty(Mounts.Below(_directory.Root));
    }

    [Theory]
    [InlineData("another boot\nyes\n")]
    [InlineData("")]
    [InlineData("yes")]
    public async Task AnAnswerOfAnotherPlaceIsNotBelieved(string answer)
    {
        await File.WriteAllTextAsync(Answer, answer);
        await AskAsync();
        Assert.Equal(1, _trials);
    }

    [Theory]
    [InlineData("no: the kernel has none", false)]
    [InlineData("yes", true)]
    [InlineData("yesterday", false)]
    public async Task AnAnswerOfThisPlaceIsBelieved(string answer, bool expected)
    {
        await AskAsync();
        string place = (await File.ReadAllLinesAsync(Answer))[0];
        await File.WriteAllTextAsync(Answer, $"{place}\n{answer}\n");
        Assert.Equal(expected, await AskAsync());
        Assert.Equal(1, _trials);
    }

    private Task<bool> AskAsync() =>
        LayerMounts.AreSupportedAsync(_directory.Root, () => _directory.Make($"trial{++_trials}"), CancellationToken.None);
}

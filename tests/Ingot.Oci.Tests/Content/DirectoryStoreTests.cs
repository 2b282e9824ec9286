using Ingot.Oci.Content;
using Ingot.Testing;

namespace Ingot.Oci.Tests.Content;

public sealed class DirectoryStoreTests : ContentStoreContract, IDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private readonly DirectoryStore _store;

    public DirectoryStoreTests() => _store = new DirectoryStore(_directory.At("layout"));

    protected override IContentStore Store => _store;

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void TheDirectoryIsAnImageLayout() =>
        Assert.Equal("""{"imageLayoutVersion":"1.0.0"}""", File.ReadAllText(_directory.At("layout", "oci-layout")));

    [Fact]
    public async Task AStoreOpenedAgainHasWhatWasInIt()
    {
        var descriptor = await _store.PutAsync("text/plain", "kept"u8.ToArray());
        var again = new DirectoryStore(_directory.At("layout"));
        Assert.Equal("kept"u8.ToArray(), await again.ReadAsync(descriptor.Digest));
    }

    [Fact]
    public async Task FilesThatAreNoBlobsAreNotListed()
    {
        File.WriteAllText(_directory.At("layout", "blobs", "sha256", "README"), "");
        await foreach (var digest in _store.ListAsync())
            Assert.Fail($"listed {digest}");
    }

    [Fact]
    public void TheEmptyDigestHasNoPath() => Assert.Throws<InvalidOperationException>(() => _store.PathOf(default));

    protected override IReadOnlyList<string> Leftovers() =>
        [.. Directory.EnumerateFileSystemEntries(_directory.At("layout", "tmp"))];

    protected override bool TryDamage(Digest digest)
    {
        using var file = File.OpenWrite(_store.PathOf(digest));
        file.WriteByte(0);
        return true;
    }
}

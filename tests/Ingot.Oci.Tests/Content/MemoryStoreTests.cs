using Ingot.Oci.Content;
using Ingot.Testing;

namespace Ingot.Oci.Tests.Content;

public sealed class MemoryStoreTests : ContentStoreContract
{
    protected override IContentStore Store { get; } = new MemoryStore();

    protected override IReadOnlyList<string> Leftovers() => [];

    protected override bool TryDamage(Digest digest) => false;
}

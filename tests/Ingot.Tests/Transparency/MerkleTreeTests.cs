using FsCheck;
using FsCheck.Fluent;
using Ingot.Testing;
using Ingot.Transparency;

namespace Ingot.Tests.Transparency;

public sealed class MerkleTreeTests
{
    [Fact]
    public void TheRootOfNothingIsTheHashOfNothing() =>
        Assert.Equal("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", MerkleTree.EmptyRoot.ToString());

    /// <summary>The well-known roots of Certificate Transparency's test tree, sizes 1 to 8.</summary>
    [Fact]
    public void TheRootsOfAKnownTreeAreTheKnownOnes()
    {
        string[] leaves = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
        string[] roots =
        [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        var tree = CompactTree.Empty;
        for (int i = 0; i < leaves.Length; i++)
        {
            tree = tree.Append(MerkleTree.HashLeaf(Convert.FromHexString(leaves[i])));
            Assert.Equal(roots[i], Convert.ToHexStringLower(tree.Root.ToArray()));
        }
    }

    [Fact]
    public void GrowingATreeLeafByLeafGivesTheRootOfTheDefinition() => Prop.ForAll(Sizes(), size =>
    {
        var leaves = Leaves(size);
        return Grow(leaves).Root == Definition(leaves) && MerkleTree.Root(size, Nodes(leaves)) == Definition(leaves);
    }).Holds();

    [Fact]
    public void EveryLeafOfEverySmallTreeHasAProofThatVerifiesNowhereElse()
    {
        for (int size = 1; size <= 40; size++)
        {
            var leaves = Leaves(size);
            var root = Definition(leaves);
            for (int index = 0; index < size; index++)
            {
                var proof = MerkleTree.InclusionProof(index, size, Nodes(leaves));
                for (int claimed = 0; claimed <= size; claimed++)
                    Assert.Equal(claimed == index, MerkleTree.VerifyInclusion(leaves[index], claimed, size, root, proof));
                Assert.False(MerkleTree.VerifyInclusion(leaves[index], index, size, root, [.. proof, root]));
                Assert.True(proof.Count == 0 || !MerkleTree.VerifyInclusion(leaves[index], index, size, root, [.. proof.Skip(1)]));
            }
        }
    }

    [Fact]
    public void EverySmallTreeIsShownToContinueEveryOneBeforeItAndNoOther()
    {
        for (int newSize = 1; newSize <= 40; newSize++)
        {
            var leaves = Leaves(newSize);
            var newRoot = Definition(leaves);
            for (int oldSize = 1; oldSize <= newSize; oldSize++)
            {
                var oldRoot = Definition(leaves.AsSpan(0, oldSize));
                var proof = MerkleTree.ConsistencyProof(oldSize, newSize, Nodes(leaves));
                Assert.True(MerkleTree.VerifyConsistency(oldSize, oldRoot, newSize, newRoot, proof));
                Assert.False(MerkleTree.VerifyConsistency(oldSize, leaves[0] == oldRoot ? newRoot : leaves[0], newSize, newRoot, proof)
                    && newSize > 1);
                Assert.False(MerkleTree.VerifyConsistency(oldSize, oldRoot, newSize, MerkleTree.EmptyRoot, proof));
            }
        }
    }

    [Fact]
    public void ProofsOfLargeTreesVerifyAndBreakWithAnyChangedHash() =>
        Prop.ForAll(Sizes(), Gen.Choose(0, int.MaxValue).ToArbitrary(), (size, pick) =>
        {
            var leaves = Leaves(size);
            var root = Definition(leaves);
            int index = pick % size;
            var inclusion = MerkleTree.InclusionProof(index, size, Nodes(leaves)).ToList();
            var consistency = MerkleTree.ConsistencyProof(index + 1, size, Nodes(leaves)).ToList();
            var oldRoot = Definition(leaves.AsSpan(0, index + 1));
            bool holds = MerkleTree.VerifyInclusion(leaves[index], index, size, root, inclusion)
                && MerkleTree.VerifyConsistency(index + 1, oldRoot, size, root, consistency);
            if (inclusion.Count > 0)
                inclusion[pick % inclusion.Count] = MerkleTree.EmptyRoot;
            if (consistency.Count > 0)
                consistency[pick % consistency.Count] = MerkleTree.EmptyRoot;
            return holds
                && (inclusion.Count == 0 || !MerkleTree.VerifyInclusion(leaves[index], index, size, root, inclusion))
                && (consistency.Count == 0 || !MerkleTree.VerifyConsistency(index + 1, oldRoot, size, root, consistency));
        }).Holds();

    [Fact]
    public void ATreeReadBackFromItsEdgeGrowsOnAsIfNothingHadHappened() => Prop.ForAll(Sizes(), size =>
    {
        var leaves = Leaves(size + 3);
        var tree = Grow(leaves[..size]);
        var again = CompactTree.TryRead(tree.Size, tree.EdgeToArray())!;
        foreach (var leaf in leaves[size..])
            again = again.Append(leaf);
        return again.Root == Definition(leaves);
    }).Holds();

    [Theory]
    [InlineData(-1, 0)]
    [InlineData(0, 32)]
    [InlineData(1, 0)]
    [InlineData(3, 32)]
    [InlineData(3, 65)]
    [InlineData(4, 64)]
    public void BytesThatAreNotTheEdgeOfATreeOfThatSizeAreRefused(long size, int bytes) =>
        Assert.Null(CompactTree.TryRead(size, new byte[bytes]));

    [Fact]
    public void AppendingTellsOfEachSubtreeItCompletes()
    {
        var completed = new List<(int, long)>();
        var tree = CompactTree.Empty;
        foreach (var leaf in Leaves(8))
            tree = tree.Append(leaf, (level, index, _) => completed.Add((level, index)));

        Assert.Equal(
            [(0, 0), (0, 1), (1, 0), (0, 2), (0, 3), (1, 1), (2, 0), (0, 4), (0, 5), (1, 2), (0, 6), (0, 7), (1, 3), (2, 1), (3, 0)],
            completed);
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(-1, 3)]
    [InlineData(3, 3)]
    public void ThereIsNoProofForALeafThatIsNotThere(long index, long size) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => MerkleTree.InclusionProof(index, size, Nodes(Leaves((int)size))));

    [Theory]
    [InlineData("")]
    [InlineData("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU")]
    [InlineData("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFV=")]
    [InlineData(" 47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=")]
    [InlineData("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFUA")]
    [InlineData("47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU=")]
    public void AHashHasOneSpelling(string text) => Assert.False(MerkleHash.TryParse(text, out _));

    private static Arbitrary<int> Sizes() => Gen.Choose(1, 3000).ToArbitrary();

    private static MerkleHash[] Leaves(int count) =>
        [.. Enumerable.Range(0, count).Select(i => MerkleTree.HashLeaf(BitConverter.GetBytes(i)))];

    private static CompactTree Grow(MerkleHash[] leaves)
    {
        var tree = CompactTree.Empty;
        foreach (var leaf in leaves)
            tree = tree.Append(leaf);
        return tree;
    }

    /// <summary>RFC 6962, section 2.1, word for word.</summary>
    private static MerkleHash Definition(ReadOnlySpan<MerkleHash> leaves)
    {
        if (leaves.Length == 0)
            return MerkleTree.EmptyRoot;
        if (leaves.Length == 1)
            return leaves[0];

        int k = 1;
        while (2 * k < leaves.Length)
            k *= 2;
        return MerkleTree.HashNode(Definition(leaves[..k]), Definition(leaves[k..]));
    }

    private static NodeReader Nodes(MerkleHash[] leaves) =>
        (level, index) => Definition(leaves.AsSpan(checked((int)(index << level)), 1 << level));
}

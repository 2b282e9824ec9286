using System.Security.Cryptography;
using FsCheck;
using FsCheck.Fluent;
using Ingot.Testing;
using Ingot.Transparency;

namespace Ingot.Tests.Transparency;

public sealed class CheckpointTests : IDisposable
{
    private const string Root = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";

    private readonly NoteSigner _signer = new("ingot.example/log", ECDsa.Create(ECCurve.NamedCurves.nistP256));

    public void Dispose() => _signer.Dispose();

    [Fact]
    public void EveryCheckpointReadsBack() => Prop.ForAll(ArbMap.Default.ArbFor<NonNegativeInt>(), size =>
    {
        var checkpoint = new Checkpoint("origin", (long)size.Get << 20, MerkleTree.EmptyRoot);
        return Checkpoint.Parse(checkpoint.ToString()).ToString() == checkpoint.ToString();
    }).Holds();

    [Fact]
    public void ExtensionLinesAreKept()
    {
        const string Text = "origin\n3\n" + Root + "\nmore\nand more\n";
        var checkpoint = Checkpoint.Parse(Text);

        Assert.Equal(["more", "and more"], checkpoint.Extensions);
        Assert.Equal(Text, checkpoint.ToString());
    }

    [Theory]
    [InlineData("")]
    [InlineData("origin\n")]
    [InlineData("origin\n3\n")]
    [InlineData("origin\n3\n" + Root)]
    [InlineData("\n3\n" + Root + "\n")]
    [InlineData("origin\n03\n" + Root + "\n")]
    [InlineData("origin\n-3\n" + Root + "\n")]
    [InlineData("origin\n+3\n" + Root + "\n")]
    [InlineData("origin\n 3\n" + Root + "\n")]
    [InlineData("origin\n\n" + Root + "\n")]
    [InlineData("origin\n9223372036854775808\n" + Root + "\n")]
    [InlineData("origin\n3\nAAAA\n")]
    [InlineData("origin\n3\n" + Root + "\n\n")]
    [InlineData("origin\n3\n" + Root + "\nmore\n\nand more\n")]
    [InlineData("origin\r\n3\r\n" + Root + "\r\n")]
    public void WhatIsNotACheckpointIsRefused(string text) => Assert.Throws<FormatException>(() => Checkpoint.Parse(text));

    [Fact]
    public void ASignedCheckpointIsBelieved()
    {
        var checkpoint = new Checkpoint("ingot.example/log", 0, MerkleTree.EmptyRoot);
        var read = Checkpoint.ParseSigned(checkpoint.Sign(_signer).ToString(), _signer.Verifier);

        Assert.Equal(checkpoint.ToString(), read.ToString());
    }

    [Fact]
    public void ACheckpointOfAnotherOriginIsNotTheLogs() =>
        Assert.Throws<FormatException>(() =>
            Checkpoint.ParseSigned(new Checkpoint("elsewhere", 0, MerkleTree.EmptyRoot).Sign(_signer).ToString(), _signer.Verifier));

    [Fact]
    public void AReceiptVerifiesItsEntryAndNoOther()
    {
        var entries = Enumerable.Range(0, 11).Select(i => new[] { (byte)i }).ToArray();
        var proof = LogProof.Parse(Prove(entries, 6).ToString());

        Assert.Equal(11, proof.Verify([6], _signer.Verifier).Size);
        Assert.Throws<FormatException>(() => proof.Verify([7], _signer.Verifier));
        Assert.Throws<FormatException>(() => (proof with { Index = 7 }).Verify([6], _signer.Verifier));
    }

    [Fact]
    public void WhatNobodyVouchesForInAReceiptIsSkipped()
    {
        var proof = Prove([[1], [2], [3]], 1);
        string withExtra = proof.ToString().Replace("index 1", "extra AAAA\nindex 1", StringComparison.Ordinal);

        Assert.Equal(3, LogProof.Parse(withExtra).Verify([2], _signer.Verifier).Size);
    }

    [Theory]
    [InlineData("")]
    [InlineData("c2sp.org/tlog-proof@v1\nindex 0\n")]
    [InlineData("c2sp.org/tlog-proof@v2\nindex 0\n\ncheckpoint")]
    [InlineData("c2sp.org/tlog-proof@v1\n\ncheckpoint")]
    [InlineData("c2sp.org/tlog-proof@v1\nindex\n\ncheckpoint")]
    [InlineData("c2sp.org/tlog-proof@v1\nindex 01\n\ncheckpoint")]
    [InlineData("c2sp.org/tlog-proof@v1\nindex -1\n\ncheckpoint")]
    [InlineData("c2sp.org/tlog-proof@v1\nindex 0\nnot a hash\n\ncheckpoint")]
    [InlineData("c2sp.org/tlog-proof@v1\nindex 0\nextra AAAA\n\ncheckpoint")]
    public void WhatIsNotAReceiptIsRefused(string text) => Assert.Throws<FormatException>(() => LogProof.Parse(text));

    [Fact]
    public void AReceiptWithMoreHashesThanATreeHasLevelsIsRefused() =>
        Assert.Throws<FormatException>(() =>
            LogProof.Parse($"c2sp.org/tlog-proof@v1\nindex 0\n{string.Concat(Enumerable.Repeat(Root + "\n", 64))}\ncheckpoint"));

    private LogProof Prove(byte[][] entries, int index)
    {
        var leaves = entries.Select(entry => MerkleTree.HashLeaf(entry)).ToArray();
        MerkleHash Node(int level, long position) =>
            level == 0 ? leaves[position] : MerkleTree.HashNode(Node(level - 1, 2 * position), Node(level - 1, (2 * position) + 1));
        var checkpoint = new Checkpoint(_signer.Verifier.Name, leaves.Length, MerkleTree.Root(leaves.Length, Node));
        return new LogProof(index, MerkleTree.InclusionProof(index, leaves.Length, Node), checkpoint.Sign(_signer).ToString());
    }
}

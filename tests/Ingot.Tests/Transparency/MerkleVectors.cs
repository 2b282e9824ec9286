using System.Text;
using System.Text.Json;
using Ingot.Testing;
using Ingot.Transparency;

namespace Ingot.Tests.Transparency;

/// <summary>The cases of transparency-dev/merkle, vectors/merkle.</summary>
public sealed class MerkleVectors
{
    public static TheoryData<string> Inclusion => Cases("inclusion");

    public static TheoryData<string> Consistency => Cases("consistency");

    [Theory]
    [MemberData(nameof(Inclusion))]
    public void AnInclusionProofVerifiesExactlyWhenItShould(string file)
    {
        var test = Read(file);
        bool isValid = TryHashes(test, out var hashes, "root", "leafHash")
            && MerkleTree.VerifyInclusion(hashes[1], Number(test, "leafIdx"), Number(test, "treeSize"), hashes[0], hashes[2..]);

        Assert.Equal(!test.GetProperty("wantErr").GetBoolean(), isValid);
    }

    [Theory]
    [MemberData(nameof(Consistency))]
    public void AConsistencyProofVerifiesExactlyWhenItShould(string file)
    {
        var test = Read(file);
        bool isValid = TryHashes(test, out var hashes, "root1", "root2")
            && MerkleTree.VerifyConsistency(Number(test, "size1"), hashes[0], Number(test, "size2"), hashes[1], hashes[2..]);

        Assert.Equal(!test.GetProperty("wantErr").GetBoolean(), isValid);
    }

    [Fact]
    public void AllOfTheCasesAreThere()
    {
        Assert.Equal(98, Inclusion.Count);
        Assert.Equal(98, Consistency.Count);
    }

    private static TheoryData<string> Cases(string kind)
    {
        string directory = Repository.Vector("merkle", kind);
        return [.. Directory.EnumerateFiles(directory, "*.json", SearchOption.AllDirectories)
            .Order(StringComparer.Ordinal)
            .Select(file => Path.GetRelativePath(Repository.Vector("merkle"), file))];
    }

    private static JsonElement Read(string file)
    {
        using var document = JsonDocument.Parse(File.ReadAllBytes(Repository.Vector("merkle", file)));
        return document.RootElement.Clone();
    }

    // Indices "below zero" stand in the files as unsigned 64-bit numbers.
    private static long Number(JsonElement test, string name) => unchecked((long)test.GetProperty(name).GetUInt64());

    /// <summary>False when a hash is empty, which our type cannot say.</summary>
    private static bool TryHashes(JsonElement test, out List<MerkleHash> hashes, params string[] names)
    {
        var proof = test.GetProperty("proof");
        List<string> texts =
        [
            .. names.Select(name => test.GetProperty(name).GetString()!),
            .. proof.ValueKind == JsonValueKind.Null ? [] : proof.EnumerateArray().Select(text => text.GetString()!),
        ];
        hashes = [.. texts.Select(Hash)];
        return !texts.Contains("");
    }

    // Some cases call a few words a hash: another hash for each stands in.
    private static MerkleHash Hash(string text) =>
        MerkleHash.TryParse(text, out var hash) ? hash : MerkleTree.HashLeaf(Encoding.UTF8.GetBytes(text));
}

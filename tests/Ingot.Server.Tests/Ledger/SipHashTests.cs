using System.Buffers.Binary;
using Ingot.Server.Ledger;

namespace Ingot.Server.Tests.Ledger;

public sealed class SipHashTests
{
    private static readonly byte[] s_key = [.. Enumerable.Range(0, 16).Select(i => (byte)i)];

    /// <summary>The first of the authors' own vectors: the empty input.</summary>
    [Fact]
    public void TheEmptyInputHashesAsItsAuthorsSay()
    {
        byte[] hash = new byte[16];
        BinaryPrimitives.WriteUInt128LittleEndian(hash, SipHash.Of(s_key, []));

        Assert.Equal("a3817f04ba25a8e66df67214c7550293", Convert.ToHexStringLower(hash));
    }

    [Fact]
    public void EveryLengthAndEveryChangedByteGivesAnother()
    {
        var seen = new HashSet<UInt128>();
        for (int length = 0; length < 40; length++)
        {
            byte[] input = new byte[length];
            Assert.True(seen.Add(SipHash.Of(s_key, input)));
            for (int i = 0; i < length; i++)
            {
                input[i] = 1;
                Assert.True(seen.Add(SipHash.Of(s_key, input)), $"byte {i} of {length} does not count");
                input[i] = 0;
            }
        }
    }
}

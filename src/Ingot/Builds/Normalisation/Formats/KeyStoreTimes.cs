using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Ingot.Oci.Layers;

namespace Ingot.Builds.Normalisation.Formats;

/// <summary>Times of the certificates in a Java key store of the old format (JKS), which ends with a hash over itself and a password
/// (<see href="https://docs.oracle.com/en/java/javase/21/security/java-cryptography-architecture-jca-reference-guide.html">key
/// stores</see>). Only a store of certificates with the password that everybody knows is changed: the hash can be made anew,
/// and nothing in it is secret.</summary>
internal static class KeyStoreTimes
{
    private const string Password = "changeit";
    private const int Trusted = 2;
    private const int HashBytes = 20;
    private const int MaxBytes = 16 << 20;
    private const int MaxEntries = 100_000;

    private static readonly byte[] s_key = [.. Encoding.BigEndianUnicode.GetBytes(Password), .. "Mighty Aphrodite"u8];

    /// <summary>What to change so that no entry has a time of the step, and the hash is right again.
    /// Nothing for what is no such store.</summary>
    public static IReadOnlyList<ContentPatch> Find(LayerContent content, StepTimes times)
    {
        Span<byte> head = stackalloc byte[12];
        if (content.Length is < 12 + HashBytes or > MaxBytes
            || content.ReadAt(0, head) != 12
            || BinaryPrimitives.ReadUInt32BigEndian(head) != 0xFEEDFEED)
            return [];

        byte[] store = content.ReadAll();
        int end = store.Length - HashBytes;
        if (Times(store, end) is not { } places || !Hash(store.AsSpan(0, end)).AsSpan().SequenceEqual(store.AsSpan(end)))
            return [];

        byte[] time = new byte[8];
        BinaryPrimitives.WriteInt64BigEndian(time, times.Epoch * 1000L);
        var late = places.Where(at => times.IsOfStep(BinaryPrimitives.ReadInt64BigEndian(store.AsSpan(at)) / 1000)).ToList();
        foreach (int at in late)
            time.CopyTo(store, at);
        return late.Count == 0 ? [] : [.. late.Select(at => new ContentPatch(at, time)), new ContentPatch(end, Hash(store.AsSpan(0, end)))];
    }

    // Each entry: what it is, its alias, its time, the kind of certificate, the certificate.
    private static List<int>? Times(byte[] store, int end)
    {
        var places = new List<int>();
        int count = BinaryPrimitives.ReadInt32BigEndian(store.AsSpan(8)), at = 12;
        bool isVersion2 = BinaryPrimitives.ReadInt32BigEndian(store.AsSpan(4)) == 2;
        for (int i = 0; i < count && isVersion2 && count <= MaxEntries; i++)
        {
            if (at + 6 > end || BinaryPrimitives.ReadInt32BigEndian(store.AsSpan(at)) != Trusted)
                return null;
            at += 6 + BinaryPrimitives.ReadUInt16BigEndian(store.AsSpan(at + 4));
            if (at + 10 > end)
                return null;
            places.Add(at);
            at += 10 + BinaryPrimitives.ReadUInt16BigEndian(store.AsSpan(at + 8));
            if (at + 4 > end
                || BinaryPrimitives.ReadInt32BigEndian(store.AsSpan(at)) is var length && (length < 0 || length > end - at - 4))
                return null;
            at += 4 + length;
        }

        return at == end ? places : null;
    }

    // The format's own; it keeps nothing safe here.
#pragma warning disable RS0030, CA5350
    private static byte[] Hash(ReadOnlySpan<byte> store) => SHA1.HashData([.. s_key, .. store]);
#pragma warning restore RS0030, CA5350
}

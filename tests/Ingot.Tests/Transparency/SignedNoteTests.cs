using System.Security.Cryptography;
using System.Text;
using Ingot.Transparency;

namespace Ingot.Tests.Transparency;

public sealed class SignedNoteTests : IDisposable
{
    private readonly NoteSigner _signer = new("ingot.example/log", ECDsa.Create(ECCurve.NamedCurves.nistP256));

    public void Dispose() => _signer.Dispose();

    [Fact]
    public void ASignedNoteReadsBackAndVerifies()
    {
        var note = SignedNote.Sign("first\n\nlast\n", _signer);
        var read = SignedNote.Parse(note.ToString());

        Assert.Equal("first\n\nlast\n", read.Text);
        Assert.True(read.IsSignedBy(_signer.Verifier));
        Assert.Equal(note.ToString(), read.ToString());
    }

    [Fact]
    public void AnyChangedByteOfANoteIsRefusedOneWayOrTheOther()
    {
        var bytes = Encoding.UTF8.GetBytes(SignedNote.Sign("origin\n17\nroot\n", _signer).ToString());
        for (int i = 0; i < bytes.Length; i++)
        {
            foreach (byte mask in new byte[] { 0x01, 0x20, 0x80 })
            {
                bytes[i] ^= mask;
                Assert.False(IsGood(bytes), $"byte {i} with mask {mask}");
                bytes[i] ^= mask;
            }
        }

        Assert.True(IsGood(bytes));
    }

    [Fact]
    public void AVerifierKeyReadsBack()
    {
        string text = _signer.Verifier.ToString();
        using var verifier = NoteVerifier.Parse(text);

        Assert.Equal(text, verifier.ToString());
        Assert.Equal(_signer.Verifier.KeyId, verifier.KeyId);
    }

    /// <summary>For ECDSA the id is of the key alone: SHA-256(SPKI)[:4].</summary>
    [Fact]
    public void TheKeyIdIsTheStartOfTheKeysHash() => Assert.Equal(
        Convert.ToHexStringLower(SHA256.HashData(_signer.Verifier.PublicKey.Span).AsSpan(0, 4)), _signer.Verifier.ToString().Split('+')[1]);

    /// <summary>Ed25519 and ML-DSA signatures have other lengths and are nothing to us, but the note is one.</summary>
    [Theory]
    [InlineData(64)]
    [InlineData(72)]
    [InlineData(2428)]
    public void ANoteWithSignaturesOfOtherTypesParses(int length)
    {
        string blob = Convert.ToBase64String([0x53, 0x0d, 0x90, 0x3a, .. new byte[length]]);
        var note = SignedNote.Parse($"This is an example message.\n\n\u2014 example.com/foo {blob}\n");

        Assert.Equal("example.com/foo", note.Signatures[0].Name);
        Assert.Equal(0x530d903au, note.Signatures[0].KeyId);
        Assert.Equal(length, note.Signatures[0].Signature.Length);
        Assert.False(note.IsSignedBy(_signer.Verifier));
    }

    [Fact]
    public void SignaturesOfUnknownKeysAreIgnored()
    {
        using var other = new NoteSigner("someone", ECDsa.Create(ECCurve.NamedCurves.nistP256));
        var note = SignedNote.Sign("text\n", _signer);
        var both = note with { Signatures = [.. SignedNote.Sign("text\n", other).Signatures, .. note.Signatures] };

        Assert.True(SignedNote.Parse(both.ToString()).IsSignedBy(_signer.Verifier));
    }

    [Fact]
    public void ABadSignatureOfAKnownKeyCondemnsTheNoteDespiteAGoodOne()
    {
        var good = SignedNote.Sign("text\n", _signer);
        var bad = SignedNote.Sign("other\n", _signer);

        Assert.False((good with { Signatures = [.. good.Signatures, .. bad.Signatures] }).IsSignedBy(_signer.Verifier));
    }

    [Fact]
    public void AKeyOfTheSameNameIsNotTheSameKey()
    {
        using var other = new NoteSigner(_signer.Verifier.Name, ECDsa.Create(ECCurve.NamedCurves.nistP256));
        Assert.False(SignedNote.Sign("text\n", other).IsSignedBy(_signer.Verifier));
    }

    [Theory]
    [InlineData("")]
    [InlineData("text\n")]
    [InlineData("text\n\n")]
    [InlineData("text\n— n AAAAAAA=\n")]
    [InlineData("text\n\n— n AAAAAAA=")]
    [InlineData("text\n\n- n AAAAAAA=\n")]
    [InlineData("text\n\n— AAAAAAA=\n")]
    [InlineData("text\n\n— n  AAAAAAA=\n")]
    [InlineData("text\n\n— n+m AAAAAAA=\n")]
    [InlineData("text\n\n— n AAAAAA==\n")]
    [InlineData("text\n\n— n AAAAAAB=\n")]
    [InlineData("text\n\n— n AAAA AAA=\n")]
    [InlineData("text\n\n— n *\n")]
    [InlineData("te\txt\n\n— n AAAAAAA=\n")]
    [InlineData("te\rxt\n\n— n AAAAAAA=\n")]
    [InlineData("text\n\n— n\u00a0m AAAAAAA=\n")]
    public void WhatIsNotANoteIsRefused(string text) => Assert.Throws<FormatException>(() => SignedNote.Parse(text));

    [Fact]
    public void ANoteThatIsNotUtf8IsRefused() => Assert.Throws<FormatException>(() => SignedNote.Parse([.. "text\n\n"u8, 0xff, .. "\n"u8]));

    [Fact]
    public void ANoteWithMoreSignaturesThanAnyoneNeedsIsRefused() =>
        Assert.Throws<FormatException>(() => SignedNote.Parse("text\n\n" + string.Concat(Enumerable.Repeat("— n AAAAAAA=\n", 101))));

    [Theory]
    [InlineData("example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", "type 1")]
    [InlineData("name", "NAME+KEYID+BASE64")]
    [InlineData("name+00000000+", "NAME+KEYID+BASE64")]
    [InlineData("na me+00000000+AgAA", "NAME+KEYID+BASE64")]
    [InlineData("name+00000000+AgAA", "SubjectPublicKeyInfo")]
    public void WhatIsNotAVerifierKeyIsRefused(string text, string reason) =>
        Assert.Contains(reason, Assert.Throws<FormatException>(() => NoteVerifier.Parse(text)).Message, StringComparison.Ordinal);

    [Fact]
    public void AVerifierKeyWithAnotherIdIsRefused()
    {
        string[] parts = _signer.Verifier.ToString().Split('+', 3);
        Assert.Throws<FormatException>(() => NoteVerifier.Parse($"{parts[0]}+00000000+{parts[2]}"));
    }

    [Fact]
    public void AKeyOnAnotherCurveIsRefused()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP384);
        Assert.Throws<FormatException>(() => NoteVerifier.FromPublicKey("name", key.ExportSubjectPublicKeyInfo()));
    }

    [Theory]
    [InlineData("")]
    [InlineData("a b")]
    [InlineData("a+b")]
    [InlineData("a\nb")]
    public void ANameThatWouldNotReadBackIsRefused(string name)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        Assert.Throws<ArgumentException>(() => new NoteSigner(name, key));
    }

    [Theory]
    [InlineData("no newline")]
    [InlineData("a\tb\n")]
    [InlineData("")]
    public void ATextThatIsNotOneIsNotSigned(string text) => Assert.Throws<ArgumentException>(() => SignedNote.Sign(text, _signer));

    private bool IsGood(byte[] note)
    {
        try
        {
            return SignedNote.Parse(note).IsSignedBy(_signer.Verifier);
        }
        catch (FormatException)
        {
            return false;
        }
    }
}

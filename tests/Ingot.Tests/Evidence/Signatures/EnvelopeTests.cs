using System.Globalization;
using System.Numerics;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using FsCheck;
using FsCheck.Fluent;
using Ingot.Evidence.Signatures;
using Ingot.Oci.Content;
using Ingot.Testing;

namespace Ingot.Tests.Evidence.Signatures;

public sealed class EnvelopeTests
{
    private static readonly SigningKey s_key = SigningKey.Create();

    public static TheoryData<string, string, string> Vectors()
    {
        var data = new TheoryData<string, string, string>();
        foreach (var line in File.ReadAllLines(Repository.Vector("evidence", "pre-authentication.txt")).Where(l => !l.StartsWith('#')))
        {
            var fields = line.Split('\t');
            data.Add(fields[0], fields[1], fields[2].Replace("\\n", "\n", StringComparison.Ordinal));
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Vectors))]
    public void WhatIsSignedIsTheTypeAndThePayloadWithTheirLengths(string type, string payload, string expected) =>
        Assert.Equal(expected, Encoding.UTF8.GetString(Envelope.PreAuthenticationEncoding(type, Convert.FromHexString(payload))));

    // https://github.com/secure-systems-lab/dsse/blob/v1.0.2/protocol.md#test-vectors
    [Fact]
    public void TheSpecificationsOwnSignatureVerifies()
    {
        var raw = Convert.FromBase64String("A3JqsQGtVsJ2O2xqrI5IcnXip5GToJ3F+FnZ+O88SjtR6rDAajabZKciJTfUiHqJPcIAriEGAHTVeCUjW2JIZA==");
        using var key = ECDsa.Create(new ECParameters
        {
            Curve = ECCurve.NamedCurves.nistP256,
            Q = new ECPoint
            {
                X = Number("46950820868899156662930047687818585632848591499744589407958293238635476079160"),
                Y = Number("5640078356564379163099075877009565129882514886557779369047442380624545832820"),
            },
        });
        var envelope = new Envelope("http://example.com/HelloWorld", "hello world"u8.ToArray(), [new EnvelopeSignature(Der(raw))]);

        var trusted = PublicKey.FromPem(key.ExportSubjectPublicKeyInfoPem(), "vector");
        Assert.Equal(trusted, envelope.Verify([s_key.PublicKey, trusted]));
    }

    [Fact]
    public void AnEnvelopeComesBackAsItWas()
    {
        var envelope = Signed();
        var read = Envelope.Parse(envelope.ToBytes());
        Assert.Equal(envelope.ToBytes(), read.ToBytes());
        Assert.Equal(s_key.PublicKey, read.Verify([s_key.PublicKey]));
    }

    [Fact]
    public void UrlSafeAndUnpaddedBase64IsReadToo()
    {
        var json = JsonNode.Parse(Signed("payload with ~~~??? and ÿÿ").ToBytes())!;
        var signature = json["signatures"]![0]!;
        json["payload"] = UrlSafe(json["payload"]!.GetValue<string>());
        signature["sig"] = UrlSafe(signature["sig"]!.GetValue<string>());
        Assert.Equal(s_key.PublicKey, Envelope.Parse(Encoding.UTF8.GetBytes(json.ToJsonString())).Verify([s_key.PublicKey]));
    }

    [Fact]
    public void NoByteOfPayloadTypeOrSignatureCanBeChanged()
    {
        var envelope = Signed();
        for (int i = 0; i < envelope.Payload.Length; i++)
            Assert.Null((envelope with { Payload = Flip(envelope.Payload, i) }).Verify([s_key.PublicKey]));
        for (int i = 0; i < envelope.Signatures[0].Value.Length; i++)
            Assert.Null((envelope with { Signatures = [new EnvelopeSignature(Flip(envelope.Signatures[0].Value, i))] })
                .Verify([s_key.PublicKey]));
        Assert.Null((envelope with { PayloadType = envelope.PayloadType + " " }).Verify([s_key.PublicKey]));
        Assert.Null((envelope with { Payload = envelope.Payload[..^1] }).Verify([s_key.PublicKey]));
    }

    [Fact]
    public void ASignatureOverTheBarePayloadIsNone() =>
        Assert.Null((Signed() with { Signatures = [new EnvelopeSignature(s_key.Sign(Signed().Payload.Span))] }).Verify([s_key.PublicKey]));

    [Fact]
    public void AnotherKeysSignatureIsNone()
    {
        using var other = SigningKey.Create();
        Assert.Null(Signed().Verify([other.PublicKey]));
        Assert.Null(Signed().Verify([]));
    }

    [Fact]
    public void TwoSignaturesOrNoneAreNotVerified()
    {
        var envelope = Signed();
        Assert.Null((envelope with { Signatures = [] }).Verify([s_key.PublicKey]));
        Assert.Null((envelope with { Signatures = [envelope.Signatures[0], envelope.Signatures[0]] }).Verify([s_key.PublicKey]));
    }

    [Fact]
    public void AKeyIdIsAHintAndNothingMore()
    {
        var envelope = Signed();
        var lying = envelope with { Signatures = [envelope.Signatures[0] with { KeyId = "somebody else" }] };
        Assert.Equal(s_key.PublicKey, Envelope.Parse(lying.ToBytes()).Verify([s_key.PublicKey]));
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("""{"payload":"e30=","payloadType":"t"}""")]
    [InlineData("""{"payload":"e30=","signatures":[]}""")]
    [InlineData("""{"payloadType":"t","signatures":[]}""")]
    [InlineData("""{"payload":"!","payloadType":"t","signatures":[]}""")]
    [InlineData("""{"payload":"e30=","payloadType":1,"signatures":[]}""")]
    [InlineData("""{"payload":"e30=","payloadType":"t","signatures":{}}""")]
    [InlineData("""{"payload":"e30=","payloadType":"t","signatures":[1]}""")]
    [InlineData("""{"payload":"e30=","payloadType":"t","signatures":[{}]}""")]
    [InlineData("""{"payload":"e30=","payloadType":"t","signatures":[{"sig":"*"}]}""")]
    [InlineData("""{"payload":"e30=","payload":"e30=","payloadType":"t","signatures":[]}""")]
    public void WhatIsNoEnvelopeIsRefused(string json) =>
        Assert.Throws<FormatException>(() => Envelope.Parse(Encoding.UTF8.GetBytes(json)));

    [Fact]
    public void NothingButAFormatExceptionComesOfAnyBytes()
    {
        var good = SigstoreBundle.Write(Signed(), s_key.PublicKey);
        Prop.ForAll(
            ArbMap.Default.ArbFor<byte[]>(), Gen.Choose(0, good.Length).ToArbitrary(),
            (bytes, at) =>
            {
                byte[][] inputs = [bytes ?? [], [.. good[..at], .. bytes ?? [], .. good[at..]], good[..at]];
                foreach (var input in inputs)
                {
                    AssertReadsOrRefuses(() => SigstoreBundle.Read(input));
                    AssertReadsOrRefuses(() => Envelope.Parse(input));
                    AssertReadsOrRefuses(() => Statement.Parse(input));
                }
            }).Holds();
    }

    private static void AssertReadsOrRefuses(Action read)
    {
        if (Record.Exception(read) is { } error)
            Assert.IsType<FormatException>(error);
    }

    private static Envelope Signed(string text = "hello") =>
        StatementSigner.Sign(Statement.Signature(Digest.Of(Encoding.UTF8.GetBytes(text)), text), s_key);

    private static byte[] Flip(ReadOnlyMemory<byte> bytes, int index)
    {
        var copy = bytes.ToArray();
        copy[index] ^= 0x01;
        return copy;
    }

    private static string UrlSafe(string base64) => base64.TrimEnd('=').Replace('+', '-').Replace('/', '_');

    private static byte[] Number(string digits)
    {
        var bytes = BigInteger.Parse(digits, CultureInfo.InvariantCulture).ToByteArray(isUnsigned: true, isBigEndian: true);
        return [.. new byte[32 - bytes.Length], .. bytes];
    }

    private static byte[] Der(byte[] raw)
    {
        var writer = new System.Formats.Asn1.AsnWriter(System.Formats.Asn1.AsnEncodingRules.DER);
        using (writer.PushSequence())
        {
            writer.WriteInteger(new BigInteger(raw.AsSpan(0, 32), isUnsigned: true, isBigEndian: true));
            writer.WriteInteger(new BigInteger(raw.AsSpan(32), isUnsigned: true, isBigEndian: true));
        }

        return writer.Encode();
    }
}

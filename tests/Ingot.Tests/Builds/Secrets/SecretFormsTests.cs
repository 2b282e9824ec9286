using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Ingot.Builds.Secrets;
using Ingot.Testing;

namespace Ingot.Tests.Builds.Secrets;

public sealed class SecretFormsTests
{
    private const string Key = """
        -----BEGIN OPENSSH PRIVATE KEY-----
        b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW
        QyNTUxOQAAACB4TqJ1pQv3c0e7nW2mZ5x8yKfDLrBtHsGaVjUoPiE9wAAAAJh0b3BzZWNy
        ZXR0b3BzZWNyZXR0b3BzZWNyZXQhIQ0123456789abcdefghijklmnopqrstuvwxyz==
        -----END OPENSSH PRIVATE KEY-----

        """;

    [Fact]
    public void AValueIsFoundInEveryFormWhateverStandsAroundIt()
    {
        var text = Gen.Choose(32, 126).Select(c => (char)c);
        var value = Gen.Choose(SecretForms.MinLength, 120).SelectMany(n => text.ArrayOf(n)).Select(c => new string(c))
            .Where(v => v.Trim().Length >= SecretForms.MinLength);
        var around = text.ArrayOf().Select(c => new string(c));
        Prop.ForAll(value.Zip(around).Zip(around).ToArbitrary(), input =>
        {
            var ((secret, before), after) = input;
            byte[] bytes = Encoding.UTF8.GetBytes(before + secret.Trim() + after);
            foreach (string hiding in Hidings(bytes))
                Assert.NotEqual(hiding, GuardOf(secret).Cover(hiding));
        }).Holds();
    }

    [Theory]
    [InlineData(60)]
    [InlineData(64)]
    [InlineData(76)]
    public void ALongValueIsFoundWhereAnEncoderBrokeTheLines(int width)
    {
        string secret = string.Concat(Enumerable.Range(0, 60).Select(i => $"{i * 7919 % 997:x}"));
        foreach (int before in (int[])[0, 1, 2, 3])
        {
            string encoded = Convert.ToBase64String(Encoding.ASCII.GetBytes(new string('-', before) + secret));
            string broken = string.Join('\n', encoded.Chunk(width).Select(c => new string(c)));
            Assert.NotEmpty(Matches(secret, broken));
        }
    }

    [Theory]
    [InlineData("short", "short and not looked for")]
    [InlineData("1234567", "1234567")]
    [InlineData("", "anything")]
    [InlineData("\n\n\n", "\n\n\n")]
    public void WhatIsTooShortIsNotLookedFor(string secret, string text) => Assert.Equal(text, GuardOf(secret).Cover(text));

    [Theory]
    [InlineData("-----BEGIN OPENSSH PRIVATE KEY-----")]
    [InlineData("-----END OPENSSH PRIVATE KEY-----")]
    [InlineData("b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW")]
    public void WhatAllKeysHaveIsNoSecret(string line) => Assert.Equal(line, GuardOf(Key).Cover(line));

    [Fact]
    public void EveryTellingLineOfAKeyIsFoundAloneAndInTheEncodingOfTheWhole()
    {
        Assert.Equal("x***y", GuardOf(Key).Cover("x" + Key.Split('\n')[2] + "y"));
        Assert.NotEmpty(Matches(Key, Convert.ToBase64String(Encoding.ASCII.GetBytes(Key))));
        Assert.NotEmpty(Matches(Key, Convert.ToHexStringLower(Encoding.ASCII.GetBytes(Key))));
    }

    [Fact]
    public void WordsOfAFileOfSettingsAreNoSecret()
    {
        var guard = GuardOf("[default]\nregion = eu-central-1\naws_access_key_id = AKIA0123456789ABCDEF\noutput = json-lines\n");
        Assert.Equal("output = json-lines", guard.Cover("output = json-lines"));
        Assert.Equal("***", guard.Cover("aws_access_key_id = AKIA0123456789ABCDEF"));
    }

    [Fact]
    public void ValuesThatAreNoTextAreFound()
    {
        byte[] secret = [0, 255, 10, 1, 2, 3, 4, 5, 6, 7, 8, 9, 254, 253];
        var guard = new SecretGuard(new Dictionary<string, ReadOnlyMemory<byte>> { ["b"] = secret });
        Assert.Equal("***", guard.Cover(Convert.ToHexString(secret[3..])));
    }

    [Fact]
    public void AHugeValueGivesNoHugeTable()
    {
        string huge = string.Join('\n', Enumerable.Range(0, 100_000).Select(i => $"line {i} of a value {i * 7}"));
        Assert.True(SecretForms.Of("h", Encoding.ASCII.GetBytes(huge)).Count() < 5000);
    }

    private static IEnumerable<string> Hidings(byte[] bytes)
    {
        yield return Encoding.UTF8.GetString(bytes);
        yield return Convert.ToBase64String(bytes);
        yield return Convert.ToBase64String(bytes).Replace('+', '-').Replace('/', '_');
        yield return Convert.ToHexString(bytes);
        yield return Convert.ToHexStringLower(bytes);
        yield return Uri.EscapeDataString(Encoding.UTF8.GetString(bytes));
    }

    private static IEnumerable<string> Matches(string secret, string text) =>
        text.Split('\n').Where(line => GuardOf(secret).Cover(line) != line);

    private static SecretGuard GuardOf(string secret) =>
        new(new Dictionary<string, ReadOnlyMemory<byte>> { ["s"] = Encoding.UTF8.GetBytes(secret) });
}

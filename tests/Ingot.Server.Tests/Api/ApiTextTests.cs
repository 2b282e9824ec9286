using System.Text.Json;
using Ingot.Oci.Content;
using Ingot.Server.Api;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Ingot.Server.Tests.Api;

public sealed class ApiTextTests
{
    [Theory]
    [InlineData("\u001b[2J")]
    [InlineData("line\nmallory approved it")]
    [InlineData("\u009b1A")]
    [InlineData("\u202egood")]
    [InlineData("zero\u200bwidth")]
    [InlineData("\u2028")]
    public void NamesAndReasonsThatCannotBeSeenAreRefused(string text)
    {
        foreach (var request in new[] { Approval(text), Approval("why") with { Project = text } })
        {
            var e = Assert.Throws<ApiException>(() =>
                ApiText.RequirePlain(JsonSerializer.SerializeToElement(request, ApiJson.Default.ApprovalRequest)));
            Assert.Equal("invalid", e.Code);
            Assert.DoesNotContain(e.Message, char.IsControl);
        }
    }

    [Fact]
    public void WhatIsDeeperInARequestIsLookedAtToo()
    {
        foreach (string bad in new[] { "\u001b[2J", "a\nb" })
        {
            foreach (var request in new[]
            {
                JsonSerializer.SerializeToElement(new TokenRequest("ann", [bad]), ApiJson.Default.TokenRequest),
                JsonSerializer.SerializeToElement(new ProjectRequest("a: 1", [new ProjectImageRequest("web", [], bad)]),
                    ApiJson.Default.ProjectRequest),
                JsonSerializer.SerializeToElement(
                    new ProjectRequest("a: 1", [new ProjectImageRequest("web", [new ProjectFileRequest(bad, Digest.Of("x"u8))])]),
                    ApiJson.Default.ProjectRequest),
            })
            {
                Assert.Equal("invalid", Assert.Throws<ApiException>(() => ApiText.RequirePlain(request)).Code);
            }
        }

        Assert.Throws<ApiException>(() => ApiText.RequirePlain(JsonSerializer.Deserialize<JsonElement>("""{"roles":[null]}""")));
    }

    [Fact]
    public void AKeyMayHaveLinesAndNothingElse()
    {
        ApiText.RequirePlain(Trust("-----BEGIN PUBLIC KEY-----\nAAAA\r\n-----END PUBLIC KEY-----\n"));
        Assert.Throws<ApiException>(() => ApiText.RequirePlain(Trust("-----BEGIN PUBLIC KEY-----\n\u001b[2J")));
    }

    [Fact]
    public void PlainTextOfAnyLanguageAndAWholeFileAreTaken()
    {
        ApiText.RequirePlain(JsonSerializer.SerializeToElement(Approval("naïve reason of Åsa: 漢字 👍"), ApiJson.Default.ApprovalRequest));
        ApiText.RequirePlain(JsonSerializer.SerializeToElement(new ProjectRequest("a: 1\nb: 2\n"), ApiJson.Default.ProjectRequest));
    }

    [Fact]
    public void AnEventIsOneLineOfTheLogWhateverItSays()
    {
        var text = new StringWriter();
        var entry = new LogEntry<string>(LogLevel.Warning, "ingot", default, "GET /a\r\n2026-01-01 info: forged \u001b[31m",
            new IOException("bad\n2026 info: forged"), (s, _) => s);
        new PlainLogFormatter().Write(entry, null, text);
        var lines = text.ToString().TrimEnd('\n').Split('\n');
        Assert.EndsWith("warn: ingot[0] GET /a\\x0d\\x0a2026-01-01 info: forged \\x1b[31m", lines[0], StringComparison.Ordinal);
        Assert.All(lines.Skip(1), line => Assert.StartsWith("      ", line, StringComparison.Ordinal));
    }

    private static JsonElement Trust(string pem) =>
        JsonSerializer.SerializeToElement(new KeyTrustRequest("ci", pem, ["tester"]), ApiJson.Default.KeyTrustRequest);

    private static ApprovalRequest Approval(string why) => new("shop", "web", "production", Digest.Of("x"u8), why, Approved: true);
}

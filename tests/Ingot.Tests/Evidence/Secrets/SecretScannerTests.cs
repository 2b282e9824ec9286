using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using FsCheck;
using FsCheck.Fluent;
using Ingot.Evidence.Secrets;
using Ingot.Oci.Images;
using Ingot.Testing;

namespace Ingot.Tests.Evidence.Secrets;

public sealed class SecretScannerTests
{
    private static readonly string s_token = "ghp_" + "Ab3dEf6hIj9kLm2nOp5qRs8tUv1wXy4zAb7d";

    // The forms of secrets, and nobody's.
    private static readonly string[] s_shapes =
    [
        s_token,
        "glpat-" + "k3J9xQ2mZ8vR1tY6wB4n",
        "AKIA" + "Q7ZT3MXK2VWPR4JY",
        "npm_" + "Zx8Cv3Bn7Mq1We5Rt9Yu2Io6Pa4Sd0Fg8Hj3",
        "hvs." + "CAESIJx7Kq2Lm9Rt4Wy8Pz3Vb6Nc1D",
    ];

    public static TheoryData<string, string, string> Found() => Vectors("found.txt", 3, f => (f[0], f[1], f[2]));

    public static TheoryData<string, string, string> NotFound() => Vectors("not-found.txt", 2, f => ("", f[0], f[1]));

    [Theory]
    [MemberData(nameof(Found))]
    public async Task EachKindOfSecretIsFoundAndNotShown(string rule, string path, string text)
    {
        var report = await ScanAsync([TestImage.File(path, text)]);
        var finding = Assert.Single(report.Findings);
        Assert.Equal(rule, finding.Rule);
        Assert.Equal(path, finding.Path);

        // No run of characters of the secret is in what we say of it: of what is shown only the name and the prefix of its kind come from
        // the text.
        string said = report.ToPredicate().GetRawText();
        Assert.DoesNotContain(Windows(text, 16), w => said.Contains(w, StringComparison.Ordinal));
    }

    [Theory]
    [MemberData(nameof(NotFound))]
    public async Task WhatIsNoSecretIsNotFound(string rule, string path, string text)
    {
        Assert.Empty(rule);
        var report = await ScanAsync([TestImage.File(path, text)]);
        Assert.Empty(report.Findings.Select(f => $"{f.Rule}: {f.Match}"));
    }

    [Fact]
    public void EveryRuleHasAVectorAndCanBeMatchedInLinearTime()
    {
        Assert.True(SecretRules.All.Count >= 40);
        Assert.Equal(SecretRules.All.Count, SecretRules.All.Select(r => r.Id).Distinct().Count());
        var covered = Found().Select(row => row.Data.Item1).ToHashSet();
        Assert.Equal([], SecretRules.All.Where(r => r.Scope != SecretScope.Configuration).Select(r => r.Id).Except(covered));
        Assert.All(SecretRules.All, rule =>
        {
            Assert.Contains("(?<secret>", rule.Pattern, StringComparison.Ordinal);
            Assert.NotEmpty(rule.Keywords);
            _ = new Regex(rule.Pattern, RegexOptions.NonBacktracking);
        });
    }

    [Fact]
    public async Task ASecretThatALaterLayerDeletesStillShips()
    {
        var report = await ScanAsync(
            [TestImage.File("a/deleted", s_token), TestImage.File("a/replaced", s_token), TestImage.File("b/in-opaque", s_token),
                TestImage.File("c/d/below-deleted", s_token), TestImage.File("e/below-file", s_token), TestImage.File("kept", s_token)],
            [TestImage.File("a/.wh.deleted", ""), TestImage.File("a/replaced", "nothing"), TestImage.File("b/.wh..wh..opq", ""),
                TestImage.File(".wh.c", ""), TestImage.File("e", "now a file"), TestImage.File("kept2", "")]);

        Assert.Equal(
            ["a/deleted True", "a/replaced True", "b/in-opaque True", "c/d/below-deleted True", "e/below-file True", "kept False"],
            report.Findings.Select(f => $"{f.Path} {f.DeletedLater}"));
        Assert.All(report.Findings, f => Assert.Equal(report.Layers[0], f.Layer));
    }

    [Fact]
    public async Task AFindingNamesLayerLineAndInstructionWithoutTheSecret()
    {
        var (store, image) = await TestImage.CreateAsync(
            new ContainerConfig(),
            [
                new HistoryEntry { CreatedBy = "FROM scratch", EmptyLayer = true },
                new HistoryEntry { CreatedBy = "COPY . /" },
                new HistoryEntry { CreatedBy = $"RUN |1 GITHUB_TOKEN={s_token} /bin/sh -c echo {s_token} > /token" },
            ],
            [TestImage.File("x", "y")],
            [TestImage.File("token", $"one\ntwo\n  {s_token}\n")]);
        var report = await SecretScanner.ScanAsync(store, image, TestContext.Current.CancellationToken);

        var inFile = Assert.Single(report.Findings, f => f.Place == SecretPlace.File);
        Assert.Equal((3, "token", image.Manifest.Layers[1].Digest), (inFile.Line, inFile.Path, inFile.Layer));
        Assert.Equal("RUN |1 GITHUB_TOKEN=… /bin/sh -c echo … > /token", inFile.Instruction);
        Assert.Equal(["2", "2"], report.Findings.Where(f => f.Place == SecretPlace.History).Select(f => f.Path));
        Assert.DoesNotContain("Ab3d", report.ToPredicate().GetRawText(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task EnvironmentLabelsAndHistoryAreSearched()
    {
        var (store, image) = await TestImage.CreateAsync(
            new ContainerConfig
            {
                Env = ["PATH=/bin", "DB_PASSWORD=tr0ub4dor", "TOKEN_FILE=/run/secrets/token", "API_TOKEN=${OTHER}",
                    "PYTHON_SHA256=e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "LONELY"],
                Labels = new(StringComparer.Ordinal) { ["maintainer"] = "x", ["build.url"] = "https://ci:" + "x9-k2-p7@ci.corp/job/1" },
            },
            [new HistoryEntry { CreatedBy = "ARG NPM_TOKEN=npm_" + "Ab3dEf6hIj9kLm2nOp5qRs8tUv1wXy4zAb7d" }],
            [TestImage.File("x", "y")]);
        var report = await SecretScanner.ScanAsync(store, image, TestContext.Current.CancellationToken);

        Assert.Equal(
            ["Environment DB_PASSWORD secret-variable DB_PASSWORD=… (9 characters)", "Label build.url url-password … (8 characters)",
                "History 0 npm-token npm_… (40 characters)"],
            report.Findings.Select(f => $"{f.Place} {f.Path} {f.Rule} {f.Match}"));
        Assert.All(report.Findings, f => Assert.Null(f.Layer));
    }

    [Fact]
    public void AllLinesOfAKeyAreTakenOutOfATextNotOnlyTheFirst()
    {
        string line = string.Concat(Enumerable.Repeat("Ab3/", 16));
        string text = $"RUN printf '-----BEGIN RSA {"PRIVATE"} KEY-----\\n{line}\\n{line}\\n-----END RSA {"PRIVATE"} KEY-----' > /key";
        string redacted = SecretScanner.Redact(text);
        Assert.DoesNotContain("Ab3/", redacted, StringComparison.Ordinal);
        Assert.EndsWith("KEY-----' > /key", redacted, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(262_144 - 20)]
    [InlineData(262_144 - 8192 - 20)]
    [InlineData(262_144 - 8192)]
    [InlineData(262_144)]
    [InlineData(262_144 * 3 - 8192 - 17)]
    public async Task ASecretIsFoundWhereverWindowsMeet(int offset)
    {
        string text = string.Concat(Enumerable.Repeat("filler line\n", (offset / 12) + 1))[..offset] + "\n" + s_token + "\n"
            + new string('z', 300_000);
        var report = await ScanAsync([TestImage.File("big", text)]);
        var finding = Assert.Single(report.Findings);
        Assert.Equal(text[..(offset + 1)].Count(c => c == '\n') + 1, finding.Line);
    }

    [Fact]
    public async Task ABinaryIsSearchedForWhatIsUnmistakable()
    {
        string binary = "\u007fELF\0\0" + s_token + "\0 password = \"Zq8wK2mPv7nXc4bTr9yLh3dF\"\0";
        Assert.Equal(["github-token"], (await ScanAsync([TestImage.File("program", binary)])).Findings.Select(f => f.Rule));
    }

    [Fact]
    public async Task ManySecretsOfAFileAreCutAndThatIsSaid()
    {
        var random = new Random(1);
        string many = string.Join('\n', Enumerable.Range(0, 500)
            .Select(_ => "ghp_" + new string(random.GetItems<char>("ABCDEFGHJKLMNPQRSTUVWXYZabcdefghjkmnpqrstuvwxyz23456789", 36))));
        var report = await ScanAsync([TestImage.File("many", many)]);
        Assert.Equal(100, report.Findings.Count);
        Assert.True(report.IsCut);
    }

    [Fact]
    public async Task APathThatIsASecretIsNotShown()
    {
        var report = await ScanAsync([TestImage.File("tokens/" + s_token, s_token)]);
        Assert.Equal("tokens/…", Assert.Single(report.Findings).Path);
    }

    [Fact]
    public async Task EqualImagesGiveEqualPredicatesAndTheyComeBack()
    {
        var one = (await ScanAsync([TestImage.File("b", s_token), TestImage.File("a", s_token)])).ToPredicate();
        var other = (await ScanAsync([TestImage.File("b", s_token), TestImage.File("a", s_token)])).ToPredicate();
        Assert.Equal(one.GetRawText(), other.GetRawText());
        var read = SecretScanPredicate.FromPredicate(one);
        Assert.Equal(("FAILED", 2, SecretPlace.File), (read.Result, read.Findings.Count, read.Findings[0].Place));
        Assert.Equal(["a", "b"], read.Findings.Select(f => f.Path));
        Assert.Throws<FormatException>(() => SecretScanPredicate.FromPredicate(JsonElement.Parse("""{"result":1}""")));
    }

    [Fact]
    public void NoTextMakesTheRedactionThrowOrGrow() => Prop.ForAll(
        ArbMap.Default.ArbFor<string>().Filter(s => s is not null),
        text => SecretScanner.Redact(text).Length <= text.Length).Holds();

    [Theory]
    [InlineData("", "")]
    [InlineData("got ", " and went on")]
    public void SecretsOfTwoKindsThatOverlapAreTakenOutTogether(string before, string after)
    {
        string text = "glpat-" + "k3J9xQ2mZ8vR1tY6wB4n." + "AKIA" + "Q7ZT3MXK2VWPR4JY";
        Assert.Equal($"{before}…{after}", SecretScanner.Redact(before + text + after));
    }

    [Fact]
    public void NoTextMadeOfSecretsMakesTheRedactionThrowOrGrow() => Prop.ForAll(
        ArbMap.Default.ArbFor<NonNull<byte[]>>(),
        bytes =>
        {
            string text = Composed(bytes.Get, ["", ".", "-", "_", "=", "/", "+", "~", ":", "\n", " PASSWORD=", "://", "@", "\""]);
            return SecretScanner.Redact(text).Length <= text.Length;
        }).Holds();

    [Fact]
    public void SecretsBesideEachOtherAreAllTakenOut() => Prop.ForAll(
        ArbMap.Default.ArbFor<NonNull<byte[]>>(),
        bytes =>
        {
            string redacted = SecretScanner.Redact(Composed(bytes.Get, [" ", "\n", "; "]));
            return s_shapes.All(shape => !redacted.Contains(shape, StringComparison.Ordinal));
        }).Holds();

    private static string Composed(byte[] choices, string[] separators) => string.Concat(choices.Select(choice =>
        s_shapes[choice % s_shapes.Length] + separators[choice / s_shapes.Length % separators.Length]));

    [Fact]
    public void AnythingMayStandAroundASecret() => Prop.ForAll(
        ArbMap.Default.ArbFor<NonNull<string>>(), ArbMap.Default.ArbFor<NonNull<string>>(),
        (before, after) => !SecretScanner.Redact($"{before.Get} {s_token} {after.Get}").Contains(s_token, StringComparison.Ordinal))
        .Holds();

    private static async Task<SecretReport> ScanAsync(params (string Path, byte[] Content)[][] layers)
    {
        var (store, image) = await TestImage.CreateAsync(new ContainerConfig(), [], layers);
        return await SecretScanner.ScanAsync(store, image, TestContext.Current.CancellationToken);
    }

    private static IEnumerable<string> Windows(string text, int length)
    {
        // From the first blank, quote or sign on: names and prefixes may be shown.
        int start = Math.Max(0, text.IndexOfAny(['=', ':', '-', '_', '.', '/']) + 1);
        for (int i = start; i + length <= text.Length; i++)
        {
            string window = text.Substring(i, length);
            if (window.All(c => char.IsAsciiLetterOrDigit(c) || c is '+' or '/'))
                yield return window;
        }
    }

    private static TheoryData<string, string, string> Vectors(string file, int fields, Func<string[], (string, string, string)> select)
    {
        var data = new TheoryData<string, string, string>();
        foreach (var line in File.ReadAllLines(Repository.Vector("secrets", file), Encoding.UTF8).Where(l => !l.StartsWith('#')))
        {
            var parts = line.Split('\t');
            Assert.Equal(fields, parts.Length);
            var (rule, path, text) = select(parts);
            data.Add(rule, path, Unescape(text));
        }

        return data;
    }

    // '\\n' in the file is a backslash and an n in the text, as JSON has it.
    private static string Unescape(string text) => text.Replace("§", "", StringComparison.Ordinal)
        .Replace("\\\\", "\u0001", StringComparison.Ordinal).Replace("\\n", "\n", StringComparison.Ordinal).Replace("\u0001", "\\",
            StringComparison.Ordinal);
}

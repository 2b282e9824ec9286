using Ingot.Builds.Layers;
using Ingot.Builds.Steps;
using Ingot.Diagnostics;
using Ingot.Oci.Content;
using Ingot.Plans;

namespace Ingot.Tests.Builds.Running;

public sealed class StepKeyTests
{
    private static readonly SourceSpan s_here = new(new SourceText("Dockerfile", "RUN make"), 0, 8);
    private static readonly SourceSpan s_there = new(new SourceText("other", "\n\nRUN make"), 2, 8);
    private static readonly LayerChain s_base = LayerChain.Empty.With(new ChainLayer(Digest.Of("base"u8), null));
    private static readonly StepSurroundings s_bare = new(s_base, Content: null, Tree.Epoch);
    private static readonly RunStep s_run = new("RUN make", s_here, ["/bin/sh", "-c", "make"], ["PATH=/bin", "A=1"], "", "/");
    private static readonly CopyStep s_copy = new("COPY a /b", s_here, new TreeSource.Context("/home/me/web", "web", null),
        [new CopySource("a", s_here)], "/b");
    private static readonly BootstrapStep s_bootstrap = new("DEBIAN bookworm", s_here, "bookworm", ["tzdata"], null);

    public static TheoryData<string, Step, Step> Different => new()
    {
        { "argument", s_run, s_run with { Arguments = ["/bin/sh", "-c", "make all"] } },
        { "words", s_run, s_run with { Arguments = ["/bin/sh", "-c make"] } },
        { "shell", s_run, s_run with { Arguments = ["/bin/bash", "-c", "make"] } },
        { "variable's value", s_run, s_run with { Environment = ["PATH=/bin", "A=2"] } },
        { "variable's name", s_run, s_run with { Environment = ["PATH=/bin", "B=1"] } },
        { "a variable more", s_run, s_run with { Environment = ["PATH=/bin", "A=1", "B="] } },
        { "user", s_run, s_run with { User = "web" } },
        { "directory", s_run, s_run with { Directory = "/src" } },
        { "processors", s_run, s_run with { Processors = 4 } },
        { "network", s_run, s_run with { Network = StepNetwork.None } },
        { "hosts", s_run, s_run with { Hosts = ["10.0.0.7\tmirror"] } },
        { "shared memory", s_run, s_run with { SharedMemory = 1 << 20 } },
        { "limits", s_run, s_run with { Limits = [new StepLimit("nofile", 1, 2)] } },
        { "no limit", s_run with { Limits = [new StepLimit("nofile", 1, 2)] }, s_run with { Limits = [new StepLimit("nofile", 1, null)] } },
        { "script", s_run, s_run with { Script = new InlineFile("EOF", "#!/bin/sh\n") } },
        { "destination", s_copy, s_copy with { Destination = "/c" } },
        { "directory or not", s_copy, s_copy with { DestinationIsDirectory = true } },
        { "owner", s_copy, s_copy with { Owner = "0:0" } },
        { "mode", s_copy, s_copy with { Mode = ModeChange.TryParse("644") } },
        { "source", s_copy, s_copy with { Sources = [new CopySource("b", s_here)] } },
        { "context or stage", s_copy, s_copy with { From = new TreeSource.Stage("build") } },
        { "inline text", s_copy, s_copy with { Inline = [new InlineFile("motd", "hello")] } },
        { "modes of the host", s_copy, s_copy with { From = new TreeSource.Context("/home/me/web", "web", null) { KeepsModes = true } } },
        { "suite", s_bootstrap, s_bootstrap with { Suite = "trixie" } },
        { "packages", s_bootstrap, s_bootstrap with { Packages = ["curl", "tzdata"] } },
        { "mirror", s_bootstrap, s_bootstrap with { Mirror = "http://mirror" } },
        { "lock", s_bootstrap,
            s_bootstrap with { Lock = new BootstrapLock([new("tzdata", "all", "1", Digest.Of("1"u8))], IsWhole: true) } },
        { "file of a locked package",
            s_bootstrap with { Lock = new BootstrapLock([new("tzdata", "all", "1", Digest.Of("1"u8))], IsWhole: true) },
            s_bootstrap with { Lock = new BootstrapLock([new("tzdata", "all", "1", Digest.Of("2"u8))], IsWhole: true) } },
        { "kind", s_run, s_copy },
    };

    public static TheoryData<string, Step, Step> Same => new()
    {
        { "where it is written", s_run, s_run with { Span = s_there, Text = "RUN  make" } },
        { "where the proxy is", s_run, s_run with { Transparent = ["http_proxy=http://proxy"] } },
        { "where the context is", s_copy, s_copy with { From = new TreeSource.Context("/srv/ci/17", "web2", "/srv/.dockerignore") } },
        { "which stage has the files", s_copy with { From = new TreeSource.Stage("a") }, s_copy with { From = new TreeSource.Stage("b") } },
        { "how an image with the files is called", s_copy with { From = new TreeSource.Stage("a") },
            s_copy with { From = new TreeSource.Image("x:1", Digest.Of("x"u8)) } },
    };

    [Theory]
    [MemberData(nameof(Different))]
    public void WhatCanChangeAResultChangesItsKey(string what, Step one, Step other) =>
        Assert.True(Key(one).Digest != Key(other).Digest, what);

    [Theory]
    [MemberData(nameof(Same))]
    public void WhatCannotChangeAResultDoesNotChangeItsKey(string what, Step one, Step other) =>
        Assert.True(Key(one).Digest == Key(other).Digest, what);

    [Fact]
    public void TheLayersBelowTheContentAndTheEpochAreInTheKey()
    {
        var key = Key(s_copy);
        Assert.NotEqual(key.Digest, Key(s_copy, s_bare with { Content = Digest.Of("other"u8) }).Digest);
        Assert.NotEqual(key.Digest, Key(s_copy,
            new StepSurroundings(s_base.With(new ChainLayer(Digest.Of("x"u8), null)), Digest.Of("content"u8), Tree.Epoch)).Digest);
        Assert.NotEqual(key.Digest, Key(s_copy, new StepSurroundings(s_base, Digest.Of("content"u8), Tree.Epoch.AddSeconds(1))).Digest);
    }

    [Fact]
    public void RulesAreInTheKeysOfWhatTheyChange()
    {
        Assert.Contains(new KeyPart("rule", "apt-logs@1"), Key(s_run).Parts);
        Assert.Contains(new KeyPart("rule", "device-nodes@1"), Key(s_bootstrap).Parts);
        Assert.DoesNotContain(new KeyPart("rule", "device-nodes@1"), Key(s_run).Parts);
        Assert.DoesNotContain(Key(s_copy).Parts, p => p.Name == "rule");
    }

    [Fact]
    public void ARuleThatIsOffIsMissingInTheKeysOfWhatItWouldChange()
    {
        var key = Key(s_run, s_bare with { RulesOff = ["apt-logs"] });
        Assert.DoesNotContain(key.Parts, p => p.Value.StartsWith("apt-logs", StringComparison.Ordinal));
        Assert.Equal([new KeyChange("rule", null, "apt-logs@1")], Key(s_run, s_bare).ChangesFrom(key));
        Assert.Equal(Key(s_copy).Digest, Key(s_copy, s_bare with { Content = Digest.Of("content"u8), RulesOff = ["apt-logs"] }).Digest);
        Assert.Equal(Key(s_run, s_bare).Digest, Key(s_run, s_bare with { RulesOff = ["device-nodes"] }).Digest);
    }

    [Fact]
    public void ACommandThatHasASecretWhichIsNotLookedForIsAnother()
    {
        var step = s_run with { Mounts = [new StepMount.Secret("/run/secrets/db", s_here, "db", null, IsRequired: false)] };
        var key = Key(step, s_bare);
        Assert.Equal([new KeyChange("exempt secret", null, "db")],
            Key(step, s_bare with { ExemptSecrets = ["db", "other"] }).ChangesFrom(key));
        Assert.Equal(key.Digest, Key(step, s_bare with { ExemptSecrets = ["other"] }).Digest);
        Assert.Equal(key.Digest, Key(step, s_bare with { ExemptSecrets = [] }).Digest);
        Assert.Equal(Key(s_run, s_bare).Digest, Key(s_run, s_bare with { ExemptSecrets = ["db"] }).Digest);
    }

    [Fact]
    public void ABootstrapStandsOnNothing() =>
        Assert.Equal(Key(s_bootstrap, s_bare).Digest,
            Key(s_bootstrap, new StepSurroundings(LayerChain.Empty, Content: null, Tree.Epoch)).Digest);

    [Fact]
    public void KeysAreTheSameInEveryProcess() =>
        Assert.Equal("sha256:14027c8b7b61b41a8ad72dded5a474ae147e9e010cb0de810db57621aef89565",
            StepKey.Of([new("a", "b"), new("", "c")]).Digest.ToString());

    // What was built with earlier versions stays in caches, while versions of rules stay.
    public static TheoryData<string, Step> Known => new()
    {
        { "98ebd1c0b3d5569a8cdec2ab0a9569eb338f1ba6104305879d", s_run },
        { "7b5794e568eaf8556a349e2edf98429ad4b8523ae045b1149d",
            s_run with { Mounts = [new StepMount.Secret("/run/secrets/db", s_here, "db", null, IsRequired: false)] } },
        { "7df3a222e747ee3b9604080f1ec5b896480eb35e53c81d2af3", s_copy },
        { "8a8e414b1e46e2fef3d7a25c43bceba0f920eb6f134da4d919", s_copy with { Link = true } },
        { "3a22786ee2db71ce92d2a5a1fc6f59fc15463669bab7bbf484", s_copy with { Link = true, Mode = ModeChange.TryParse("644") } },
        { "e65519bda941664877966bcefa48585268ab043a01ba544168", new DirectoryStep("WORKDIR /src", s_here, "/src", "") },
    };

    [Theory]
    [MemberData(nameof(Known))]
    public void KeysAreWhatTheyWere(string digest, Step step) =>
        Assert.StartsWith(
            digest,
            Key(step, s_bare with { Content = Digest.Of("content"u8), RulesOff = ["apt-logs"], ExemptSecrets = ["db"] }).Digest.Hex,
            StringComparison.Ordinal);

    [Fact]
    public void TheKeyOfACommandThatReadsNothingIsWhatItWas() =>
        Assert.StartsWith("sha256:a0ef6b045268335f63ad3ac3ad1d3c5db4c0b1bf588", Key(s_run, s_bare).Digest.ToString(),
            StringComparison.Ordinal);

    // The platform is part of it.
    [Fact]
    public void TheKeyOfABootstrapIsMadeOfWhatItWas() => Assert.StartsWith(
        "27d8cfa47ec9b5ff3979e78c9ea9389ea3c6e97fd691b6dbf9",
        StepKey.Of([.. Key(s_bootstrap, s_bare).Parts.Where(p => p.Name != "platform")]).Digest.Hex,
        StringComparison.Ordinal);

    [Fact]
    public void LengthsKeepPartsApart()
    {
        Assert.NotEqual(StepKey.Of([new("a", "bc")]).Digest, StepKey.Of([new("ab", "c")]).Digest);
        Assert.NotEqual(StepKey.Of([new("a", "b"), new("c", "d")]).Digest, StepKey.Of([new("a", "b\u0000c\u0000d")]).Digest);
    }

    [Fact]
    public void PartsOfTwoKeysArePairedByWhatTheyName() => Assert.Equal(
        [new KeyChange("variable", "A=1", "A=2"), new KeyChange("variable", null, "NEW=x"), new KeyChange("user", "", "web")],
        Key(s_run with { Environment = ["PATH=/bin", "A=2", "NEW=x"], User = "web" }).ChangesFrom(Key(s_run)));

    private static StepKey Key(Step step) => Key(step, new StepSurroundings(s_base, Digest.Of("content"u8), Tree.Epoch));

    private static StepKey Key(Step step, StepSurroundings met) => StepKinds.Standard.Of(step).KeyOf(step, met);
}

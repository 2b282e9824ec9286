using System.Text.RegularExpressions;
using Ingot.Diagnostics;
using Ingot.Templates.Dockerfile;
using Ingot.Templates.Dockerfile.Checks;
using Ingot.Testing;

namespace Ingot.Tests.Templates;

public class DockerfileCheckTests
{
    private static readonly string s_directory = Path.Combine(Repository.Root, "docs", "checks");

    public static TheoryData<string> Ids => [.. DockerfileChecks.All.Select(check => check.Id)];

    [Theory]
    [MemberData(nameof(Ids))]
    public void EveryCheckHasAPageWhoseBadExampleItFindsAndWhoseGoodOneNot(string id)
    {
        var check = DockerfileChecks.All.Single(c => c.Id == id);
        string page = File.ReadAllText(Path.Combine(Repository.Root, check.Page));
        Assert.StartsWith($"# {id}\n\n{char.ToUpperInvariant(check.Summary[0])}{check.Summary[1..]}.\n\n", page, StringComparison.Ordinal);
        string ignored = Regex.Match(page, "```ignore\n(.*?)```", RegexOptions.Singleline).Groups[1].Value;
        CheckContext context = new() { Ignored = IgnoreFile.Parse(ignored) };

        var bad = Run(Example(page, "Bad"), context);
        Assert.Contains(id, bad.Select(d => d.Code));
        Assert.All(bad.Where(d => d.Code == id), d => Assert.Equal(check.Severity, d.Severity));
        Assert.DoesNotContain(id, Run(Example(page, "Good"), context).Select(d => d.Code));
    }

    [Fact]
    public void TheIndexListsEveryCheck()
    {
        var rows = DockerfileChecks.All.Select(c => $"| [{c.Id}]({c.Id}.md) | "
            + $"{c.Severity.ToString().ToLowerInvariant()}{(c.IsExperimental ? ", experimental" : "")} | {c.Summary} |");
        string index = File.ReadAllText(Path.Combine(s_directory, "README.md"));
        Assert.EndsWith("|---|---|---|\n" + string.Join('\n', rows) + "\n", index, StringComparison.Ordinal);
        Assert.Equal(DockerfileChecks.All.Select(c => c.Id + ".md").Append("README.md").Order(),
            Directory.EnumerateFiles(s_directory).Select(f => Path.GetFileName(f)).Order());
    }

    [Theory]
    // What looks like the mistake and is none.
    [InlineData("FROM debian:13\nRUN --mount=type=cache,target=/var/lib/apt/lists apt-get update && apt-get install -y a")]
    [InlineData("FROM debian:13\nRUN --mount=type=cache,target=/var/lib/apt apt-get update\nRUN apt-get -qq install a")]
    [InlineData(
        "FROM debian:13\nRUN set -eux; apt-get update; apt-get install -yqq --no-install-recommends a; rm -rf /var/lib/apt/lists/*")]
    [InlineData("FROM debian:13\nRUN apt-get update \\\n && DEBIAN_FRONTEND=noninteractive apt-get install --yes a \\\n"
        + " && rm -r /var/lib/apt/lists")]
    [InlineData("FROM debian:13 AS build\nRUN apt-get update && apt-get install -y gcc\nRUN pip install x\nRUN apk add y\nFROM debian:13\n"
        + "COPY --from=build /a /a")]
    [InlineData("FROM debian:13\nRUN echo 'apt-get update' '| sh' sudo chmod 777 \"curl x | sh\"")]
    [InlineData("FROM debian:13\nRUN apt-get remove --simulate a")]
    [InlineData("FROM debian:13\nRUN apt-get -f install")]
    [InlineData("FROM golang:1.26\nWORKDIR $GOPATH/src")]
    [InlineData("FROM debian:13\nRUN curl -fsSLo a https://example.com/a && sha256sum -c sums && sh a")]
    [InlineData("FROM debian:13\nRUN curl https://example.com/a | tar xz")]
    [InlineData("FROM debian:13\nRUN curl https://example.com/key | gpg --dearmor > /usr/share/keyrings/a.gpg")]
    [InlineData("FROM debian:13\nRUN cat <<EOF > /x\nsudo a\ncurl b | sh\nchmod 777 c\nEOF")]
    [InlineData("FROM debian:13\nRUN <<EOF\n#!/usr/bin/perl\nsudo; chmod 777\nEOF")]
    [InlineData("FROM debian:13\nRUN cd /a && make")]
    [InlineData("FROM debian:13\nRUN export A=b; make")]
    [InlineData("FROM debian:13\nRUN chmod 755 a && chmod u=rwX,go=rX b && chmod 1777 /tmp && chmod +w c && chmod a+x d")]
    [InlineData("FROM debian:13\nENV PIP_NO_CACHE_DIR=1\nRUN pip install a")]
    [InlineData("FROM debian:13\nRUN --mount=type=cache,target=/root/.cache/pip python3 -m pip install a")]
    [InlineData("FROM debian:13\nRUN dnf install -y a && dnf clean all")]
    [InlineData("FROM gcr.io/distroless/static:nonroot\nENTRYPOINT [\"/a\"]")]
    [InlineData("FROM debian:13\nUSER root\nRUN a\nUSER app\nCMD [\"a\"]")]
    [InlineData("FROM debian:13 AS a\nUSER 1000\nFROM a\nCMD [\"a\"]")]
    [InlineData("FROM debian:13\nRUN make")]
    [InlineData("ARG BASE=debian:13\nFROM ${BASE}")]
    [InlineData("ARG BASE=x\nFROM debian:$TARGETARCH\nFROM $BASE:13")]
    [InlineData("FROM base\nFROM localhost:5000/a@sha256:24454f830cdb571e2c4ad15481119c43b3cafd48dd869a9b2945d1036d1dc68d\n"
        + "COPY --from=0 /a /a\nCOPY --from=base /a /b")]
    [InlineData("FROM localhost:5000/a:1 AS a\nFROM a\nCOPY --from=a /a /b\nRUN --mount=from=a,target=/a make")]
    [InlineData("FROM debian:13\nENV A=$PATH B=$JAVA_HOME C=${UNSET:-x} D=${UNSET+y} E='$F' G=\\$H")]
    [InlineData("FROM scratch\nENV A=b PATH=$PATH:/x\nENV C=$A")]
    [InlineData("FROM debian:13\nCOPY <<'EOF' /x\n$TARGETPLATFROM\nEOF\nARG TARGETPLATFORM")]
    [InlineData("FROM debian:13\nSHELL [\"/bin/bash\", \"-c\"]\nUSER app\nCMD a | b")]
    [InlineData("FROM --platform=linux/amd64 debian:13 AS build-amd64")]
    [InlineData("FROM --platform=linux/arm64 debian:13 AS arm64")]
    [InlineData("FROM debian:13\nWORKDIR /a\nWORKDIR b\nWORKDIR $c")]
    [InlineData("FROM debian:13 AS a\nWORKDIR /a\nFROM a\nWORKDIR b")]
    [InlineData("FROM debian:13\nENV PUBLIC_KEY=a TOKEN_FILE=b KEYBOARD=c MONKEY=d")]
    [InlineData("FROM debian:13\nADD https://example.com/a.git#v1 /a\nADD git@example.com:a/b.git /b\nADD a /c")]
    [InlineData("FROM debian:13\nCOPY a b c/\nCOPY a b .\nCOPY a b $c\nCOPY a b /c/.")]
    [InlineData("from debian:13 as a\nrun make")]
    [InlineData("FROM debian:13 \\\n  AS a")]
    [InlineData("FROM debian:13\nRUN make \\\n# a comment\n  install")]
    [InlineData("FROM debian:13\nEXPOSE 80 53/udp $PORT/TCP")]
    [InlineData("FROM debian:13\nENTRYPOINT [\"a\"]\nCMD [\"b\"]\nUSER 1\nHEALTHCHECK NONE")]
    [InlineData("FROM debian:13\n# whatever\nARG A=1")]
    public void NothingIsFoundWhereNothingIsWrong(string file) => Assert.Empty(Run(file, new CheckContext { KnownImages = ["base"] }));

    [Theory]
    [InlineData("FROM debian:13\nrun a\nRUN b", "ConsistentInstructionCasing", 2)]
    [InlineData("FROM debian:13\nRuN a", "ConsistentInstructionCasing", 2)]
    [InlineData("from debian:13 AS a", "FromAsCasing", 1)]
    [InlineData("FROM debian:13 \\\n  as a", "FromAsCasing", 2)]
    [InlineData("FROM debian:latest", "FloatingBase", 1)]
    [InlineData("FROM localhost:5000/a", "FloatingBase", 1)]
    [InlineData("ARG B=debian\nFROM $B", "FloatingBase", 2)]
    [InlineData("FROM debian:13\nCOPY --from=nginx /a /a", "FloatingBase", 2)]
    [InlineData("FROM debian:13\nRUN --mount=type=bind,from=golang,target=/go make", "FloatingBase", 2)]
    [InlineData("ARG A\nFROM debian:13\nRUN make\nENV B=$A", "UndefinedVar", 4)]
    [InlineData("FROM debian:13\nARG VERSION=1\nCOPY a-$VERSIN /a", "UndefinedVar", 3)]
    [InlineData("FROM scratch\nENV A=$B", "UndefinedVar", 2)]
    [InlineData("FROM scratch AS a\nFROM a\nLABEL a=${B#x}", "UndefinedVar", 3)]
    [InlineData("FROM scratch\nCOPY <<EOF /a\n'$B'\nEOF", "UndefinedVar", 3)]
    [InlineData("FROM scratch\nRUN --mount=target=/$B a", "UndefinedVar", 2)]
    [InlineData("FROM scratch\nENV A=b B=$A", "UndefinedVar", 2)]
    [InlineData("FROM debian:$VERSION", "UndefinedArgInFrom", 1)]
    [InlineData("FROM --platform=$BUILDPLATFROM debian:13", "UndefinedArgInFrom", 1)]
    [InlineData("ARG A\nFROM $A", "InvalidDefaultArgInFrom", 2)]
    [InlineData("ARG A=\nFROM debian:$A", "InvalidDefaultArgInFrom", 2)]
    [InlineData("FROM debian:13\nUSER 1\nCMD a", "JSONArgsRecommended", 3)]
    [InlineData("FROM debian:13\nHEALTHCHECK CMD a\nHEALTHCHECK NONE", "MultipleInstructionsDisallowed", 2)]
    [InlineData("FROM debian:13\nARG API_KEY", "SecretsUsedInArgOrEnv", 2)]
    [InlineData("ARG PASSWD\nFROM debian:13", "SecretsUsedInArgOrEnv", 1)]
    [InlineData("FROM debian:13\nLABEL a b c", "LegacyKeyValueFormat", 2)]
    [InlineData("FROM debian:13\nENV a\tb", "LegacyKeyValueFormat", 2)]
    [InlineData("FROM debian:13 AS context", "ReservedStageName", 1)]
    [InlineData("FROM debian:13\nRUN sudo -E apt-get install -y a", "SudoUsed", 2)]
    [InlineData("FROM debian:13\nRUN if true; then sudo a; fi", "SudoUsed", 2)]
    [InlineData("FROM debian:13\nRUN wget -qO- https://x | bash -s -- y", "CurlPipeShell", 2)]
    [InlineData("FROM debian:13\nRUN curl x | tee y | sh", "CurlPipeShell", 2)]
    [InlineData("FROM debian:13\nRUN bash -c \"$(curl -fsSL x)\"", "CurlPipeShell", 2)]
    [InlineData("FROM debian:13\nRUN [\"bash\", \"-c\", \"curl x | sh\"]", "CurlPipeShell", 2)]
    [InlineData("FROM debian:13\nRUN <<EOF\ncurl x | sh\nEOF", "CurlPipeShell", 2)]
    [InlineData("FROM debian:13\nRUN apt install a", "AptNeedsYes", 2)]
    [InlineData("FROM debian:13\nRUN [\"apt-get\", \"install\", \"a\"]", "AptNeedsYes", 2)]
    [InlineData("FROM debian:13\nRUN export A=b", "NothingRemains", 2)]
    [InlineData("FROM debian:13\nRUN curl -fsSLk https://x -o y", "VerificationOff", 2)]
    [InlineData("FROM debian:13\nENV NODE_TLS_REJECT_UNAUTHORIZED=0", "VerificationOff", 2)]
    [InlineData("FROM debian:13\nRUN ssh -o StrictHostKeyChecking=no a", "VerificationOff", 2)]
    [InlineData("FROM debian:13\nRUN chmod -R a+rwx /x", "WorldWritable", 2)]
    [InlineData("FROM debian:13\nCOPY --chmod=0777 a b", "WorldWritable", 2)]
    [InlineData("FROM fedora:42\nRUN dnf -y install a", "PackageCacheKept", 2)]
    [InlineData("FROM debian:13\nUSER root\nCMD [\"a\"]", "RootUser", 2)]
    [InlineData("FROM debian:13\nUSER 0:0\nENTRYPOINT [\"a\"]", "RootUser", 2)]
    [InlineData("FROM scratch\nCOPY a /a\nENTRYPOINT [\"/a\"]", "RootUser", 3)]
    [InlineData("FROM debian:13\nEXPOSE 8080:80", "ExposeInvalidFormat", 2)]
    [InlineData("FROM debian:13\nCOPY <<A b /c\nA", "DestinationNotDirectory", 2)]
    [InlineData("FROM debian:13\n# check=skip=NoSuch\nRUN a", "UnknownCheck", 2)]
    public void WhatIsWrongIsFoundOnceAndWhereItStands(string file, string id, int line)
    {
        var finding = Assert.Single(Run(file, CheckContext.None));
        Assert.Equal((id, line), (finding.Code, finding.Span!.Value.Line));
    }

    [Theory]
    [InlineData("# check=skip=FloatingBase\nFROM debian\nRUN sudo a", "SudoUsed")]
    [InlineData("# check=skip=all\nFROM debian\nRUN sudo a", "")]
    [InlineData("# check=skip=FloatingBase,SudoUsed\nFROM debian\nRUN sudo a", "")]
    [InlineData("# check=error=true\nFROM debian as a", "FloatingBase error FromAsCasing")]
    [InlineData("# check=skip=FromAsCasing;error=true\nFROM debian as a\nMAINTAINER b", "FloatingBase error MaintainerDeprecated")]
    [InlineData("# check=error=false\nFROM debian", "FloatingBase")]
    [InlineData("FROM debian\n# check=skip=SudoUsed\n\nRUN sudo a\nRUN sudo b", "FloatingBase SudoUsed")]
    [InlineData("FROM debian\n# check=skip=all\nRUN sudo a", "FloatingBase")]
    [InlineData("FROM debian\nRUN sudo \\\n# check=skip=all\n a", "FloatingBase SudoUsed")]
    [InlineData("# check=experimental=all\nFROM debian:13\n# x\nARG A", "InvalidDefinitionDescription")]
    [InlineData("# check=experimental=InvalidDefinitionDescription;skip=all\nFROM debian\n# x\nARG A\n# A x\nARG A\n# x\n\nARG A",
        "InvalidDefinitionDescription")]
    public void TheFileSaysWhatIsChecked(string file, string expected) =>
        Assert.Equal(expected,
            string.Join(' ', Run(file, CheckContext.None).Select(d => d.Severity == Severity.Error ? "error " + d.Code : d.Code)));

    [Theory]
    [InlineData("secrets", "COPY secrets/a /a", true)]
    [InlineData("secrets", "ADD ./secrets /a", true)]
    [InlineData("secrets", "COPY --from=x secrets /a", false)]
    [InlineData("secrets", "COPY $x /a", false)]
    [InlineData("*\n!a", "COPY b /a", false)]
    [InlineData("*", "ADD https://example.com/a.git /a", false)]
    [InlineData("*.md", "COPY . /a", false)]
    public void AnIgnoredFileIsFoundWhenItIsSurelyIgnored(string ignored, string copy, bool found) =>
        Assert.Equal(found ? ["CopyIgnoredFile"] : [],
            Run("FROM debian:13\n" + copy, new CheckContext { Ignored = IgnoreFile.Parse(ignored), KnownImages = ["x"] })
                .Select(d => d.Code));

    private static string Example(string page, string heading) =>
        Regex.Match(page, $"## {heading}\n\n```dockerfile\n(.*?)```", RegexOptions.Singleline).Groups[1].Value;

    private static IReadOnlyList<Diagnostic> Run(string file, CheckContext context)
    {
        DiagnosticBag diagnostics = [];
        var syntax = DockerfileParser.Parse(new SourceText("Dockerfile", file), diagnostics);
        Assert.False(diagnostics.HasErrors, string.Join('\n', diagnostics));
        return DockerfileChecks.Run(syntax, context);
    }
}

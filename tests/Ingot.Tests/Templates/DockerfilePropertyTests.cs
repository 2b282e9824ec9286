using FsCheck;
using FsCheck.Fluent;
using Ingot.Diagnostics;
using Ingot.Templates.Dockerfile;
using Ingot.Templates.Dockerfile.Checks;
using Ingot.Testing;

namespace Ingot.Tests.Templates;

public class DockerfilePropertyTests
{
    private static readonly string[] s_fragments =
    [
        "FROM ", "RUN ", "COPY ", "ENV ", "ARG ", "LABEL ", "CMD ", "EXPOSE ", "HEALTHCHECK ", "USER ", "WORKDIR ", "ADD ",
        "ENTRYPOINT ", "FROM debian\n",
        " AS ", "a", "b", "x=y", "=", "--from=", "--chmod=", "--chown=", "--interval=", "--", "-", "<<EOF", "<<-EOF", "EOF\n", "<<", "\"",
        "'", "\\", "`", "\\\n", "\n", "\r\n",
        "\t", " ", "#", "# escape=`\n", "$", "${", "}", ":-", ":", "/", "[\"", "\"]", "[", "]", ",", "0", "80/tcp", "30s", "🦊", "\ud800",
        "\u0085", "\0", "#!/bin/sh\n",
        "ONBUILD ", "SHELL ", "STOPSIGNAL ", "VOLUME ", "MAINTAINER ", "RUN --mount=", "type=cache", "type=secret,id=", "target=",
        "sharing=", "uid=", "size=", "--network=none", "--link", "--exclude=", "--checksum=",
        "%", "##", "%%", "//", "\\*", "?", "*", "# check=skip=all\n", "// syntax=x\n", "{\"syntax\":", "sudo ", "apt-get update",
        "curl x | sh", "\\\"",
    ];

    [Fact]
    public void ArbitraryTextGivesDiagnosticsAndNeverAnException() =>
        Prop.ForAll<string>(text => IsSound(text ?? "")).Holds(1000);

    [Fact]
    public void ArbitraryFragmentsGiveDiagnosticsAndNeverAnException() =>
        Prop.ForAll(Gen.Elements(s_fragments).ListOf().Select(string.Concat).ToArbitrary(), IsSound).Holds(5000);

    [Fact]
    public void MutatedFilesGiveDiagnosticsAndNeverAnException() =>
        Prop.ForAll(Mutations().ToArbitrary(), IsSound).Holds(5000);

    [Fact]
    public void WhateverIsExpandedIsExpandedWithoutAnException() =>
        Prop.ForAll(Gen.Elements(s_fragments).ListOf().Select(string.Concat).ToArbitrary(), text =>
        {
            SourceText source = new("x", text);
            Word word = new(text, source.Span(0, text.Length));
            DiagnosticBag diagnostics = [];
            VariableExpander.Expand(word, name => name.Length % 2 == 0 ? null : "v $x", diagnostics);
            VariableExpander.ExpandWords(word, _ => "a b", diagnostics, '`');
            VariableExpander.ExpandContent(new Heredoc("x", true, text, word.Span), _ => null, diagnostics);
            return diagnostics.All(d => Inside(d.Span, source));
        }).Holds(3000);

    [Fact]
    public void WhatIsRefusedForAFileIsRefusedForItsExpansion() =>
        Prop.ForAll(Gen.Elements(s_fragments).ListOf().Select(string.Concat).ToArbitrary(), text =>
        {
            DiagnosticBag diagnostics = [];
            var syntax = DockerfileParser.Parse(new SourceText("Dockerfile", "FROM debian\nENV a=" + text), diagnostics);
            if (diagnostics.HasErrors)
                return true;

            var words = syntax.Stages[0].Instructions.OfType<EnvInstruction>().SelectMany(env => env.Variables).Select(pair => pair.Value);
            foreach (var word in words)
                VariableExpander.Expand(word, _ => "v", diagnostics, syntax.Escape);
            return !diagnostics.HasErrors;
        }).Holds(3000);

    [Theory]
    [InlineData("RUN x\n")]
    [InlineData("FROM a AS b\nCOPY --from=b x y\n")]
    [InlineData("RUN cat <<A\n")]
    [InlineData("RUUN cat <<A\n")]
    [InlineData("ENV a=\"b\\\n")]
    [InlineData("COPY [\"a\",\n")]
    [InlineData("LABEL a=${b:-\n")]
    [InlineData("\\\n")]
    [InlineData("# escape=`\n")]
    [InlineData("RUN <<A <<B\nA\nB\n")]
    public void LongFilesTakeMemoryInProportion(string line) => Growth.IsInProportion(length =>
    {
        SourceText source = new("Dockerfile", string.Concat(Enumerable.Repeat(line, length)));
        return () => DockerfileParser.Parse(source, []);
    });

    [Theory]
    [InlineData("ENV a=", "${b:-")]
    [InlineData("RUN ", "[")]
    [InlineData("RUN [", "[")]
    [InlineData("RUN [\"", ",")]
    [InlineData("RUN [ '", ",")]
    [InlineData("COPY --chmod=", "u+x,")]
    [InlineData("COPY <<a", " <<a")]
    [InlineData("COPY ", "a ")]
    [InlineData("LABEL ", "a=b ")]
    [InlineData("RUN ", "<<A ")]
    [InlineData("RUN ", "--x ")]
    [InlineData("EXPOSE ", "80 ")]
    [InlineData("HEALTHCHECK --interval=", "1s")]
    public void LongLinesTakeMemoryInProportion(string start, string part) => Growth.IsInProportion(length =>
    {
        SourceText source = new("Dockerfile", "FROM debian\n" + start + string.Concat(Enumerable.Repeat(part, length)));
        return () => DockerfileParser.Parse(source, []);
    });

    [Fact]
    public void AFileThatIsNoDockerfileStopsAtAHundredErrors()
    {
        DiagnosticBag diagnostics = [];
        DockerfileParser.Parse(new SourceText("Dockerfile", string.Concat(Enumerable.Repeat("bla bla\n", 500))), diagnostics);
        Assert.Equal(101, diagnostics.Count);
        Assert.Equal(DockerfileCodes.TooManyErrors, diagnostics.Last().Code);
    }

    [Fact]
    public void MountsAreReadWithoutAnExceptionAndStandInTheFile()
    {
        string[] parts = ["type=", "cache", "bind", "secret", "ssh", "tmpfs", ",", "=", "\\\"", "'", "\\", "target=/x",
            "dst", "from=a", "ro", "rw=false", "required", "mode=0400", "uid=1", "size=1g", "sharing=locked", "id=$x", "${", "}", "🦊",
            "\ud800", "A", "env="];
        Prop.ForAll(Gen.Elements(parts).ListOf().Select(string.Concat).ToArbitrary(),
            text => IsSound($"FROM debian\nRUN --mount={text} make\n")).Holds(5000);
    }

    [Fact]
    public void WhatOnbuildKeepsIsReadAgainWithoutErrors() =>
        Prop.ForAll(Gen.Elements(s_fragments).ListOf().Select(string.Concat).ToArbitrary(), text =>
        {
            DiagnosticBag diagnostics = [];
            var syntax = DockerfileParser.Parse(new SourceText("Dockerfile", "FROM debian\nONBUILD " + text), diagnostics);
            if (diagnostics.HasErrors)
                return true;

            List<string> triggers =
                [.. syntax.Stages.SelectMany(stage => stage.Instructions).OfType<OnbuildInstruction>().Select(onbuild => onbuild.Trigger)];
            return DockerfileParser.ParseTriggers(triggers, "image", diagnostics).Count == triggers.Count && !diagnostics.HasErrors;
        }).Holds(5000);

    [Fact]
    public void ArbitraryTriggersGiveDiagnosticsAndNeverAnException() =>
        Prop.ForAll(Gen.Elements(s_fragments).ListOf().Select(string.Concat).ToArbitrary(), text =>
        {
            DiagnosticBag diagnostics = [];
            var read = DockerfileParser.ParseTriggers([text, "RUN a", text], "image", diagnostics);
            int length = (2 * text.Length) + 8;
            return read.Any(i => i.Text == "RUN a")
                && diagnostics.All(d => d.Span is { } s && s.Start >= 0 && s.Start + s.Length <= length);
        }).Holds(3000);

    // Twice the text may take twice the memory, and not four times: copying what was read again and again shows there,
    // whatever the clock says.
    [Theory]
    [InlineData("", "RUN x\n")]
    [InlineData("", "# c\n")]
    [InlineData("", "ONBUILD RUN x\n")]
    [InlineData("", "FROM a AS b\nCOPY --from=b x y\nRUN --mount=from=b,target=/x y\n")]
    [InlineData("RUN ", "--mount=type=cache,target=/x ")]
    [InlineData("RUN --mount=", "id=x,")]
    [InlineData("RUN --mount=\\\"", "x\\\"\\\"")]
    [InlineData("COPY ", "--exclude=a ")]
    [InlineData("VOLUME ", "/a ")]
    [InlineData("VOLUME [", "\"/a\",")]
    [InlineData("ENV a=", "${b#c}")]
    [InlineData("ENV a=${b#", "*a")]
    [InlineData("ENV a=${b//", "?")]
    [InlineData("RUN ", "sudo apt-get update && curl x | sh; ")]
    [InlineData("RUN <<A\n", "curl x | sh\n")]
    [InlineData("RUN a \\\n", "\n")]
    [InlineData("RUN a \\\n", "b \\\n")]
    [InlineData("LABEL ", "a=$b ")]
    [InlineData("ARG ", "a-b ")]
    public void TwiceTheTextTakesTwiceTheMemory(string start, string part)
    {
        long Taken(int times)
        {
            SourceText source = new("Dockerfile", "FROM debian\n" + start + string.Concat(Enumerable.Repeat(part, times)) + "\nA\n");
            long before = GC.GetAllocatedBytesForCurrentThread();
            DiagnosticBag diagnostics = [];
            var syntax = DockerfileParser.Parse(source, diagnostics);
            DiagnosticRenderer.Render(diagnostics);
            if (!diagnostics.HasErrors)
                DockerfileChecks.Run(syntax, CheckContext.None);
            return GC.GetAllocatedBytesForCurrentThread() - before;
        }

        Taken(10);
        long once = Taken(3000);
        long twice = Taken(6000);
        Assert.True(twice < 3 * once, $"{once} bytes, then {twice}");
    }

    private static bool IsSound(string text)
    {
        SourceText source = new("Dockerfile", text);
        DiagnosticBag diagnostics = [];
        var syntax = DockerfileParser.Parse(source, diagnostics);
        _ = DiagnosticRenderer.Render(diagnostics);
        var instructions = syntax.GlobalArguments
            .Concat<Instruction>(syntax.Stages.SelectMany(stage => stage.Instructions.Prepend(stage.From)))
            .ToList();
        return diagnostics.All(d => Inside(d.Span, source) && !d.Summary.Contains('\n'))
            && instructions.TrueForAll(i => Inside(i.Span, source) && i.Span.Length > 0 && !i.Text.AsSpan().ContainsAny("\r\n\t"))
            && instructions.OfType<TransferInstruction>().All(copy => Inside(copy.Destination.Span, source)
                && copy.Sources.Count + copy.Heredocs.Count > 0
                && copy.Sources.All(s => Inside(s.Span, source)))
            && instructions.OfType<RunInstruction>().SelectMany(run => run.Mounts).All(mount => Inside(mount.Span, source)
                && mount.Options.All(option => option.Value is null || Inside(option.Value.Span, source)))
            && (diagnostics.HasErrors
                || (syntax.Stages.Count > 0 && DockerfileChecks.Run(syntax, CheckContext.None).All(d => Inside(d.Span, source))));
    }

    private static bool Inside(SourceSpan? span, SourceText source) =>
        span is { } s && s.Start >= 0 && s.Length >= 0 && s.Start + s.Length <= source.Text.Length;

    private static Gen<string> Mutations()
    {
        string[] files = [.. Vector.All("dockerfile").Select(vector => vector.Input).Where(input => input.Length > 0)];
        return Gen.Elements(files).SelectMany(file => Gen.Choose(0, file.Length)
            .SelectMany(from => Gen.Choose(0, 12).SelectMany(length => Gen.Elements(s_fragments).Select(fragment =>
                file[..from] + fragment + file[Math.Min(file.Length, from + length)..]))));
    }
}

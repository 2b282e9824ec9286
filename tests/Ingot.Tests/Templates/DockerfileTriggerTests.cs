using Ingot.Diagnostics;
using Ingot.Templates.Dockerfile;

namespace Ingot.Tests.Templates;

public class DockerfileTriggerTests
{
    [Fact]
    public void WhatOnbuildKeepsIsReadAsTheInstructionItWas()
    {
        DiagnosticBag diagnostics = [];
        const string File = "FROM debian\nONBUILD RUN --network=none a \\\n  b\nONBUILD COPY --from=x <<A <<-\"B\" /y/\n$a\nA\n\tb\n\tB\n"
            + "ONBUILD env a=\\$b\n";
        var syntax = DockerfileParser.Parse(new SourceText("Dockerfile", File), diagnostics);
        var triggers = DockerfileParser.ParseTriggers([.. syntax.Stages[0].Instructions.Cast<OnbuildInstruction>().Select(o => o.Trigger)],
            "base:1", diagnostics);

        Assert.Empty(diagnostics);
        Assert.Collection(
            triggers,
            run => Assert.Equal(("a   b", "none"), (((RunInstruction)run).Command.Shell, ((RunInstruction)run).Network!.Text)),
            copy => Assert.Equal(["$a\n", "b\n"], ((CopyInstruction)copy).Heredocs.Select(h => h.Content)),
            env => Assert.Equal("\\$b", ((EnvInstruction)env).Variables[0].Value.Text));
        Assert.All(triggers, trigger => Assert.Equal("base:1", trigger.Span.Source.Name));
        Assert.Equal([1, 2, 7], triggers.Select(trigger => trigger.Span.Line));
    }

    [Theory]
    [InlineData("FROM x", DockerfileCodes.BadTrigger)]
    [InlineData("ONBUILD RUN x", DockerfileCodes.BadTrigger)]
    [InlineData("MAINTAINER x", DockerfileCodes.BadTrigger)]
    [InlineData("RUN x\nRUN y", DockerfileCodes.BadTrigger)]
    [InlineData("", DockerfileCodes.BadTrigger)]
    [InlineData("# only a comment", DockerfileCodes.BadTrigger)]
    [InlineData("\\", DockerfileCodes.BadTrigger)]
    [InlineData("RUUN x", DockerfileCodes.UnknownInstruction)]
    [InlineData("RUN --form x", DockerfileCodes.UnknownFlag)]
    [InlineData("RUN <<EOF\nx", DockerfileCodes.BadHeredoc)]
    [InlineData("COPY a", DockerfileCodes.MissingArguments)]
    public void ATriggerThatCannotBeReadIsReportedAndTheOthersAreRead(string trigger, string code)
    {
        DiagnosticBag diagnostics = [];
        var read = DockerfileParser.ParseTriggers(["RUN a", trigger, "RUN b"], "base:1", diagnostics);
        Assert.Equal(["RUN a", "RUN b"], read.Select(instruction => instruction.Text));
        Assert.Equal((code, "base:1"), (Assert.Single(diagnostics).Code, diagnostics.First().Span!.Value.Source.Name));
    }

    [Fact]
    public void AContinuationAtTheEndOfATriggerDoesNotReachTheNext()
    {
        var read = DockerfileParser.ParseTriggers(["RUN a \\", "RUN b"], "base:1", []);
        Assert.Equal(["RUN a", "RUN b"], read.Select(instruction => instruction.Text));
    }
}

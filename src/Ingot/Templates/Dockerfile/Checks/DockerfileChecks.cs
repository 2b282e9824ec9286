using Ingot.Diagnostics;

namespace Ingot.Templates.Dockerfile.Checks;

/// <summary>The build checks: one table, and the function that does them.</summary>
public static class DockerfileChecks
{
    private static readonly CheckRule[] s_rules =
    [
        // Those of https://docs.docker.com/reference/build-checks/ that can be decided from the file.
        Rule("ConsistentInstructionCasing", "instructions are written in upper case here and in lower case there",
            StyleRules.InstructionCasing),
        Rule("CopyIgnoredFile", "a file is copied that the ignore file leaves out of the context", ImageRules.CopyIgnoredFile),
        Rule("DuplicateStageName", "two stages have the same name", StyleRules.DuplicateStageName),
        Rule("ExposeInvalidFormat", "EXPOSE names an address or a port of the host", ImageRules.ExposeInvalidFormat),
        Rule("ExposeProtoCasing", "a protocol of EXPOSE is not in lower case", ImageRules.ExposeProtoCasing),
        Rule("FromAsCasing", "FROM and AS are written in different cases", StyleRules.FromAsCasing),
        Rule("FromPlatformFlagConstDisallowed", "FROM --platform names a platform instead of a variable", ImageRules.ConstantPlatform),
        Rule("InvalidDefaultArgInFrom", "the defaults of arguments do not make the name of an image", VariableRules.InvalidDefaultInFrom),
        new(
            new("InvalidDefinitionDescription", Severity.Warning, "the comment above a stage or an argument does not begin with its name",
                IsExperimental: true),
            StyleRules.Description),
        Rule("JSONArgsRecommended", "CMD or ENTRYPOINT runs in a shell, which does not pass signals on", ImageRules.JsonArguments),
        Rule("LegacyKeyValueFormat", "ENV or LABEL is written without '='", StyleRules.LegacyKeyValue),
        Rule("MaintainerDeprecated", "MAINTAINER is deprecated", StyleRules.Maintainer),
        Rule("MultipleInstructionsDisallowed", "an instruction appears twice in a stage, and only the last counts",
            ImageRules.MultipleInstructions),
        Rule("NoEmptyContinuation", "a continued line is followed by an empty one", StyleRules.EmptyContinuation),
        Rule("RedundantTargetPlatform", "FROM --platform is what it would be without the flag", ImageRules.RedundantPlatform),
        Rule("ReservedStageName", "a stage has a name that means something else", StyleRules.ReservedStageName),
        Rule("SecretsUsedInArgOrEnv", "a secret is given with ARG or ENV, which the image shows to everybody", VariableRules.Secrets),
        Rule("StageNameCasing", "the name of a stage is not in lower case", StyleRules.StageNameCasing),
        Rule("UndefinedArgInFrom", "FROM uses an argument that is not declared above the first FROM", VariableRules.UndefinedInFrom),
        Rule("UndefinedVar", "a variable is used that is not declared", VariableRules.Undefined),
        Rule("WorkdirRelativePath", "the first WORKDIR of a stage depends on that of its base", ImageRules.RelativeWorkdir),

        // Ours.
        Ours("AddRemoteWithoutChecksum", "a download is accepted whatever it contains", ImageRules.AddWithoutChecksum),
        Ours("AptListsKept", "the package lists of apt stay in the image", CommandRules.AptListsKept),
        new(new("AptNeedsYes", Severity.Error, "apt would ask a question that nobody answers") { IsOurs = true }, CommandRules.AptNeedsYes),
        Ours("AptUpdateAlone", "apt's lists are fetched in one step and used in a later one", CommandRules.AptUpdateAlone),
        Ours("CmdIgnored", "CMD has no effect beside an ENTRYPOINT in shell form", ImageRules.CmdIgnored),
        Ours("CurlPipeShell", "a download is run without being checked", CommandRules.CurlPipeShell),
        Ours("DestinationNotDirectory", "several sources are copied to a path without a slash at its end",
            ImageRules.DestinationNotDirectory),
        Ours("FloatingBase", "an image is named without a version, or with 'latest'", ImageRules.FloatingBase),
        Ours("NothingRemains", "a command changes only the shell that it runs in", CommandRules.NothingRemains),
        Ours("PackageCacheKept", "a package manager keeps what it downloaded", CommandRules.PackageCacheKept),
        Ours("PipCacheKept", "pip keeps what it downloaded", CommandRules.PipCacheKept),
        Ours("RootUser", "the program of the image runs as root", ImageRules.RootUser),
        Ours("SudoUsed", "sudo is used, where commands have the rights of USER", CommandRules.SudoUsed),
        Ours("UnknownCheck", "a check is skipped that does not exist", UnknownCheck),
        Ours("VerificationOff", "the other side of a connection is not verified", CommandRules.VerificationOff),
        Ours("WorldWritable", "everybody in the image may write to a file", CommandRules.WorldWritable),
    ];

    /// <summary>Every check, in the order of the documentation.</summary>
    public static IReadOnlyList<Check> All { get; } = [.. s_rules.Select(rule => rule.Check)];

    /// <summary>
    /// What the checks find in a file that parsed without errors, in the order of the file; the code of each diagnostic is the check's id.
    /// <c># check=</c> at the top counts for the file, and above an instruction for that instruction.
    /// </summary>
    public static IReadOnlyList<Diagnostic> Run(DockerfileSyntax syntax, CheckContext context)
    {
        CheckedFile file = new(syntax, context);
        bool error = syntax.Check?.Error ?? false;
        return
        [
            .. s_rules
                .SelectMany(rule => rule.Find(file).Distinct().Where(finding => file.IsAsked(rule.Check, finding.Span))
                    .Select(finding => (rule.Check, finding)))
                .OrderBy(found => found.finding.Span.Start)
                .ThenBy(found => found.Check.Id, StringComparer.Ordinal)
                .Select(found => new Diagnostic(error && !found.Check.IsOurs ? Severity.Error : found.Check.Severity, found.Check.Id,
                    found.finding.Summary, found.finding.Detail, found.finding.Span)),
        ];
    }

    private static CheckRule Rule(string id, string summary, Func<CheckedFile, IEnumerable<Finding>> find) =>
        new(new(id, Severity.Warning, summary), find);

    private static CheckRule Ours(string id, string summary, Func<CheckedFile, IEnumerable<Finding>> find) =>
        new(new(id, Severity.Warning, summary) { IsOurs = true }, find);

    private static IEnumerable<Finding> UnknownCheck(CheckedFile file)
    {
        foreach (var directive in file.Directives)
        {
            foreach (string name in directive.Skip
                .Concat(directive.Experimental)
                .Where(name => name != "all" && All.All(check => check.Id != name)))
                yield return new(directive.Span, $"there is no check '{name}'", Suggestion.For(name, All.Select(check => check.Id)));
        }
    }
}

using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Ingot.Diagnostics;
using Ingot.Oci.Content;
using Ingot.Server.Access;
using Ingot.Server.Api;
using Ingot.Server.Ledger;
using Ingot.Templates.Project;

namespace Ingot.Server.Control;

/// <summary>The projects as last applied. What the server decides about a project, it decides by the text in its ledger, not by what a caller says of it.</summary>
internal sealed class Projects(LedgerStore ledger)
{
    public ProjectDefinition Get(string name) => Find(name)
        ?? throw new ApiException("not_found", $"the server knows no project '{name}': apply it with 'ingot up'");

    public ProjectDefinition? Find(string name) => ledger.Read(view => view.Project(name)) is { } applied ? Parse(applied.Text) : null;

    /// <summary>Records a project's file when it differs from the one recorded.</summary>
    public async Task<ProjectReply> ApplyAsync(string name, ProjectRequest request, Principal by, CancellationToken cancellationToken)
    {
        var project = Parse(request.Yaml);
        if (project.Name != name)
            throw new ApiException("invalid", $"the file is of project '{project.Name}', not '{name}'");

        if (!by.Has(Role.Administrator) && RulesOf(project) != (Find(name) is { } known ? RulesOf(known) : null))
            throw new ApiException("forbidden", $"'{by.Name}' may not change the stages of '{name}', their gates or who approves: that takes the role administrator");

        var digest = Digest.Of(Encoding.UTF8.GetBytes(request.Yaml));
        var entries = await ledger.AppendAsync(by.Name, view => view.Project(name)?.Digest == digest ? [] : [new LedgerEvent.ProjectApplied(name, digest, request.Yaml)], cancellationToken);
        return new ProjectReply(name, digest, entries.Count > 0);
    }

    /// <summary>What decides who gets an image where: whoever may only publish or release must not change it.</summary>
    private static string RulesOf(ProjectDefinition project) => JsonSerializer.Serialize(
        project.Stages.Select(s => (string[])[s.Name, s.Target ?? "", $"{s.Soak.Ticks}", $"{s.Approvals?.Count}", .. s.Approvals?.From ?? [], "gates", .. s.Gates]).ToArray(),
        RulesJson.Default.StringArrayArray);

    private static ProjectDefinition Parse(string yaml)
    {
        var diagnostics = new DiagnosticBag();
        var project = ProjectParser.Parse(new SourceText(ProjectDefinition.FileName, yaml), diagnostics);
        return diagnostics.HasErrors || project is null ? throw new ApiException("invalid", string.Join('\n', diagnostics)) : project;
    }
}

[JsonSerializable(typeof(string[][]))]
internal sealed partial class RulesJson : JsonSerializerContext;

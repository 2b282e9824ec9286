using Ingot.Diagnostics;
using Ingot.Yaml;

namespace Ingot.Templates.Project;

internal sealed partial class ProjectReader
{
    private StageDefinition ReadStage(Entry entry)
    {
        // `test:` with nothing after it is a stage without gates.
        bool isEmpty = entry.Value.Node is YamlScalar { IsNull: true };
        var section = Optional(isEmpty ? null : entry.Value, ProjectKeys.Stage);
        return new(entry.Name, entry.Key.Span)
        {
            Gates = Choices(section["gates"], ProjectKeys.Gates, "gate"),
            Target = ReadTarget(section["target"]),
            Soak = Duration(section["soak"], positive: false) ?? TimeSpan.Zero,
            Approvals = ReadApprovals(section["approvals"]),
        };
    }

    private string? ReadTarget(Field? field)
    {
        if (field is null)
            return null;
        if (field.Node is YamlMap)
        {
            Later(field.Node, field.Path, "a target with settings is not supported yet", "write target: docker");
            return "docker";
        }

        // Whatever it is, the stage means to run something: the checks go on with that.
        if (Text(field) is not { } text || ProjectKeys.Targets.Contains(text))
            return "docker";

        if (ProjectKeys.LaterTargets.Contains(text))
            Later(field.Node, field.Path, $"the target '{text}' is not supported yet", "write target: docker");
        else
            diagnostics.Error(ProjectCodes.Undefined, $"there is no target '{Show(text)}'", field.Span,
                Suggestion.For(text, [.. ProjectKeys.Targets, .. ProjectKeys.LaterTargets]) ?? "the only one is docker", field.Path);
        return "docker";
    }

    private ApprovalsDefinition? ReadApprovals(Field? field)
    {
        if (field is null || ReadSection(field, ProjectKeys.Approvals) is not { } section)
            return null;

        int count = Required(section, "count") is { } given ? Whole(given, 1, 100) ?? 1 : 1;
        List<string> from = [];
        foreach (var item in section["from"] is { } list ? Items(list) : [])
        {
            if (Accepted(item, text => text.Length > 0 && !text.Any(char.IsControl), "a person or a group", "a name") is { } name)
                from.Add(name);
        }

        return new(count, from);
    }
}

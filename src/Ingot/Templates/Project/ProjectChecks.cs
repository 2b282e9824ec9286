using System.Net;
using Ingot.Diagnostics;
using Ingot.Yaml;

namespace Ingot.Templates.Project;

/// <summary>What must agree between the parts of a project.</summary>
internal sealed class ProjectChecks(DiagnosticBag diagnostics, IReadOnlyList<ImageDefinition> images, IReadOnlyList<StageDefinition> stages)
{
    public void Check(IReadOnlyList<ReadService> services)
    {
        foreach (var service in services)
        {
            CheckImage(service);
            CheckStages(service);
        }

        CheckListeners(services);
    }

    private void CheckImage(ReadService service)
    {
        if (service.Section["image"] is not { } field || service.Definition.Image.Length == 0)
            return;

        string name = service.Definition.Image;
        var image = images.FirstOrDefault(i => i.Name == name);
        if (image is null)
            diagnostics.Error(ProjectCodes.Undefined, $"there is no image '{ProjectReader.Show(name)}'", field.Span,
                Suggestion.For(name, images.Select(i => i.Name)) ?? "a service runs an image of this project", field.Path);
        else if (image.Version is null && !diagnostics.Any(d => d.Path == $"images/{name}/version"))
            diagnostics.Error(ProjectCodes.MissingKey, $"the image '{name}' has no version, and a service cannot run it without",
                field.Span, $"add version: 1.0.0 to images/{name}", field.Path);
    }

    private void CheckStages(ReadService service)
    {
        if (service.Field.Node is not YamlMap)
            return;

        var running = stages.Where(stage => stage.Target is not null).ToList();
        if (running.Count == 0)
            diagnostics.Warning(ProjectCodes.NeverRuns, $"no stage runs the service '{service.Definition.Name}'", service.Definition.Span,
                "give a stage target: docker", service.Field.Path);

        var listen = service.Section["listen"];
        foreach (var stage in running)
        {
            bool isMissing = listen is null || (listen.Node is YamlMap map && !map.Entries.Any(entry => entry.Key.Text == stage.Name));
            if (isMissing)
                diagnostics.Error(
                    ProjectCodes.MissingKey,
                    $"the service '{service.Definition.Name}' has no address in the stage '{stage.Name}'",
                    listen?.Span ?? service.Definition.Span,
                    $"write listen: {{ {stage.Name}: 8080 }}",
                    YamlPath.Join(service.Field.Path, "listen"));
        }
    }

    private void CheckListeners(IReadOnlyList<ReadService> services)
    {
        List<(ListenAddress Address, string Where)> taken = [];
        foreach (var service in services)
        {
            foreach (var (stage, address) in service.Definition.Listen)
            {
                var other = taken.Find(t => Overlap(t.Address, address));
                if (other.Where is not null)
                    diagnostics.Error(ProjectCodes.Conflict, $"'{address}' in the stage '{stage}' is taken by {other.Where}",
                        SpanOf(service, stage), "each service and stage needs an address of its own", PathOf(service, stage));
                taken.Add((address, $"services/{service.Definition.Name} in '{stage}'"));
            }
        }
    }

    private static SourceSpan? SpanOf(ReadService service, string stage) => service.Section["listen"]?.Node switch
    {
        YamlMap map => map.Entries.First(entry => entry.Key.Text == stage).Value.Span,
        var node => node?.Span,
    };

    private static string PathOf(ReadService service, string stage)
    {
        string path = YamlPath.Join(service.Field.Path, "listen");
        return service.Section["listen"]?.Node is YamlMap ? YamlPath.Join(path, stage) : path;
    }

    // The wildcard addresses take the port on every address.
    private static bool Overlap(ListenAddress a, ListenAddress b) =>
        a.Port == b.Port && (IsWildcard(a) || IsWildcard(b) || Parse(a).Equals(Parse(b)));

    private static bool IsWildcard(ListenAddress address) =>
        Parse(address) is var ip && (ip.Equals(IPAddress.Any) || ip.Equals(IPAddress.IPv6Any));

    private static IPAddress Parse(ListenAddress address) => IPAddress.Parse(address.Address.Trim('[', ']'));
}

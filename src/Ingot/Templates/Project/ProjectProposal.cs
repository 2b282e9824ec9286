using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Ingot.Diagnostics;
using Ingot.Templates.Dockerfile;

namespace Ingot.Templates.Project;

/// <summary>A Dockerfile that a project may begin with.</summary>
/// <param name="Path">Its path, relative to the project's directory, with slashes.</param>
/// <param name="Syntax">What it says.</param>
public sealed record FoundDockerfile(string Path, DockerfileSyntax Syntax);

/// <summary>A first <c>ingot.yaml</c> for Dockerfiles that are there: an image for each, a service for each that exposes a port.</summary>
public static partial class ProjectProposal
{
    private const int FirstPort = 8080;
    private const int FirstOpenPort = 1024;
    private const int LastPort = 65535;
    private const int LongestName = 63;

    private static readonly string[] s_words = ["null", "true", "false", "yes", "no", "on", "off", "y", "n"];

    /// <summary>The text of the file, which parses without diagnostics.</summary>
    /// <param name="directory">The name of the project's directory.</param>
    /// <param name="dockerfiles">The Dockerfiles, in the order of their images.</param>
    public static string Write(string directory, IReadOnlyList<FoundDockerfile> dockerfiles)
    {
        string project = NameOf(directory, "project");
        List<Image> images = [];
        foreach (var found in dockerfiles)
            images.Add(ImageOf(found, project, [.. images.Select(i => i.Name)]));
        Image[] services = [.. images.Where(i => i.Port is not null)];

        StringBuilder text = new();
        text.Append("ingot: 1\nproject: ").Append(Quoted(project)).Append('\n');
        if (services.Length > 0)
            text.Append("compression: gzip    # Docker before version 23 pulls nothing newer; zstd when left out\n");
        text.Append("\nimages:\n");
        foreach (var image in images)
            WriteImage(text, image);
        if (services.Length > 0)
            text.Append("\nservices:\n");
        HashSet<int> taken = [];
        foreach (var service in services)
            WriteService(text, service, Listen(service.Port!.Value, taken));
        text.Append("\nstages:\n  test: { gates: [built-by-us, no-secrets, sbom-present] }\n");
        if (services.Length > 0)
            text.Append("  production: { target: docker }\n");
        return text.ToString();
    }

    private static void WriteImage(StringBuilder text, Image image)
    {
        text.Append(CultureInfo.InvariantCulture, $"  {Quoted(image.Name)}:\n    dockerfile: {Quoted(image.Path)}\n    version: 0.1.0\n");
        text.Append("    # tests: goss.yaml    checks of the image's files and of a running instance; see docs/ingot-yaml.md\n");
    }

    private static void WriteService(StringBuilder text, Image service, int listen)
    {
        string name = Quoted(service.Name);
        text.Append(CultureInfo.InvariantCulture, $"  {name}:\n    image: {name}\n    port: {service.Port}\n    listen: {listen}\n");
        if (service.Health is { } health)
            text.Append("    health: ").Append(health).Append('\n');
        else
            text.Append("    # health: { path: /healthz }    asked for with HTTP; '/' when left out\n");
    }

    private static Image ImageOf(FoundDockerfile found, string project, IReadOnlyList<string> taken)
    {
        string name = NameOf(Stem(found.Path) is { Length: > 0 } stem ? stem : project, "image");
        string unique = name;
        for (int i = 2; taken.Contains(unique); i++)
            unique = string.Create(CultureInfo.InvariantCulture, $"{name[..Math.Min(name.Length, LongestName - 4)].TrimEnd('-')}-{i}");
        return new(unique, found.Path, PortOf(found.Syntax), HealthOf(found.Syntax));
    }

    // web/Dockerfile is of web, Dockerfile.worker and worker.Dockerfile of worker; Dockerfile alone is of the project.
    private static string Stem(string path)
    {
        string file = path[(path.LastIndexOf('/') + 1)..];
        string own = FileStem().Replace(file, "");
        if (own.Length > 0)
            return own;

        string[] directories = path.Split('/')[..^1];
        return directories.Length == 0 ? "" : directories[^1];
    }

    private static string NameOf(string text, string otherwise)
    {
        string name = NoName().Replace(text.ToLowerInvariant(), "-").Trim('-');
        name = name.Length > LongestName ? name[..LongestName].TrimEnd('-') : name;
        return ProjectValues.IsName(name) ? name : ProjectValues.IsName($"{otherwise}-{name}") ? $"{otherwise}-{name}" : otherwise;
    }

    // Anything unusual gets quotes, and what YAML reads as something else than a text.
    private static string Quoted(string text) => PlainText().IsMatch(text)
        && !s_words.Contains(text.ToLowerInvariant())
        && !text.All(char.IsAsciiDigit)
        ? text
        : $"\"{text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal)}\"";

    private static int? PortOf(DockerfileSyntax syntax)
    {
        foreach (var expose in syntax.Stages[^1].Instructions.OfType<ExposeInstruction>())
        {
            foreach (string word in expose.Ports.SelectMany(port => VariableExpander.ExpandWords(port, Lookup(syntax), [], syntax.Escape)))
            {
                string? tcp = ExposedPorts.TryParse(word)?.FirstOrDefault(port => port.EndsWith("/tcp", StringComparison.Ordinal));
                if (tcp is not null && ProjectValues.WholeNumber(tcp[..^"/tcp".Length]) is > 0 and var number)
                    return number;
            }
        }

        return null;
    }

    // Values that stand in the file; what only a build knows is nothing.
    private static Func<string, string?> Lookup(DockerfileSyntax syntax)
    {
        var variables = new Dictionary<string, string?>(StringComparer.Ordinal);
        foreach (var instruction in syntax.GlobalArguments.Concat(syntax.Stages[^1].Instructions))
        {
            if (instruction is ArgInstruction arg)
            {
                foreach (var (name, value) in arg.Arguments.Where(a => a.Default is not null))
                    variables[name] = value!.Text.Trim('"', '\'');
            }
            else if (instruction is EnvInstruction env)
            {
                foreach (var (name, value) in env.Variables)
                    variables[name.Text] = value.Text.Trim('"', '\'');
            }
        }

        return variables.GetValueOrDefault;
    }

    private static string? HealthOf(DockerfileSyntax syntax)
    {
        var check = syntax.Stages[^1].Instructions.OfType<HealthcheckInstruction>().LastOrDefault();
        string command = check?.Command is { } line ? line.Shell ?? string.Join(' ', line.Exec!) : "";
        if (check is null || LocalAddress().Match(command) is not { Success: true } address)
            return null;

        string path = address.Groups["path"].Value is { Length: > 0 } given && ProjectValues.IsUrlPath(given) ? given : "/";
        List<string> parts = [$"path: {Quoted(path)}"];
        if (Milliseconds(check.Interval) is { } interval)
            parts.Add($"interval: {interval}");
        if (Milliseconds(check.Timeout) is { } timeout)
            parts.Add($"timeout: {timeout}");
        if (check.Retries is > 0 and <= 100 and var retries)
            parts.Add(string.Create(CultureInfo.InvariantCulture, $"unhealthy: {retries}"));
        return $"{{ {string.Join(", ", parts)} }}";
    }

    private static string? Milliseconds(TimeSpan? time) => time is not { TotalMilliseconds: >= 1 and <= 3_600_000 } given ? null
        : given.TotalMilliseconds % 1000 == 0
            ? string.Create(CultureInfo.InvariantCulture, $"{(long)given.TotalSeconds}s")
            : string.Create(CultureInfo.InvariantCulture, $"{(long)given.TotalMilliseconds}ms");

    // The port of the container, where everybody may listen on it and no other service here does.
    private static int Listen(int port, HashSet<int> taken)
    {
        int listen = port < FirstOpenPort ? FirstPort : port;
        while (!taken.Add(listen))
            listen = listen == LastPort ? FirstOpenPort : listen + 1;
        return listen;
    }

    [GeneratedRegex(@"^(Dockerfile|Containerfile)\.?|\.(Dockerfile|Containerfile)$",
        RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex FileStem();

    [GeneratedRegex("[^a-z0-9]+")]
    private static partial Regex NoName();

    [GeneratedRegex(@"^[A-Za-z0-9_/][A-Za-z0-9_./-]*$")]
    private static partial Regex PlainText();

    [GeneratedRegex(@"https?://(localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1\])(:[0-9$A-Za-z_{}]+)?(?<path>/[^\s""'|;&)]*)?")]
    private static partial Regex LocalAddress();

    private sealed record Image(string Name, string Path, int? Port, string? Health);
}

using System.Globalization;
using Ingot.Diagnostics;
using Ingot.Yaml;

namespace Ingot.Templates.Project;

/// <summary>A service, and the nodes that checks between parts point at.</summary>
internal sealed record ReadService(ServiceDefinition Definition, Field Field, Section Section);

internal sealed partial class ProjectReader
{
    private ReadService ReadService(Entry entry, IReadOnlyList<StageDefinition> stages)
    {
        var section = Optional(entry.Value, ProjectKeys.Service);
        bool isMap = entry.Value.Node is YamlMap;
        ServiceDefinition service = new(entry.Name, entry.Key.Span)
        {
            Image = isMap ? Text(Required(section, "image")) ?? "" : "",
            Port = isMap ? Whole(Required(section, "port"), 1, 65535) ?? 0 : 0,
            Listen = ForStages(section["listen"], stages, ReadAddress),
            Replicas = ForStages(section["replicas"], stages, field => Whole(field, 1, 1000)),
            Health = ReadHealth(section["health"]),
            RequestTimeout = ReadRequestTimeout(section["request-timeout"]),
            Config = ReadConfig(section["config"], stages, out var stageConfig),
            StageConfig = stageConfig,
            Writable = ReadWritable(section["writable"]),
            Limits = ReadLimits(section["limits"]),
            Rollout = ReadRollout(section["rollout"]),
        };
        return new(service, entry.Value, section);
    }

    // A single value stands for every stage that has a target.
    private SortedDictionary<string, T> ForStages<T>(Field? field, IReadOnlyList<StageDefinition> stages, Func<Field, T?> read)
        where T : struct
    {
        SortedDictionary<string, T> values = new(StringComparer.Ordinal);
        if (field is null)
            return values;
        if (field.Node is YamlScalar)
        {
            if (read(field) is { } single)
                values = new(stages.Where(stage => stage.Target is not null).ToDictionary(stage => stage.Name, _ => single),
                    StringComparer.Ordinal);
            return values;
        }

        foreach (var entry in Pairs(field))
        {
            if (CheckStage(entry, stages) && read(entry.Value) is { } value)
                values.Add(entry.Name, value);
        }

        return values;
    }

    private bool CheckStage(Entry entry, IReadOnlyList<StageDefinition> stages)
    {
        var stage = stages.FirstOrDefault(s => s.Name == entry.Name);
        if (stage is null)
            diagnostics.Error(ProjectCodes.Undefined, $"there is no stage '{Show(entry.Name)}'", entry.Key.Span,
                Suggestion.For(entry.Name, stages.Select(s => s.Name)), entry.Value.Path);
        else if (stage.Target is null)
            diagnostics.Error(ProjectCodes.Conflict, $"nothing runs in the stage '{entry.Name}': it has no target", entry.Key.Span,
                "give the stage a target, or remove this", entry.Value.Path);
        return stage is not null;
    }

    private ListenAddress? ReadAddress(Field field) =>
        Value(field, ProjectValues.Address, "an address to listen on", "a port such as 8080, or 0.0.0.0:8080, or [::1]:8080");

    private TimeSpan? ReadRequestTimeout(Field? field) => Value(
        field,
        text => Quantity.Duration(text) is { } duration && duration >= TimeSpan.FromMilliseconds(1) && duration <= TimeSpan.FromDays(1)
            ? duration
            : (TimeSpan?)null,
        "a time for a request",
        "from 1ms to 24h, such as 30s or 10m");

    private HealthDefinition ReadHealth(Field? field)
    {
        HealthDefinition defaults = new();
        var section = Optional(field, ProjectKeys.Health);
        return new()
        {
            Path = ReadUrlPath(section["path"]) ?? defaults.Path,
            Interval = Duration(section["interval"]) ?? defaults.Interval,
            Timeout = Duration(section["timeout"]) ?? defaults.Timeout,
            Healthy = Whole(section["healthy"], 1, 100) ?? defaults.Healthy,
            Unhealthy = Whole(section["unhealthy"], 1, 100) ?? defaults.Unhealthy,
            Deadline = Duration(section["deadline"]) ?? defaults.Deadline,
        };
    }

    private string? ReadUrlPath(Field? field) => Accepted(field, ProjectValues.IsUrlPath, "a path to ask for", "such as /healthz");

    private SortedDictionary<string, string> ReadConfig(
        Field? field, IReadOnlyList<StageDefinition> stages, out SortedDictionary<string, IReadOnlyDictionary<string, string>> stageConfig)
    {
        SortedDictionary<string, string> config = new(StringComparer.Ordinal);
        stageConfig = new(StringComparer.Ordinal);
        foreach (var entry in Pairs(field))
        {
            if (!ProjectValues.IsEnvironmentName(entry.Name))
                diagnostics.Error(ProjectCodes.BadName, $"'{Show(entry.Name)}' cannot name a variable", entry.Key.Span,
                    "a letter or '_', then letters, digits, '_', '.' or '-'", entry.Value.Path);
            if (entry.Value.Node is YamlMap)
                stageConfig[entry.Name] = ReadVariableOfStages(entry.Value, stages);
            else if (ReadVariable(entry.Value) is { } value)
                config[entry.Name] = value;
        }

        return config;
    }

    private SortedDictionary<string, string> ReadVariableOfStages(Field field, IReadOnlyList<StageDefinition> stages)
    {
        SortedDictionary<string, string> values = new(StringComparer.Ordinal);
        foreach (var entry in Pairs(field))
        {
            if (CheckStage(entry, stages) && ReadVariable(entry.Value) is { } value)
                values[entry.Name] = value;
        }

        if (field.Node is YamlMap { Entries.Count: 0 })
            Bad(field, "the variable has no value in any stage", "write { staging: debug, production: info }, or one text for all stages");
        return values;
    }

    private string? ReadVariable(Field field)
    {
        if (AnyText(field) is not { } value)
            return null;
        if (value.Contains('\0', StringComparison.Ordinal))
            Bad(field, "a variable cannot hold a zero byte", null);
        return value;
    }

    private SortedDictionary<string, long> ReadWritable(Field? field)
    {
        SortedDictionary<string, long> writable = new(StringComparer.Ordinal);
        foreach (var entry in Pairs(field))
        {
            if (!ProjectValues.IsInstancePath(entry.Name))
                diagnostics.Error(ProjectCodes.BadValue, $"'{Show(entry.Name)}' is not a directory that can be made writable",
                    entry.Key.Span, "an absolute path such as /var/cache/web", entry.Value.Path);
            if (Size(entry.Value, 4096) is { } size)
                writable[entry.Name] = size;
        }

        return writable;
    }

    private LimitsDefinition ReadLimits(Field? field)
    {
        LimitsDefinition defaults = new();
        var section = Optional(field, ProjectKeys.Limits);
        return new()
        {
            // The least that container engines take.
            Memory = Size(section["memory"], 6 << 20) ?? defaults.Memory,
            Cpus = (double?)Value(
                section["cpus"],
                text => ProjectValues.Number(text) is > 0 and <= 1024 and var cpus ? cpus : (decimal?)null,
                "a number of processors",
                "such as 0.5 or 2") ?? defaults.Cpus,
            Pids = Whole(section["pids"], 1, 1_000_000) ?? defaults.Pids,
        };
    }

    private long? Size(Field? field, long minimum)
    {
        var size = Value(field, Quantity.Size, "a size", "such as 64Mi, 1Gi or 500M");
        if (size is null || size >= minimum)
            return size;

        Bad(field!, $"'{Scalar(field!)}' is too small",
            string.Create(CultureInfo.InvariantCulture, $"at least {minimum} bytes; such as 64Mi"));
        return null;
    }

    private RolloutDefinition ReadRollout(Field? field)
    {
        if (field?.Node is YamlScalar)
        {
            ReadRolloutWord(field);
            return new();
        }

        RolloutDefinition defaults = new();
        var section = Optional(field, ProjectKeys.Rollout);
        ReadBlueGreen(section);
        var abort = Optional(section["abort"], ProjectKeys.Abort);
        return new()
        {
            Canary = ReadCanary(section["canary"]),
            Observe = Duration(section["observe"]) ?? defaults.Observe,
            StepDeadline = Duration(section["deadline"]) ?? defaults.StepDeadline,
            Drain = Duration(section["drain"], positive: false) ?? defaults.Drain,
            DrainConnections = Duration(section["drain-connections"], positive: false) ?? defaults.DrainConnections,
            FailedRequests = Whole(abort["failed-requests"], 0, 1_000_000) ?? defaults.FailedRequests,
            Detect = ReadDetect(section["detect"]) ?? defaults.Detect,
            Synthetic = ReadSynthetic(section["synthetic"]),
            Keep = Whole(section["keep"], 0, 20) ?? defaults.Keep,
        };
    }

    private void ReadRolloutWord(Field field)
    {
        if (Text(field) is not { } word || word == "blue-green")
            return;

        if (word == "rolling")
            Later(field.Node, field.Path, "'rolling' is not supported yet", "write blue-green, or a mapping with canary: [5%, 25%, 50%]");
        else
            Bad(field, $"'{Show(word)}' is not a way to roll out", "write blue-green, or a mapping with canary: [5%, 25%, 50%]");
    }

    private void ReadBlueGreen(Section section)
    {
        if (section["blue-green"] is not { } field)
            return;

        if (Text(field) is { } text && text != "true")
            Bad(field, $"'{Show(text)}' says nothing", "write blue-green: true, or canary: [5%, 25%, 50%]");
        if (section["canary"] is { } canary)
            diagnostics.Error(ProjectCodes.Conflict, "a rollout is blue-green or a canary, not both", canary.Span,
                "keep one of them", canary.Path);
    }

    private List<int> ReadCanary(Field? field)
    {
        List<int> weights = [];
        if (field is null)
            return weights;

        foreach (var item in Items(field))
        {
            if (Value(item, Weight, "a step", "a whole percentage from 1% to 99%") is not { } weight)
                continue;
            if (weights.Count > 0 && weight <= weights[^1])
                Bad(item, string.Create(CultureInfo.InvariantCulture, $"{weight}% comes after {weights[^1]}%"),
                    "each step takes more traffic than the one before");
            else
                weights.Add(weight);
        }

        if (field.Node is YamlList { Items.Count: 0 })
            Bad(field, "a canary has no steps", "write steps such as [5%, 25%, 50%], or blue-green");
        return weights;
    }

    private static int? Weight(string text) =>
        ProjectValues.Percentage(text) is >= 1 and <= 99 and var percent && percent == decimal.Truncate(percent) ? (int)percent : null;

    private double? ReadDetect(Field? field)
    {
        var percent = Value(field, text => ProjectValues.Percentage(text) is > 0 and < 100 and var found ? found : (decimal?)null,
            "a failure rate", "a percentage between 0% and 100%, such as 1%");
        return (double?)(percent / 100);
    }

    private SyntheticTraffic? ReadSynthetic(Field? field)
    {
        if (field is null || ReadSection(field, ProjectKeys.Synthetic) is not { } section)
            return null;

        string? path = Required(section, "path") is { } given ? ReadUrlPath(given) : null;
        int? rate = Required(section, "rate") is { } perSecond ? Whole(perSecond, 1, 10_000) : null;
        return path is null || rate is null ? null : new(path, rate.Value);
    }
}

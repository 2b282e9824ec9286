using Ingot.Builds.Cache;
using Ingot.Builds.Steps;
using Ingot.Plans;

namespace Ingot.Builds.Running;

/// <summary>A plan whose stages are finished: what outputs are made of.</summary>
/// <param name="Plan">The plan.</param>
/// <param name="Session">The build.</param>
/// <param name="Results">What its stages came to, by name.</param>
/// <param name="Source">The commit of the project's working tree; null when it is in none.</param>
/// <param name="Started">When the build began.</param>
internal sealed record FinishedStages(
    Plan Plan, BuildSession Session, IReadOnlyDictionary<string, StageResult> Results, SourceRevision? Source, DateTimeOffset Started)
{
    /// <summary>The time of a stage.</summary>
    public DateTimeOffset EpochOf(PlannedStage stage) => stage.Epoch ?? Session.Settings.Epoch;

    /// <summary>How an output was made.</summary>
    /// <param name="image">The output.</param>
    /// <param name="finished">What was asked for before it.</param>
    public BuildRecord RecordOf(PlannedImage image, IReadOnlyList<BuiltImage> finished)
    {
        var (own, others) = StagesOf(image);
        var steps = own.SelectMany(name => Results[name].Steps).Where(s => s.Result is not null).ToList();
        var all = own.Concat(others.SelectMany(o => StagesOf(Plan.Images.First(i => i.Stage == o)).Own)).Distinct();
        var executed = all.SelectMany(name => Results[name].Steps.Select(step => (Stage: name, step.Step, step.Result))).ToList();
        var made = executed.Select(s => s.Result).OfType<StepResult>().ToList();
        return new BuildRecord
        {
            Source = Source,
            Template = image.Template,
            Bases =
            [
                .. image.Bases.Select(b => new BaseImage(b.Reference, b.Manifest)),
                .. finished.Where(f => Plan.Images.Any(i => i.Name == f.Name && others.Contains(i.Stage)))
                    .Select(f => new BaseImage(f.Name, f.Digest)),
            ],
            Arguments = image.Arguments,
            Bootstraps = [.. executed.Where(s => s.Step is BootstrapStep)
                .Select(s => new BootstrapRecord(s.Stage, ((BootstrapStep)s.Step).Request, s.Result!.Packages))],
            Materials = [.. made.SelectMany(r => r.Materials).Distinct()],
            Rules = [.. made.SelectMany(r => r.Rules).Distinct().Order(StringComparer.Ordinal)],
            Started = Started,
            Finished = Session.Settings.TimeProvider.GetUtcNow(),
            Steps = steps.Count,
            CachedSteps = steps.Count(s => s.IsCached),
            Epoch = EpochOf(Plan.Stage(image.Stage)),
            RulesOff = Plan.Stage(image.Stage).RulesOff,
            Codec = Session.CodecOf(image).Codec,
        };
    }

    // The stages of an image, and the stages it uses that are another image asked for.
    private (IReadOnlyList<string> Own, IReadOnlyList<string> Others) StagesOf(PlannedImage image)
    {
        var own = new List<string>();
        var others = new List<string>();
        var next = new Queue<string>([image.Stage]);
        while (next.TryDequeue(out var name))
        {
            if (own.Contains(name) || others.Contains(name))
                continue;

            bool isOther = name != image.Stage && Plan.Images.Any(i => i.Stage == name);
            (isOther ? others : own).Add(name);
            foreach (var used in isOther ? [] : Plan.Stage(name).Uses)
                next.Enqueue(used);
        }

        return (own, others);
    }
}

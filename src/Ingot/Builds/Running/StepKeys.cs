using System.Globalization;
using Ingot.Builds.Layers;
using Ingot.Builds.Normalisation;
using Ingot.Builds.Steps;
using Ingot.Oci.Content;
using Ingot.Plans;
using Ingot.Tools;

namespace Ingot.Builds.Running;

/// <summary>Keys of steps: the definition, the layers below, the content that is read, and what of this program decides the result.</summary>
internal static class StepKeys
{
    /// <summary>The key of a step over a chain. Paths of the host, times of files, names of people and the order in which directories are read are no part of it.</summary>
    /// <param name="step">The step.</param>
    /// <param name="parent">The layers below.</param>
    /// <param name="input">The content that it reads; null for none.</param>
    /// <param name="epoch">The latest time of what it makes.</param>
    /// <param name="rulesOff">Rules that are off.</param>
    /// <param name="exempt">Ids of secrets whose values are not looked for: a result in which one may be is not that of a build that would
    /// have refused it.</param>
    public static StepKey Of(
        Step step, LayerChain parent, Digest? input, DateTimeOffset epoch, IReadOnlyList<string>? rulesOff = null,
        IReadOnlyCollection<string>? exempt = null) => StepKey.Of(
    [
        .. step.Parts,
        // The layers' identities, not the steps that made them: a step that comes to the same result again changes nothing after it.
        .. step is BootstrapStep || (step is CopyStep copy && CopyExecution.IsLinked(copy)) ? Array.Empty<KeyPart>() : [new("parent", parent.Id.ToString())],
        .. input is { } content ? [new KeyPart("content", content.ToString())] : Array.Empty<KeyPart>(),
        .. Surroundings(step, rulesOff),
        .. step is RunStep run && exempt is not null ? Exempt(run, exempt) : [],
        new("epoch", epoch.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture)),
    ]);

    private static IEnumerable<KeyPart> Exempt(RunStep step, IReadOnlyCollection<string> exempt) => step.Mounts.OfType<StepMount.Secret>()
        .Select(m => m.Id).Where(id => exempt.Contains(id)).Distinct().Order(StringComparer.Ordinal).Select(id => new KeyPart("exempt secret", id));

    private static IEnumerable<KeyPart> Surroundings(Step step, IReadOnlyList<string>? rulesOff) => step switch
    {
        BootstrapStep => [new("profile", Mmdebstrap.Profile), new("platform", Platform.Host.ToString()), .. Rules(isBootstrap: true, rulesOff)],
        RunStep => [new("surroundings", CommandExecution.Version), .. Rules(isBootstrap: false, rulesOff)],
        _ => [new("layout", "copy@2")],
    };

    private static IEnumerable<KeyPart> Rules(bool isBootstrap, IReadOnlyList<string>? off) => Normaliser.RulesFor(isBootstrap, off).Select(r => new KeyPart("rule", r.ToString()));
}

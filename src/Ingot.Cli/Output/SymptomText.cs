using Ingot.Diagnostics;
using Ingot.Server.Api;

namespace Ingot.Cli.Output;

/// <summary>Shows what is left of instances that failed.</summary>
internal static class SymptomText
{
    /// <summary>A line for each instance, and the last lines it wrote beneath.</summary>
    public static IEnumerable<string> Of(IEnumerable<InstanceSymptom>? symptoms)
    {
        foreach (var symptom in symptoms ?? [])
        {
            string end = symptom.OutOfMemory ? " ran out of memory;" : symptom.ExitCode is { } code ? $" ended with exit code {code};" : "";
            yield return $"{symptom.Instance}:{end} kept as container {symptom.Container} until the next rollout: "
                + $"'docker inspect {symptom.Container}'";
            foreach (string line in symptom.Log)
                yield return $"{symptom.Instance} | {PlainText.Cleaned(line)}";
        }
    }
}

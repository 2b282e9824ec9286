using System.Text.Json;
using System.Text.Json.Serialization;
using Ingot.Evidence.Provenance;

namespace Ingot.Evidence.Tests;

/// <summary>How a check ended.</summary>
public enum TestOutcome
{
    /// <summary>As expected.</summary>
    Pass,

    /// <summary>Not as expected, or it could not be found out.</summary>
    Fail,

    /// <summary>Not looked at: the file says so, or what it is about is not there.</summary>
    Skip,
}

/// <summary>One check and how it ended.</summary>
/// <param name="ResourceType">What kind of resource.</param>
/// <param name="ResourceId">The resource's key in its file.</param>
/// <param name="Property">The attribute that was checked.</param>
/// <param name="Outcome">How it ended.</param>
/// <param name="Expected">What was expected, as JSON.</param>
/// <param name="Found">What was found, as JSON; null when it was not looked at or could not be found out.</param>
/// <param name="Summary">One line for people.</param>
/// <param name="Duration">How long finding out took.</param>
public sealed record TestResult(
    GossResourceType ResourceType, string ResourceId, string Property, TestOutcome Outcome, string Expected, string? Found,
    string Summary, TimeSpan Duration)
{
    /// <summary>The resource's title; null for none.</summary>
    public string? Title { get; init; }

    /// <summary>Which check this is, in one file: <c>file /etc/passwd: mode</c>.</summary>
    public string Name => $"{ResourceType.ToString().ToLowerInvariant()} {ResourceId}: {Property}";
}

/// <summary>The outcome of a test run.</summary>
/// <param name="Files">The goss files that were run, in order.</param>
/// <param name="Results">The checks, file by file in the files' order.</param>
/// <param name="Duration">How long all of it took.</param>
public sealed record TestReport(IReadOnlyList<GossFile> Files, IReadOnlyList<TestResult> Results, TimeSpan Duration)
{
    /// <summary>Checks that passed.</summary>
    public int Passed => Results.Count(r => r.Outcome == TestOutcome.Pass);

    /// <summary>Checks that failed.</summary>
    public int Failed => Results.Count(r => r.Outcome == TestOutcome.Fail);

    /// <summary>Checks that were not looked at.</summary>
    public int Skipped => Results.Count(r => r.Outcome == TestOutcome.Skip);

    /// <summary>What the sandbox wrote before it ended by itself, for people; null when it did not.</summary>
    public string? SandboxOutput { get; init; }

    /// <summary>What the image might do while it was tested.</summary>
    public required SandboxTerms Sandbox { get; init; }

    /// <summary>Whether nothing failed.</summary>
    public bool Succeeded => Failed == 0;

    /// <summary>The predicate of a test result. A run in which nothing passed says <c>WARNED</c>: a file without checks is no proof.
    /// Skipped checks are in no list.</summary>
    public JsonElement ToPredicate() => JsonSerializer.SerializeToElement(
        new TestResultPredicate
        {
            Result = Failed > 0 ? TestResultPredicate.FailedWord
                : Passed > 0 ? TestResultPredicate.PassedWord
                : TestResultPredicate.WarnedWord,
            Configuration = [.. Files.Select(f => ResourceDescriptor.Of(f.Name, f.Digest))],
            Sandbox = Sandbox,
            PassedTests = Names(TestOutcome.Pass),
            FailedTests = Names(TestOutcome.Fail),
        },
        TestJson.Default.TestResultPredicate);

    private List<string> Names(TestOutcome outcome) => [.. Results.Where(r => r.Outcome == outcome).Select(r => r.Name)];
}

/// <summary>What a test result says
/// (<see href="https://github.com/in-toto/attestation/blob/v1.1.0/spec/predicates/test-result.md">test result v0.1</see>).</summary>
public sealed record TestResultPredicate
{
    /// <summary>Something passed, and nothing failed.</summary>
    public const string PassedWord = "PASSED";

    /// <summary>Nothing failed, and nothing passed.</summary>
    public const string WarnedWord = "WARNED";

    /// <summary>Something failed.</summary>
    public const string FailedWord = "FAILED";

    /// <summary><c>PASSED</c>, <c>WARNED</c> or <c>FAILED</c>.</summary>
    [JsonPropertyName("result")]
    public required string Result { get; init; }

    /// <summary>The test files.</summary>
    [JsonPropertyName("configuration")]
    public required IReadOnlyList<ResourceDescriptor> Configuration { get; init; }

    /// <summary>What the image might do while it was tested.</summary>
    [JsonPropertyName("sandbox")]
    public required SandboxTerms Sandbox { get; init; }

    /// <summary>The checks that passed, in the files' order.</summary>
    [JsonPropertyName("passedTests")]
    public required IReadOnlyList<string> PassedTests { get; init; }

    /// <summary>The checks that failed, in the files' order.</summary>
    [JsonPropertyName("failedTests")]
    public required IReadOnlyList<string> FailedTests { get; init; }

    /// <summary>Reads a predicate, or throws <see cref="FormatException"/>.</summary>
    public static TestResultPredicate FromPredicate(JsonElement predicate)
    {
        const string What = "a test result";
        var result = PredicateReader.Read(predicate, TestJson.Default.TestResultPredicate, What);
        PredicateReader.RefuseOther(result.Result, What, PassedWord, WarnedWord, FailedWord);
        PredicateReader.RefuseNull(result.Configuration, What);
        PredicateReader.RefuseNull(result.PassedTests, What);
        PredicateReader.RefuseNull(result.FailedTests, What);
        PredicateReader.RefuseNull(result.Sandbox.Writable.Select(w => w?.Path), What);
        return result;
    }
}

[JsonSourceGenerationOptions(RespectNullableAnnotations = true, AllowDuplicateProperties = false,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(TestResultPredicate))]
internal sealed partial class TestJson : JsonSerializerContext;

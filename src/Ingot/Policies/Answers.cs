using System.Text.Json;
using Ingot.Evidence;
using Ingot.Evidence.Signatures;
using Ingot.Oci.Content;

namespace Ingot.Policies;

/// <summary>One answer to a question of the project.</summary>
/// <param name="Record">The evidence.</param>
/// <param name="Said">What it says.</param>
/// <param name="Time">When it was found, as signed.</param>
internal sealed record Answer<T>(EvidenceRecord Record, T Said, DateTimeOffset Time);

/// <summary>The evidence of one kind, divided into what answers the project's questions about this image and what does not.</summary>
/// <param name="All">What does.</param>
/// <param name="Others">Why the rest does not, a reason each.</param>
/// <param name="Blocked">Why nothing can be said although there are answers; null when it can.</param>
internal sealed record Answers<T>(IReadOnlyList<Answer<T>> All, IReadOnlyList<string> Others, string? Blocked)
    where T : class
{
    /// <summary>The last answers: one, or several of the same moment, which must then all agree.</summary>
    public IReadOnlyList<Answer<T>> Latest { get; } = LatestOf(All);

    /// <summary>The evidence manifests of the last answers.</summary>
    public IReadOnlyList<Digest> Manifests => [.. Latest.Select(a => a.Record.Manifest)];

    /// <summary>The later of answers; the signed time alone tells: whoever may push could push an old one again.</summary>
    public static IReadOnlyList<Answer<T>> LatestOf(IReadOnlyList<Answer<T>> answers)
    {
        if (answers.Count == 0)
            return [];

        var last = answers.Max(a => a.Time);
        return [.. answers.Where(a => a.Time == last)];
    }
}

/// <summary>Finds the answers to the project's questions among the evidence.</summary>
internal static class Answers
{
    // Clocks of two hosts differ by seconds; an answer from tomorrow would be the last one until then.
    private static readonly TimeSpan s_skew = TimeSpan.FromMinutes(5);

    /// <summary>Reads the evidence of a kind.</summary>
    /// <param name="c">The candidate.</param>
    /// <param name="kind">The kind.</param>
    /// <param name="read">Reads a predicate, or throws <see cref="FormatException"/>.</param>
    /// <param name="objection">Why a predicate answers another question; null when it does not.</param>
    public static Answers<T> Of<T>(Candidate c, EvidenceKind kind, Func<JsonElement, T> read, Func<T, string?> objection)
        where T : class
    {
        List<Answer<T>> answers = [];
        List<string> others = [];
        List<(DateTimeOffset Time, string Why)> unreadable = [];
        foreach (var record in c.Evidence.OfKind(kind))
        {
            if (Unbound(c, record) is { } other)
            {
                others.Add(other);
                continue;
            }

            var time = StatementBinding.Of(record.Statement)!.Time;
            if (time > c.Now + s_skew)
                unreadable.Add((time, "one is dated in the future: compare the clocks of the hosts"));
            else if (!TryRead(record, read, out var said, out var problem))
                unreadable.Add((time, problem));
            else if (objection(said) is { } why)
                others.Add(why);
            else
                answers.Add(new Answer<T>(record, said, time));
        }

        var last = answers.Count == 0 ? DateTimeOffset.MinValue : answers.Max(a => a.Time);
        return new Answers<T>(answers, [.. others, .. unreadable.Select(u => u.Why)],
            unreadable.Where(u => u.Time >= last).Select(u => u.Why).FirstOrDefault());
    }

    private static string? Unbound(Candidate c, EvidenceRecord record) => StatementBinding.Of(record.Statement) switch
    {
        null => "one names no project, image and time: an earlier version of Ingot signed it",
        { } bound when bound.Project != c.Project || bound.Image != c.Image.Name => $"one is about '{bound.Name}'",
        _ => null,
    };

    private static bool TryRead<T>(EvidenceRecord record, Func<JsonElement, T> read, out T said, out string problem)
    {
        try
        {
            (said, problem) = (read(record.Predicate), "");
            return true;
        }
        catch (FormatException e)
        {
            (said, problem) = (default!, $"one cannot be read: {Shown(e.Message)}");
            return false;
        }
    }

    private static string Shown(string text) => text.Length <= 200 ? text : text[..200] + "…";
}

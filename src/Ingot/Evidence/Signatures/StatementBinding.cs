using System.Globalization;

namespace Ingot.Evidence.Signatures;

/// <summary>What a statement is bound to beside its digest: the project and the image it was made for,
/// and when the question was answered.</summary>
/// <remarks>
/// It is signed: the statement's one subject is named <c>PROJECT/IMAGE</c>, and its annotations say project, image and time again, each by
/// itself. A digest alone would let what was found for one project speak for another that holds the same bytes.
/// </remarks>
/// <param name="Project">The project.</param>
/// <param name="Image">The image's name in it.</param>
/// <param name="Time">When the question was answered, UTC: of two answers to one question the later counts.</param>
public sealed record StatementBinding(string Project, string Image, DateTimeOffset Time)
{
    private const string ProjectKey = "io.ingot.project", ImageKey = "io.ingot.image", TimeKey = "io.ingot.time";
    private const string Form = "yyyy-MM-dd'T'HH:mm:ss.fffffff'Z'";

    /// <summary>The subject's name.</summary>
    public string Name => $"{Project}/{Image}";

    /// <summary>The annotations of the subject.</summary>
    public SortedDictionary<string, string> Annotations => new(StringComparer.Ordinal)
    {
        [ProjectKey] = Project,
        [ImageKey] = Image,
        [TimeKey] = Time.UtcDateTime.ToString(Form, CultureInfo.InvariantCulture),
    };

    /// <summary>What a statement is bound to; null when it does not say, or says two things.</summary>
    public static StatementBinding? Of(Statement statement)
    {
        if (statement.Subjects is not [{ Annotations: { } notes } subject]
            || !notes.TryGetValue(ProjectKey, out var project)
            || !notes.TryGetValue(ImageKey, out var image)
            || !notes.TryGetValue(TimeKey, out var text)
            || !DateTimeOffset.TryParseExact(text, Form, CultureInfo.InvariantCulture,
                DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var time))
        {
            return null;
        }

        var binding = new StatementBinding(project, image, time);
        return project.Length > 0 && image.Length > 0 && subject.Name == binding.Name ? binding : null;
    }
}

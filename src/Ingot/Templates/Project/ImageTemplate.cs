using Ingot.Diagnostics;

namespace Ingot.Templates.Project;

/// <summary>One thing that an image can be made from, as <c>ingot.yaml</c> says it.</summary>
/// <param name="Key">The key of an image that chooses it.</param>
/// <param name="Keys">Further keys of an image that go with it, and with no other.</param>
/// <param name="Read">Reads an image that has the key.</param>
public sealed record ImageTemplate(string Key, IReadOnlyList<string> Keys, Func<ImageSection, ImageDefinition> Read)
{
    /// <summary>A bootstrap from Debian packages.</summary>
    public static ImageTemplate Debian { get; } = new("debian", [], section => section.Reader.ReadDebian(section));

    /// <summary>A Dockerfile and its context.</summary>
    public static ImageTemplate Dockerfile { get; } =
        new("dockerfile", ["context", "target", "args"], section => section.Reader.ReadDockerfile(section));

    /// <summary>Those that are known without anybody adding one.</summary>
    public static IReadOnlyList<ImageTemplate> Standard { get; } = [Debian, Dockerfile];
}

/// <summary>An image of an <c>ingot.yaml</c>, for whoever reads what it is made from. What is wrong is said by reading it.</summary>
public sealed class ImageSection
{
    private readonly Entry _entry;
    private readonly Section _section;

    internal ImageSection(ProjectReader reader, Entry entry, Section section) => (Reader, _entry, _section) = (reader, entry, section);

    /// <summary>The image's name.</summary>
    public string Name => _entry.Name;

    /// <summary>Where it is defined.</summary>
    public SourceSpan Span => _entry.Key.Span;

    internal ProjectReader Reader { get; }

    internal Field? this[string key] => _section[key];

    /// <summary>The text of a key; null when it is not there, or is no single value.</summary>
    public string? Text(string key) => Reader.Text(_section[key]);

    /// <summary>A path below the project's directory; null when the key is not there, or is no such path.</summary>
    public string? RelativePath(string key) => Reader.RelativePath(_section[key]);
}

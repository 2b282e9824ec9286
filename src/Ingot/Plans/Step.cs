using System.Buffers;
using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Ingot.Diagnostics;
using Ingot.Oci.Content;

namespace Ingot.Plans;

/// <summary>One thing to do to a root filesystem. A step says what, never where on the host or when; <see cref="Parts"/> is all of it that
/// can change the result.</summary>
/// <param name="Text">The instruction as one line, for people.</param>
/// <param name="Span">Where it is written.</param>
public abstract record Step(string Text, SourceSpan Span)
{
    private static readonly SearchValues<char> s_needQuotes = SearchValues.Create(" \n\t\"'\\");

    /// <summary>What the image's history says of it: Docker's words for it, without values of build arguments.</summary>
    public string CreatedBy { get => field ?? Text; init; }

    /// <summary>The canonical definition: what of the step its result depends on,
    /// beside the parent's layers and the content it reads.</summary>
    public abstract IReadOnlyList<KeyPart> Parts { get; }

    /// <summary>The trees that it reads beside the one it changes.</summary>
    public virtual IEnumerable<TreeSource> Reads => [];

    /// <summary>Whether it is made anew, whatever the cache holds.</summary>
    public bool IsFresh { get; init; }

    /// <summary>The definition in one line.</summary>
    public sealed override string ToString() =>
        string.Join(' ', Parts.Select(p => p.Value.Length == 0 ? p.Name : $"{p.Name}={Quote(p.Value)}"));

    private static string Quote(string value) => value.AsSpan().ContainsAny(s_needQuotes)
        ? '"' + JsonEncodedText.Encode(value, JavaScriptEncoder.UnsafeRelaxedJsonEscaping).Value + '"'
        : value;
}

/// <summary>Makes a root filesystem of Debian packages.</summary>
/// <param name="Text">For people.</param>
/// <param name="Span">Where it is written.</param>
/// <param name="Suite">The release.</param>
/// <param name="Packages">Packages beside the minimal set, sorted, each once.</param>
/// <param name="Mirror">Where packages come from; null for the bootstrapper's own default.</param>
public sealed record BootstrapStep(
    string Text, SourceSpan Span, string Suite, IReadOnlyList<string> Packages, string? Mirror) : Step(Text, Span)
{
    /// <summary>The packages it must come to; null where nothing is locked, and what the mirror has is taken.</summary>
    public BootstrapLock? Lock { get; init; }

    /// <summary>Whether packages keep their manuals, documents and translations, those that are installed later included.</summary>
    public bool KeepsDocumentation { get; init; }

    /// <summary>What was asked for, as a lock remembers it: the release and the packages.</summary>
    public string Request => string.Join(' ', [Suite, .. Packages]);

    /// <inheritdoc/>
    public override IReadOnlyList<KeyPart> Parts =>
    [
        new("bootstrap", "debian"), new("suite", Suite), .. Packages.Select(p => new KeyPart("package", p)),
        .. Mirror is null ? Array.Empty<KeyPart>() : [new("mirror", Mirror)],
        .. KeepsDocumentation ? [new("documentation", "keep")] : Array.Empty<KeyPart>(),
        .. Lock is null ? [] : Lock.Packages.Select(p => new KeyPart(Lock.IsWhole ? "locked" : "locked part", p.ToString())),
    ];
}

/// <summary>The packages that an earlier bootstrap installed, to be installed again.</summary>
/// <param name="Packages">The packages, sorted.</param>
/// <param name="IsWhole">Whether they are all: the same was asked for. Else others may come with them, or some be gone.</param>
public sealed record BootstrapLock(IReadOnlyList<InstalledPackage> Packages, bool IsWhole);

/// <summary>A package of a distribution, in an image.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Architecture">What it is for: an architecture of Debian's, or <c>all</c>.</param>
/// <param name="Version">Its version.</param>
/// <param name="Digest">The SHA-256 of the file it came in.</param>
public sealed record InstalledPackage(
    [property: JsonPropertyName("name")] string Name,
    [property: JsonPropertyName("architecture")] string Architecture,
    [property: JsonPropertyName("version")] string Version,
    [property: JsonPropertyName("digest")] Digest Digest)
{
    /// <summary>How a lock names it, <c>name:architecture</c>.</summary>
    public string Id => $"{Name}:{Architecture}";

    /// <inheritdoc/>
    public override string ToString() => $"{Id} {Version} {Digest}";
}

/// <summary>Runs a command in the root filesystem.</summary>
/// <param name="Text">For people.</param>
/// <param name="Span">Where it is written.</param>
/// <param name="Arguments">The program and its arguments.</param>
/// <param name="Environment">The variables as <c>NAME=value</c>, in order.</param>
/// <param name="User">The user as the template says, <c>name[:group]</c>; empty for root.</param>
/// <param name="Directory">The working directory.</param>
public sealed record RunStep(
    string Text, SourceSpan Span, IReadOnlyList<string> Arguments, IReadOnlyList<string> Environment, string User, string Directory)
    : Step(Text, Span)
{
    /// <summary>A program of text that is put into the container and run in place of <see cref="Arguments"/>; null for none.</summary>
    public InlineFile? Script { get; init; }

    /// <summary>Variables that are given to the command and are no part of its result: where the proxy is.</summary>
    public IReadOnlyList<string> Transparent { get; init; } = [];

    /// <summary>What is mounted while it runs, in order.</summary>
    public IReadOnlyList<StepMount> Mounts { get; init; } = [];

    /// <summary>What it can reach.</summary>
    public StepNetwork Network { get; init; }

    /// <summary>How many processors it sees; null for the host's.</summary>
    public int? Processors { get; init; }

    /// <summary>Further lines of <c>/etc/hosts</c>, as <c>address name</c>.</summary>
    public IReadOnlyList<string> Hosts { get; init; } = [];

    /// <summary>The size of <c>/dev/shm</c> in bytes; null for the usual.</summary>
    public long? SharedMemory { get; init; }

    /// <summary>Limits of its processes.</summary>
    public IReadOnlyList<StepLimit> Limits { get; init; } = [];

    /// <summary>Whether it runs with all privileges (<c>--security=insecure</c>), which the person must have allowed.</summary>
    public bool Insecure { get; init; }

    /// <inheritdoc/>
    public override IEnumerable<TreeSource> Reads => Mounts.Select(m => m.Tree?.From).OfType<TreeSource>();

    /// <inheritdoc/>
    public override IReadOnlyList<KeyPart> Parts =>
    [
        new("run", ""), .. Arguments.Select(a => new KeyPart("argument", a)),
        .. Script is null ? Array.Empty<KeyPart>() : [new("script", $"{Script.Name}\n{Script.Content}")],
        .. Environment.Select(e => new KeyPart("variable", e)),
        new("user", User), new("directory", Directory),
        .. Mounts.Select(m => new KeyPart("mount", m.Definition)),
        .. Network == StepNetwork.Default ? Array.Empty<KeyPart>() : [new("network", Network == StepNetwork.None ? "none" : "host")],
        .. Processors is { } processors ? [new("processors", processors.ToString(CultureInfo.InvariantCulture))] : Array.Empty<KeyPart>(),
        .. Insecure ? [new("security", "insecure")] : Array.Empty<KeyPart>(),
        .. Hosts.Select(h => new KeyPart("host", h)),
        .. SharedMemory is { } size ? [new("shared memory", size.ToString(CultureInfo.InvariantCulture))] : Array.Empty<KeyPart>(),
        .. Limits.Select(l => new KeyPart("limit", l.ToString())),
    ];
}

/// <summary>Copies files into the root filesystem.</summary>
/// <param name="Text">For people.</param>
/// <param name="Span">Where it is written.</param>
/// <param name="From">Where <paramref name="Sources"/> are.</param>
/// <param name="Sources">What is copied, in order.</param>
/// <param name="Destination">Where to, absolute and cleaned.</param>
public sealed record CopyStep(
    string Text, SourceSpan Span, TreeSource From, IReadOnlyList<CopySource> Sources, string Destination) : Step(Text, Span)
{
    /// <summary>Whether the template asked for a directory: <see cref="Destination"/> was written with a slash at its end.</summary>
    public bool DestinationIsDirectory { get; init; }

    /// <summary>The owner as the template says, <c>user[:group]</c>; null for root, or for the owner in the other stage.</summary>
    public string? Owner { get; init; }

    /// <summary>The mode of everything copied; null to keep modes.</summary>
    public ModeChange? Mode { get; init; }

    /// <summary>Whether the layer is made as if nothing were below: the destination's links are not followed, and missing directories are
    /// made anew (<c>--link</c>).</summary>
    public bool Link { get; init; }

    /// <summary>Whether the directories above each source are kept below the destination (<c>--parents</c>).</summary>
    public bool Parents { get; init; }

    /// <summary>What is not taken, patterns as in ignore files relative to each source's root (<c>--exclude</c>).</summary>
    public IReadOnlyList<string> Exclude { get; init; } = [];

    /// <summary>Which archives are unpacked.</summary>
    public Unpacking Unpacking { get; init; }

    /// <summary>Files whose text stands in the template, copied after <see cref="Sources"/>.</summary>
    public IReadOnlyList<InlineFile> Inline { get; init; } = [];

    /// <inheritdoc/>
    public override IEnumerable<TreeSource> Reads => [From];

    /// <inheritdoc/>
    public override IReadOnlyList<KeyPart> Parts =>
    [
        // The content itself is an input; whether it came from a context or a stage decides what modes and owners mean.
        new("copy", From is TreeSource.Context ? "context" : From is TreeSource.Inline ? "inline" : "tree"),
        .. From is TreeSource.Context { KeepsModes: true } ? [new("modes", "kept")] : Array.Empty<KeyPart>(),
        .. Sources.Select(s => new KeyPart("source", s.Remote is null ? s.Pattern : $"{s.Remote}")),
        .. Inline.Select(f => new KeyPart("file", $"{f.Name}\n{f.Content}")),
        new("destination", DestinationIsDirectory && Destination != "/" ? Destination + "/" : Destination),
        .. Owner is null ? Array.Empty<KeyPart>() : [new("owner", Owner)],
        .. Mode is null ? Array.Empty<KeyPart>() : [new("mode", Mode.Text)],
        .. Link ? [new("link", "")] : Array.Empty<KeyPart>(),
        .. Parents ? [new("parents", "")] : Array.Empty<KeyPart>(),
        .. Exclude.Select(e => new KeyPart("exclude", e)),
        .. Unpacking == Unpacking.None ? Array.Empty<KeyPart>() : [new("unpack", Unpacking == Unpacking.Local ? "local" : "all")],
    ];
}

/// <summary>A path or a pattern that a copy reads.</summary>
/// <param name="Pattern">Below the root of the source, without a leading slash; empty for all of it.</param>
/// <param name="Span">Where it is written.</param>
public sealed record CopySource(string Pattern, SourceSpan Span)
{
    /// <summary>Whether the text is a pattern and not one path.</summary>
    public bool IsPattern => Pattern.AsSpan().ContainsAny("*?[\\");

    /// <summary>Where this one comes from instead of the copy's own source: a download or a repository; null for the copy's own.</summary>
    public TreeSource? Remote { get; init; }
}

/// <summary>Which archives a copy unpacks: tar, plain or compressed with gzip, bzip2, xz or zstd, known by their content.</summary>
public enum Unpacking
{
    /// <summary>None: COPY.</summary>
    None,

    /// <summary>Those of the context: ADD.</summary>
    Local,

    /// <summary>Downloads too: ADD --unpack.</summary>
    All,
}

/// <summary>What a command can reach.</summary>
public enum StepNetwork
{
    /// <summary>The network that builds have.</summary>
    Default,

    /// <summary>Only itself.</summary>
    None,

    /// <summary>The host's own network, which the person must have allowed.</summary>
    Host,
}

/// <summary>A file whose text stands in the template.</summary>
public sealed record InlineFile(string Name, string Content);

/// <summary>Makes a directory when it is missing, with those above it.</summary>
/// <param name="Text">For people.</param>
/// <param name="Span">Where it is written.</param>
/// <param name="Path">The directory, absolute and cleaned.</param>
/// <param name="User">Who owns what is made, as the template says; empty for root.</param>
public sealed record DirectoryStep(string Text, SourceSpan Span, string Path, string User) : Step(Text, Span)
{
    /// <inheritdoc/>
    public override IReadOnlyList<KeyPart> Parts => [new("directory", Path), new("user", User)];
}

/// <summary>Changes only the image's configuration; the plan's stage holds the result.</summary>
public sealed record MetadataStep(string Text, SourceSpan Span) : Step(Text, Span)
{
    /// <inheritdoc/>
    public override IReadOnlyList<KeyPart> Parts => [new("metadata", Text)];
}

using System.Text;
using Ingot.Diagnostics;
using Ingot.Oci.Content;

namespace Ingot.Evidence.Tests;

/// <summary>What a goss resource is about.</summary>
public enum GossResourceType
{
    /// <summary>A file, directory or link of the root filesystem.</summary>
    File,

    /// <summary>A package of the distribution.</summary>
    Package,

    /// <summary>A user of <c>/etc/passwd</c>.</summary>
    User,

    /// <summary>A group of <c>/etc/group</c>.</summary>
    Group,

    /// <summary>A command run in the sandbox.</summary>
    Command,

    /// <summary>A process of the sandbox.</summary>
    Process,

    /// <summary>A port of the sandbox.</summary>
    Port,

    /// <summary>A request to the sandbox.</summary>
    Http,
}

/// <summary>One expectation of a resource.</summary>
/// <param name="Property">The attribute, as the file spells it.</param>
/// <param name="Expected">What is expected of it.</param>
/// <param name="Span">Where the file says so.</param>
public sealed record GossCheck(string Property, Matcher Expected, SourceSpan Span);

/// <summary>How a command is run.</summary>
/// <param name="Arguments">The program and its arguments; a line of text is <c>sh -c LINE</c>.</param>
/// <param name="NeedsShell">Whether the file gave a line for the shell.</param>
/// <param name="Timeout">How long it may take.</param>
/// <param name="Retries">How often it is run again when a check of it fails.</param>
/// <param name="RetryDelay">How long to wait before that.</param>
public sealed record GossCommand(IReadOnlyList<string> Arguments, bool NeedsShell, TimeSpan Timeout, int Retries, TimeSpan RetryDelay);

/// <summary>A request to be made.</summary>
public sealed record GossRequest
{
    /// <summary>Where to.</summary>
    public required Uri Url { get; init; }

    /// <summary>The method.</summary>
    public string Method { get; init; } = "GET";

    /// <summary>How long it may take, answer included.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Whether a redirect is the answer itself.</summary>
    public bool NoFollowRedirects { get; init; }

    /// <summary>Whether any certificate is good.</summary>
    public bool AllowInsecure { get; init; }

    /// <summary>Headers as <c>Name: value</c>.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Headers { get; init; } = [];

    /// <summary>The body; null for none.</summary>
    public string? Body { get; init; }

    /// <summary>Name and password of basic authentication, joined by a colon; null for none.</summary>
    public string? Credentials { get; init; }
}

/// <summary>A resource of a goss file.</summary>
/// <param name="Type">What it is about.</param>
/// <param name="Id">Its key in the file.</param>
/// <param name="Name">What it is about by name: the key, or the attribute that stands for it.</param>
/// <param name="Checks">What is expected: first the one that decides whether the others are looked at.</param>
/// <param name="Span">Where the file says so.</param>
public sealed record GossResource(GossResourceType Type, string Id, string Name, IReadOnlyList<GossCheck> Checks, SourceSpan Span)
{
    /// <summary>A person's title; null for none.</summary>
    public string? Title { get; init; }

    /// <summary>Whether it is left out.</summary>
    public bool Skip { get; init; }

    /// <summary>The command, when it is one.</summary>
    public GossCommand? Command { get; init; }

    /// <summary>The request, when it is one.</summary>
    public GossRequest? Request { get; init; }

    /// <summary>Whether the root filesystem alone can tell: nothing has to run.</summary>
    public bool IsOffline => Type is GossResourceType.File or GossResourceType.Package or GossResourceType.User or GossResourceType.Group;
}

/// <summary>A goss file, checked
/// (<see href="https://github.com/goss-org/goss/blob/master/docs/gossfile.md">goss's reference</see>).</summary>
/// <param name="Source">The file.</param>
/// <param name="Resources">Its resources, in the file's order.</param>
public sealed record GossFile(SourceText Source, IReadOnlyList<GossResource> Resources)
{
    /// <summary>What a test result calls it: its path in the project; else as the source is named.</summary>
    public string Name { get; init; } = Source.Name;

    /// <summary>The digest of the file's text as UTF-8: what a test result names as its configuration.</summary>
    public Digest Digest { get; } = Digest.Of(Encoding.UTF8.GetBytes(Source.Text));

    /// <summary>Reads a file. What is wrong with it is added to <paramref name="diagnostics"/>, all of it; then what is returned is not
    /// complete and must not be run.</summary>
    public static GossFile Parse(SourceText source, DiagnosticBag diagnostics) => GossParser.Parse(source, diagnostics);
}

namespace Ingot.Server.Registry;

/// <summary>What a request says about the version it has or expects
/// (<see href="https://www.rfc-editor.org/rfc/rfc9110#section-13">conditional requests</see>). Versions here are digests: the tag of an
/// entity is its digest in quotes.</summary>
internal static class Preconditions
{
    /// <summary>The entity tag of what a digest names.</summary>
    public static string EntityTag(Oci.Content.Digest digest) => $"\"{digest}\"";

    /// <summary>Whether a reader has the version already, which is answered with 304; refuses when it expects another.</summary>
    public static bool IsCurrent(HttpRequest request, string entityTag)
    {
        CheckExpected(request, entityTag);
        return request.Headers.IfNoneMatch is { Count: > 0 } known && Names(known, entityTag, weakly: true);
    }

    /// <summary>Refuses a change when what is there now (null: nothing) is not what the writer expects.</summary>
    public static void CheckChange(HttpRequest request, string? entityTag)
    {
        CheckExpected(request, entityTag);
        if (entityTag is not null && request.Headers.IfNoneMatch is { Count: > 0 } unwanted && Names(unwanted, entityTag, weakly: true))
            throw Failed("If-None-Match", unwanted.ToString(), entityTag);
    }

    /// <summary>Whether ranges are asked of this version: of another, all of it is served.</summary>
    public static bool AllowsRange(HttpRequest request, string entityTag) =>
        request.Headers.IfRange is not { Count: > 0 } only || only.ToString() == entityTag;

    private static void CheckExpected(HttpRequest request, string? entityTag)
    {
        if (request.Headers.IfMatch is { Count: > 0 } expected && (entityTag is null || !Names(expected, entityTag, weakly: false)))
            throw Failed("If-Match", expected.ToString(), entityTag);
    }

    private static bool Names(IEnumerable<string?> headers, string entityTag, bool weakly) => headers
        .SelectMany(header => (header ?? "").Split(',', StringSplitOptions.TrimEntries))
        .Any(name => name == "*" || name == entityTag || (weakly && name == "W/" + entityTag));

    private static RegistryRefusal Failed(string header, string asked, string? entityTag) =>
        new(412, ErrorCode.Denied,
            $"the request is for {header} '{asked}', and {(entityTag is null ? "nothing is there" : $"{entityTag} is there")}");
}

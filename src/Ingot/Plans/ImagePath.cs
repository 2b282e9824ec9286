namespace Ingot.Plans;

/// <summary>Absolute paths in an image, as text: <c>/</c> separates, nothing is looked up.</summary>
public static class ImagePath
{
    /// <summary>The path without empty, <c>.</c> and <c>..</c> components; it begins with a slash and never leads above the root.</summary>
    public static string Clean(string path)
    {
        var parts = new List<string>();
        foreach (var part in path.Split('/'))
        {
            if (part == "..")
                parts.RemoveRange(Math.Max(0, parts.Count - 1), Math.Min(1, parts.Count));
            else if (part is not ("" or "."))
                parts.Add(part);
        }

        return "/" + string.Join('/', parts);
    }

    /// <summary><paramref name="path"/> seen from <paramref name="directory"/>, cleaned.</summary>
    public static string Resolve(string directory, string path) => Clean(path.StartsWith('/') ? path : $"{directory}/{path}");

    /// <summary>Whether the text asks for a directory: it ends with a slash, or its last component is <c>.</c> or <c>..</c>.</summary>
    public static bool NamesDirectory(string path) => path.EndsWith('/') || path[(path.LastIndexOf('/') + 1)..] is "." or "..";

    /// <summary>The path without its leading slash, as layers name it; empty for the root.</summary>
    public static string ToLayer(string path) => Clean(path)[1..];
}

namespace Ingot.Yaml;

/// <summary>Paths in a document for messages: <c>services/web/rollout/canary[1]</c>.</summary>
public static class YamlPath
{
    /// <summary>The path of a key; one with a slash of its own stands in brackets.</summary>
    public static string Join(string path, string key)
    {
        if (key.Contains('/', StringComparison.Ordinal))
            return $"{path}[{key}]";
        return path.Length == 0 ? key : $"{path}/{key}";
    }
}

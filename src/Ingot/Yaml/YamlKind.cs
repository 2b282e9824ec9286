namespace Ingot.Yaml;

/// <summary>What kind of file a document is, for the messages about it.</summary>
/// <param name="Name">The file, with its article: <c>a goss file</c>.</param>
/// <param name="Codes">The codes of what can be wrong with it.</param>
/// <param name="EmptyCure">What to write into an empty file; null where an empty file is in order.</param>
/// <param name="DuplicateCure">What to add to the message about a key that stands twice.</param>
public sealed record YamlKind(string Name, YamlCodes Codes, string? EmptyCure = null, string DuplicateCure = "");

/// <summary>The codes of diagnostics about a document, whatever it says.</summary>
/// <param name="Syntax">The text is not YAML.</param>
/// <param name="TooLarge">It is deeper, longer or more expanded by aliases than it can be.</param>
/// <param name="Documents">There is more than one document.</param>
/// <param name="Key">A key is no single value.</param>
/// <param name="DuplicateKey">A key stands twice in one mapping.</param>
/// <param name="Merge">What is merged is no mapping.</param>
/// <param name="Tag">A tag that has no meaning here.</param>
public sealed record YamlCodes(
    string Syntax, string TooLarge, string Documents, string Key, string DuplicateKey, string Merge, string Tag);

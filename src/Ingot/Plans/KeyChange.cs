namespace Ingot.Plans;

/// <summary>A part that two keys do not share.</summary>
/// <param name="Name">What it is, as in <see cref="KeyPart"/>.</param>
/// <param name="Before">Its value in the earlier key; null when that has none.</param>
/// <param name="After">Its value in the later key; null when that has none.</param>
public readonly record struct KeyChange(string Name, string? Before, string? After);

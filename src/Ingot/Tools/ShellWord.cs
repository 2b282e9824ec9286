using System.Buffers;

namespace Ingot.Tools;

/// <summary>A word as a shell reads it.</summary>
public static class ShellWord
{
    // What no shell gives a meaning to, wherever in a word it stands.
    private static readonly SearchValues<char> s_plain =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_@%+=:,./-");

    /// <summary>The word, quoted unless nothing in it could mean anything: a POSIX shell makes exactly that word of it, as an argument.
    /// No shell takes a NUL.</summary>
    public static string Quote(string word) =>
        word.Length > 0 && !word.AsSpan().ContainsAnyExcept(s_plain) ? word : $"'{word.Replace("'", "'\\''", StringComparison.Ordinal)}'";
}

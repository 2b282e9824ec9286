using System.Text;

namespace Ingot.Templates.Dockerfile;

/// <summary>Texts as code points. A lone surrogate stands for a byte that is not UTF-8 and counts as one.</summary>
internal static class CodePoints
{
    public static int[] Of(string text)
    {
        List<int> points = new(text.Length);
        for (int position = 0; position < text.Length;)
            points.Add(Next(text, ref position));
        return [.. points];
    }

    public static int Next(string text, ref int position)
    {
        bool pair = char.IsHighSurrogate(text[position]) && position + 1 < text.Length && char.IsLowSurrogate(text[position + 1]);
        int point = pair ? char.ConvertToUtf32(text[position], text[position + 1]) : text[position];
        position += pair ? 2 : 1;
        return point;
    }

    public static string Text(ReadOnlySpan<int> points)
    {
        StringBuilder text = new(points.Length);
        foreach (int point in points)
        {
            if (point < 0x10000)
                text.Append((char)point);
            else
                text.Append(char.ConvertFromUtf32(point));
        }

        return text.ToString();
    }
}

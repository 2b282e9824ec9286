using System.Globalization;
using System.Text;
using Ingot.Oci.Tar;

namespace Ingot.Oci.Tests.Tar;

/// <summary>Archives as text: one line an entry.</summary>
internal static class TarListing
{
    public static async Task<string> OfAsync(byte[] archive)
    {
        using var reader = new TarReader(new MemoryStream(archive));
        var text = new StringBuilder();
        while (await reader.NextAsync() is { } entry)
        {
            var content = new MemoryStream();
            await reader.Content.CopyToAsync(content);
            text.Append(Line(entry));
            if (content.Length is > 0 and < 100)
                text.Append(CultureInfo.InvariantCulture, $" = {Encoding.Latin1.GetString(content.ToArray())}");
            text.Append('\n');
        }

        return text.ToString();
    }

    public static string Line(TarEntry entry)
    {
        string type = entry.Type.ToString().ToLowerInvariant();
        double time = (entry.ModifiedTime - DateTimeOffset.UnixEpoch).Ticks / (double)TimeSpan.TicksPerSecond;
        string path = entry.Path.Length == 0 ? "(root)" : Escape(entry.Path);
        string link = entry.LinkTarget is null ? "" : $" -> {Escape(entry.LinkTarget)}";
        string device = entry.Type is TarEntryType.CharacterDevice or TarEntryType.BlockDevice
            ? $" ({entry.DeviceMajor},{entry.DeviceMinor})"
            : "";
        string attributes =
            string.Concat((entry.ExtendedAttributes ?? []).Select(pair => $" [{pair.Key}={Convert.ToHexString(pair.Value)}]"));
        return string.Create(CultureInfo.InvariantCulture, $"{type} {Convert.ToString(entry.Mode, 8)} {entry.UserId}:{entry.GroupId} "
            + $"{entry.Size} {time} {path}{link}{device}{attributes}");
    }

    private static string Escape(string text) => string.Concat(text.Select(c => c switch
    {
        '\n' => "\\n",
        >= '\uDC80' and <= '\uDCFF' => $"\\x{c - 0xDC00:X2}",
        _ => c.ToString(),
    }));
}

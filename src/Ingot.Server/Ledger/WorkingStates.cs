using System.Collections.Concurrent;
using System.Text;
using Ingot.Oci.Content;
using Ingot.Server.Storage;

namespace Ingot.Server.Ledger;

/// <summary>What changes because something was counted: one small file for each rollout and service, overwritten in place.</summary>
/// <remarks>
/// It is no record: nothing of it is signed or synced, and a full disk, a power cut or a restored backup may take it. It is believed only
/// when it was written on top of the entry that is still the last of its kind, and when it is all that was written, so that losing it costs
/// what was counted since that entry and nothing else.
/// </remarks>
public sealed class WorkingStates
{
    private readonly string _directory;
    private readonly ConcurrentDictionary<string, string> _written = new(StringComparer.Ordinal);

    internal WorkingStates(ServerHome home) => _directory = home.Working;

    /// <summary>Keeps a state. False when it could not be: there is no room, which must not keep anybody from acting.</summary>
    /// <param name="key">Whose it is, such as a rollout's id.</param>
    /// <param name="basedOn">The mark of the entry that it goes on from: <see cref="LedgerView.Mark"/>.</param>
    /// <param name="json">The state.</param>
    public bool Write(string key, string basedOn, string json)
    {
        string text = Head(key, basedOn, json) + json;
        if (_written.TryGetValue(key, out string? last) && last == text)
            return true;

        try
        {
            Directory.CreateDirectory(_directory);
            string temporary = PathOf(key) + ".new";
            File.WriteAllText(temporary, text);
            File.Move(temporary, PathOf(key), overwrite: true);
            _written[key] = text;
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    /// <summary>A state; null when there is none that goes on from this entry.</summary>
    public string? Read(string key, string basedOn)
    {
        try
        {
            string text = File.ReadAllText(PathOf(key));
            int length = Head(key, basedOn, "").Length;
            string json = text.Length > length ? text[length..] : "";
            return text == Head(key, basedOn, json) + json ? json : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Forgets a state, as that of a rollout that has ended.</summary>
    public void Remove(string key)
    {
        _written.TryRemove(key, out _);
        try
        {
            File.Delete(PathOf(key));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It is not trusted any more anyway.
        }
    }

    // A file that was cut short may still be JSON.
    private static string Head(string key, string basedOn, string json) =>
        $"{key}\n{basedOn}\n{Digest.Of(Encoding.UTF8.GetBytes(json)).Hex}\n";

    // Names of services may be as long as a file's name, or longer together.
    private string PathOf(string key) => Path.Combine(_directory, Digest.Of(Encoding.UTF8.GetBytes(key)).Hex);
}

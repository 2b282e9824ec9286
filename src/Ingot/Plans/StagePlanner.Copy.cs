using Ingot.Diagnostics;
using Ingot.Oci.Content;
using Ingot.Templates.Dockerfile;

namespace Ingot.Plans;

// COPY and ADD.
internal sealed partial class StagePlanner
{
    private async Task<bool> TransferAsync(TransferInstruction transfer, CancellationToken cancellationToken)
    {
        TreeSource? from = transfer.Sources.Count == 0 ? new TreeSource.Inline() : _file.Context;
        if (transfer is CopyInstruction { From: { } name })
        {
            if (name.Text.Contains('$', StringComparison.Ordinal))
                Diagnostics.Error("plan-copy-from", $"'--from={name.Text}' cannot hold a variable", name.Span,
                    "write FROM with the variable AS a stage of its own, and name that");
            from = await _file.FindSourceAsync(name.Text, _index, _platform, name.Span, cancellationToken);
        }

        if (from is null)
            return false;

        _steps.Add(CopyStep(transfer, from));
        return true;
    }

    private CopyStep CopyStep(TransferInstruction transfer, TreeSource from)
    {
        string destination = Expand(transfer.Destination);
        bool isDirectory = destination.Length == 0 || ImagePath.NamesDirectory(destination);
        if (transfer.Sources.Count + transfer.Heredocs.Count > 1 && !isDirectory)
            Diagnostics.Error(
                "plan-copy-destination",
                $"several sources are copied to '{destination}', which is not written as a directory",
                transfer.Destination.Span,
                $"write '{destination}/'");

        var texts = transfer.Sources.Select(Expand).ToList();
        var add = transfer as AddInstruction;
        bool parents = transfer is CopyInstruction { Parents: true };
        var sources = transfer.Sources
            .Zip(texts, (word, text) => (add is null ? null : Remote(word, text, add)) ?? Local(word, text, from, parents))
            .ToList();
        if (add?.Checksum is { } checksum && (sources.Count != 1 || sources[0].Remote is null))
            Diagnostics.Error("plan-checksum", "--checksum is for one source that is a URL or a git repository", checksum.Span,
                "name that source in an ADD of its own");

        // What opens an address is in no history and on no screen.
        var shown = texts.Zip(sources, Shown).ToList();
        string line = texts.Zip(shown).Where(p => p.First.Length > 0)
            .Aggregate(transfer.Text, (text, pair) => text.Replace(pair.First, pair.Second, StringComparison.Ordinal));
        var step = new CopyStep(line, transfer.Span, sources.TrueForAll(s => s.Remote is not null) ? new TreeSource.Inline() : from,
            sources, ImagePath.Resolve(WorkingDirectory, destination))
        {
            DestinationIsDirectory = isDirectory,
            Owner = transfer.Chown is null ? null : Expand(transfer.Chown),
            Mode = transfer.Chmod is null ? null : ModeOf(transfer.Chmod),
            Link = transfer.Link,
            Parents = parents,
            // Not expanded, as with BuildKit.
            Exclude = [.. transfer.Exclude.Select(word => word.Text)],
            Unpacking = add is null || add.Unpack == false ? Unpacking.None : add.Unpack == true ? Unpacking.All : Unpacking.Local,
            Inline =
                [.. transfer.Heredocs.Select(h => new InlineFile(h.Name, VariableExpander.ExpandContent(h, _scope.Find, Diagnostics)))],
        };
        return step with
        {
            CreatedBy = HistoryText.Copy(add is null ? "COPY" : "ADD", step, transfer.Chmod is null ? null : Expand(transfer.Chmod),
                shown, destination),
        };
    }

    private static string Shown(string text, CopySource source) => source.Remote switch
    {
        TreeSource.Download { Address: { } address } when address.UserInfo.Length > 0 || address.Query.Length > 0 =>
            SafeAddress.Of(address),
        TreeSource.Git => SafeAddress.InText(text),
        _ => text,
    };

    private CopySource? Remote(Word word, string text, AddInstruction add)
    {
        string? checksum = add.Checksum is null ? null : Expand(add.Checksum);
        if (GitReference.TryParse(text) is { } repository)
        {
            return new CopySource("", word.Span)
            {
                Remote = repository with
                {
                    KeepGitDirectory = repository.KeepGitDirectory || add.KeepGitDirectory,
                    Commit = checksum ?? repository.Commit,
                },
            };
        }

        if (!text.StartsWith("http://", StringComparison.OrdinalIgnoreCase)
            && !text.StartsWith("https://", StringComparison.OrdinalIgnoreCase))
            return null;

        if (!Uri.TryCreate(text, UriKind.Absolute, out var address) || address.Host.Length == 0)
        {
            Diagnostics.Error("plan-address", $"'{text}' is not an address", word.Span, "such as https://host/path/file");
            return new CopySource("", word.Span);
        }

        return new CopySource("", word.Span) { Remote = new TreeSource.Download(address, ChecksumOf(add, checksum), NameOf(address)) };
    }

    private Digest? ChecksumOf(AddInstruction add, string? checksum)
    {
        if (checksum is null)
            return null;
        if (Digest.TryParse(checksum, out var digest))
            return digest;

        Diagnostics.Error("plan-checksum", $"'--checksum={checksum}' is not a digest", add.Checksum!.Span,
            "write it as sha256: and 64 digits");
        return null;
    }

    private static string NameOf(Uri address)
    {
        string last = Uri.UnescapeDataString(address.Segments[^1].TrimEnd('/'));
        return last.Length == 0 || last is "." or ".." || last.Contains('/', StringComparison.Ordinal) ? "__unnamed__" : last;
    }

    private CopySource Local(Word word, string text, TreeSource from, bool parents)
    {
        if (text.Length == 0)
            Diagnostics.Error("plan-empty-source", $"the source '{word.Text}' is empty", word.Span,
                "give its variable a value; '.' means everything");
        int depth = 0;
        foreach (var part in text.Split('/').Where(p => p is not ("" or ".")))
        {
            depth += part == ".." ? -1 : 1;
            if (depth >= 0 || from is not TreeSource.Context)
                continue;

            Diagnostics.Warning(
                "plan-copy-outside",
                $"'{text}' leads out of the build context, and is read as '{ImagePath.Clean(text)[1..]}' in it",
                word.Span,
                "choose a context above it");
            break;
        }

        // The pivot of --parents stays: what is before it is not kept below the destination.
        int pivot = parents ? text.IndexOf("/./", StringComparison.Ordinal) : -1;
        string pattern = pivot < 0
            ? ImagePath.ToLayer(text)
            : $"{ImagePath.ToLayer(text[..pivot])}/./{ImagePath.ToLayer(text[(pivot + 3)..])}";
        return new CopySource(pattern, word.Span);
    }

    private ModeChange? ModeOf(Word word)
    {
        string text = Expand(word);
        if (ModeChange.TryParse(text) is { } mode)
            return mode;

        Diagnostics.Error("plan-chmod", $"'--chmod={text}' is not a mode", word.Span,
            "write it as 755 or 0644, or as changes such as u=rwX,go=rX");
        return null;
    }
}

using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Ingot.Builds;
using Ingot.Oci.Content;
using Ingot.Plans;

namespace Ingot.Projects.Building;

/// <summary>One line of the file in which the log of a build is kept.</summary>
internal sealed record BuildLogLine
{
    /// <summary><c>build</c>, which comes first; <c>cached</c>, <c>started</c>, <c>output</c>, <c>finished</c> or <c>failed</c> of a step;
    /// <c>image</c>; <c>cut</c> where no more was kept.</summary>
    public required string Kind { get; init; }

    /// <summary>The step, <c>stage 2/5</c>.</summary>
    public string? Step { get; init; }

    /// <summary>The instruction, or the line that it wrote.</summary>
    public string? Text { get; init; }

    public double? Seconds { get; init; }

    /// <summary>Of a build: the project and its directory.</summary>
    public string? Project { get; init; }

    public string? Directory { get; init; }

    public DateTimeOffset? Started { get; init; }

    /// <summary>Of a build: the images that it makes.</summary>
    public IReadOnlyList<string>? Images { get; init; }

    /// <summary>Of an image: its name and digest.</summary>
    public string? Name { get; init; }

    public Digest? Digest { get; init; }
}

/// <summary>Keeps what a build in which something ran said, a line at a time: what is there when it is killed can be read. Secrets are
/// covered before they get here.</summary>
internal sealed class BuildLog : IBuildProgress, IDisposable
{
    /// <summary>What ends the name of a log.</summary>
    public const string Extension = ".build";

    // Of the output of one build; a program that writes without end must not fill the disk.
    private const long MaxBytes = 64 << 20;

    private readonly string _path;
    private readonly Lock _gate = new();
    private readonly List<BuildLogLine> _before;
    private StreamWriter? _writer;
    private bool _isBroken;
    private long _bytes;

    public BuildLog(string cache, Plan plan, TimeProvider time)
    {
        var now = time.GetUtcNow();
        string unique = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(4));
        Id = $"{now.ToString("yyyyMMdd'T'HHmmss", CultureInfo.InvariantCulture)}-{unique}";
        _path = Path.Combine(BuildLogs.DirectoryOf(cache), Id + Extension);
        IReadOnlyList<string> images = [.. plan.Images.Select(i => i.Name)];
        _before = [new() { Kind = "build", Project = plan.Project, Directory = plan.Directory, Started = now, Images = images }];
    }

    /// <summary>What the log is called.</summary>
    public string Id { get; }

    /// <summary>Whether anything was kept.</summary>
    public bool IsKept => _writer is not null && !_isBroken;

    public void Report(BuildEvent progress)
    {
        if (LineOf(progress) is not { } line)
            return;

        lock (_gate)
        {
            if (_isBroken)
                return;
            // A build of which all is in the cache says nothing, and the log of the build that made it stays the newest.
            if (_writer is null && progress is not BuildEvent.StepStarted)
                _before.Add(line);
            else
                Write(line, flush: progress is not BuildEvent.StepOutput);
        }
    }

    /// <summary>Puts what was said where others see it.</summary>
    public void Flush()
    {
        lock (_gate)
            Try(() => _writer?.Flush());
    }

    public void Dispose()
    {
        lock (_gate)
        {
            Try(() => _writer?.Dispose());
            _isBroken = true;
        }
    }

    private static BuildLogLine? LineOf(BuildEvent progress) => progress switch
    {
        BuildEvent.StepCached cached => new() { Kind = "cached", Step = NameOf(cached.Step), Text = cached.Step.Text },
        BuildEvent.StepStarted started => new() { Kind = "started", Step = NameOf(started.Step), Text = started.Step.Text },
        BuildEvent.StepOutput output => new() { Kind = "output", Step = NameOf(output.Step), Text = output.Line },
        BuildEvent.StepFinished finished =>
            new() { Kind = "finished", Step = NameOf(finished.Step), Seconds = Math.Round(finished.Elapsed.TotalSeconds, 3) },
        BuildEvent.StepFailed failed =>
            new() { Kind = "failed", Step = NameOf(failed.Step), Seconds = Math.Round(failed.Elapsed.TotalSeconds, 3) },
        BuildEvent.ImageFinished image => new() { Kind = "image", Name = image.Name, Digest = image.Digest },
        _ => null,
    };

    private static string NameOf(StepLabel step) => string.Create(CultureInfo.InvariantCulture, $"{step.Stage} {step.Number}/{step.Count}");

    private void Write(BuildLogLine line, bool flush)
    {
        Try(() =>
        {
            if (_writer is null)
            {
                _writer = Open();
                foreach (var earlier in _before)
                    _writer.WriteLine(TextOf(earlier));
            }

            // As it is written: what is no letter of English takes six.
            string text = TextOf(line);
            int bytes = line.Kind == "output" ? Encoding.UTF8.GetByteCount(text) + 1 : 0;
            bool wasCut = _bytes > MaxBytes;
            _bytes += bytes;
            if (bytes == 0 || _bytes <= MaxBytes)
                _writer.WriteLine(text);
            else if (!wasCut)
                _writer.WriteLine(TextOf(new BuildLogLine { Kind = "cut" }));
            if (flush)
                _writer.Flush();
        });
    }

    private static string TextOf(BuildLogLine line) => JsonSerializer.Serialize(line, BuildLogJson.Default.BuildLogLine);

    private StreamWriter Open()
    {
        Directory.CreateDirectory(Path.GetDirectoryName(_path)!);
        return new StreamWriter(new FileStream(_path, new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.Write,
            Share = FileShare.ReadWrite | FileShare.Delete,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        }));
    }

    // The build goes on without its log.
    private void Try(Action act)
    {
        try
        {
            act();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ObjectDisposedException)
        {
            _isBroken = true;
        }
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(BuildLogLine))]
internal sealed partial class BuildLogJson : JsonSerializerContext;

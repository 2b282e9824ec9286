using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.Json;
using Ingot.Builds;
using Ingot.Builds.Running;
using Ingot.Diagnostics;
using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Oci.Layers;
using Ingot.Oci.Tar;
using Ingot.Plans;
using Ingot.Templates.Project;

namespace Ingot.SystemTests.Builds;

/// <summary>A home with a Debian base in its cache, made by the program itself.</summary>
public sealed class BuildFixture(BuildSeed seed) : IAsyncLifetime
{
    /// <summary>What every project here begins with.</summary>
    public const string Base = "ingot: 1\nproject: p\nimages:\n  base: { debian: { suite: bookworm, packages: [netbase] } }\n";

    /// <summary>A project with what makes digests differ elsewhere: packages, accounts, links, deletions, times.</summary>
    public static readonly IReadOnlyDictionary<string, string> Ordinary = new Dictionary<string, string>
    {
        ["ingot.yaml"] = Base + "  app: { dockerfile: app/Dockerfile, context: app, args: { VERSION: '1.2' } }\n",
        ["app/.dockerignore"] = "*.log\n",
        ["app/left-out.log"] = "not part of it",
        ["app/src/main.txt"] = "text\n",
        ["app/src/run.sh"] = "#!/bin/sh\necho run\n",
        ["app/Dockerfile"] = """
            FROM base AS build
            ARG VERSION
            RUN apt-get update && apt-get install -y --no-install-recommends libcap2-bin
            RUN useradd --create-home --uid 10001 web && groupadd extra && echo "web:secret" | chpasswd
            WORKDIR /src
            COPY src/ ./
            RUN mkdir /out && cp main.txt /out/b && ln /out/b /out/a && date > /tmp/now && rm /tmp/now \
             && rm /etc/issue && rm -r /usr/share/bug && mkdir /usr/share/bug && touch /usr/share/bug/new \
             && echo "$VERSION $SOURCE_DATE_EPOCH $(hostname)" > /out/version && setcap cap_net_bind_service=ep /bin/ls && touch -d @0 /out/old
            RUN <<EOF
            for n in 3 1 2; do echo "$n" > "/out/n$n"; done
            mkfifo /out/pipe
            dd if=/dev/zero of=/out/zero bs=1000 count=3 2>/dev/null
            EOF

            FROM base
            COPY --from=build /etc/passwd /etc/group /etc/
            COPY --from=build --chown=web /out /srv/
            COPY src/run.sh /usr/local/bin/run
            USER web
            CMD ["/usr/local/bin/run"]
            """,
    };

    public string Directory { get; } = System.IO.Directory.CreateTempSubdirectory("ingot-builds-").FullName;

    public string Home => Path.Combine(Directory, "home");

    public DirectoryStore Store { get; private set; } = null!;

    /// <summary>What the program printed when it made the project for the first time.</summary>
    public JsonElement First { get; private set; }

    /// <summary>Why these tests cannot run here; null when they can.</summary>
    public static string? Missing { get; } =
        Environment.UserName != "root" ? "needs root"
        : new[] { "runc", "mmdebstrap", "slirp4netns" }.FirstOrDefault(program => !OnPath(program)) is { } missing ? $"needs {missing}"
        : null;

    public async ValueTask InitializeAsync()
    {
        if (Missing is not null)
            return;

        First = await seed.CopyToAsync(Directory);
        Store = new DirectoryStore(Path.Combine(Home, "content"));
    }

    public ValueTask DisposeAsync()
    {
        // Not the base library's way: names in images may be no text.
        Process.Start("rm", ["-rf", Directory]).WaitForExit();
        return ValueTask.CompletedTask;
    }

    public static void Write(string directory, IReadOnlyDictionary<string, string> files)
    {
        foreach (var (name, text) in files)
        {
            string path = Path.Combine(directory, name);
            System.IO.Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllText(path, text);
        }
    }

    /// <summary>The program, building all images of a project.</summary>
    public static ProcessStartInfo Program(string project, string home, string umask, bool noCache, string under = "")
    {
        string[] options = noCache ? ["--no-cache"] : [];
        var start = new ProcessStartInfo("sh", ["-c", $"umask {umask}; {under} exec \"$@\"", "sh",
            Path.Combine(AppContext.BaseDirectory, "Ingot.Cli"), "-C", project, "--output", "json", "build", .. options])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["INGOT_HOME"] = home;
        start.Environment["NO_COLOR"] = "1";
        return start;
    }

    public static async Task<JsonElement> ProgramAsync(string project, string home, string umask, bool noCache, string under = "")
    {
        using var process = Process.Start(Program(project, home, umask, noCache, under))!;
        var error = process.StandardError.ReadToEndAsync();
        string output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 0, $"exit code {process.ExitCode}\n{await error}\n{output}");
        return JsonDocument.Parse(output).RootElement.GetProperty("images");
    }

    /// <summary>Builds an image <c>app</c> of a Dockerfile, and the base, in the fixture's cache.</summary>
    public Task<Built> BuildAsync(string dockerfile, params (string Name, string Text)[] files) =>
        BuildAsync(dockerfile, settings => settings, CancellationToken.None, files);

    public Task<Built> BuildAsync(
        string dockerfile, Func<BuildSettings, BuildSettings> change, CancellationToken cancellationToken,
        params (string Name, string Text)[] files) =>
        BuildAsync(dockerfile, change, new Recorder(), cancellationToken, files);

    public async Task<Built> BuildAsync(
        string dockerfile, Func<BuildSettings, BuildSettings> change, Recorder events, CancellationToken cancellationToken,
        params (string Name, string Text)[] files)
    {
        string project = System.IO.Directory.CreateTempSubdirectory("ingot-project-").FullName;
        try
        {
            Write(project, files.Append(("ingot.yaml", Base + "  app: { dockerfile: Dockerfile }\n")).Append(("Dockerfile", dockerfile))
                .ToDictionary(f => f.Item1, f => f.Item2));
            return await BuildAtAsync(project, change, cancellationToken, events);
        }
        finally
        {
            System.IO.Directory.Delete(project, recursive: true);
        }
    }

    public async Task<Built> BuildAtAsync(
        string project, Func<BuildSettings, BuildSettings> change, CancellationToken cancellationToken, Recorder? recorder = null,
        IReadOnlyDictionary<string, string>? contexts = null, ImageFinder? find = null)
    {
        var diagnostics = new DiagnosticBag();
        var definition = ProjectParser.Parse(
            new SourceText("ingot.yaml", await File.ReadAllTextAsync(Path.Combine(project, "ingot.yaml"), cancellationToken)), diagnostics);
        var plan = await Planner.PlanAsync(
            definition!,
            new PlanSettings
            {
                Directory = project,
                Options = new PlanOptions { Contexts = contexts ?? new Dictionary<string, string>() },
                FindImage = find ?? ((_, _, _) => Task.FromResult<StoredImage?>(null)),
            },
            diagnostics,
            cancellationToken);
        diagnostics.ThrowIfErrors();
        var settings = change(
            new BuildSettings { Store = Store, CacheDirectory = Path.Combine(Home, "cache"), WorkDirectory = Path.Combine(Home, "work") });
        var events = recorder ?? new Recorder();
        var (images, _) = await new Builder(settings).BuildAsync(plan!, events, cancellationToken);
        return new Built(images.First(i => i.Name == "app"), events, settings.Store);
    }

    /// <summary>Builds an image <c>app</c> upon the base that is in the store already:
    /// a build without the cache then makes only what is of the Dockerfile.</summary>
    public async Task<Built> BuildOnBaseAsync(
        string dockerfile, Func<BuildSettings, BuildSettings> change, CancellationToken cancellationToken,
        params (string Name, string Text)[] files)
    {
        string project = System.IO.Directory.CreateTempSubdirectory("ingot-project-").FullName;
        try
        {
            const string definition = "ingot: 1\nproject: p\nimages:\n  app: { dockerfile: Dockerfile }\n";
            Write(project,
                files.Append(("ingot.yaml", definition)).Append(("Dockerfile", dockerfile)).ToDictionary(f => f.Item1, f => f.Item2));
            var digest = Digest.Parse(First.EnumerateArray()
                .Single(i => i.GetProperty("name").GetString() == "base")
                .GetProperty("digest")
                .GetString()!);
            var image = await Image.LoadAsync(Store, digest, cancellationToken: cancellationToken);
            return await BuildAtAsync(project, change, cancellationToken,
                find: (name, _, _) => Task.FromResult(name == "base" ? new StoredImage(digest, image.Config) : null));
        }
        finally
        {
            System.IO.Directory.Delete(project, recursive: true);
        }
    }

    /// <summary>Builds an image <c>app</c> with contexts that have names.</summary>
    public async Task<Built> BuildWithContextsAsync(string dockerfile, IReadOnlyDictionary<string, string> contexts)
    {
        string project = System.IO.Directory.CreateTempSubdirectory("ingot-project-").FullName;
        try
        {
            Write(project, new Dictionary<string, string>
            {
                ["ingot.yaml"] = Base + "  app: { dockerfile: Dockerfile }\n",
                ["Dockerfile"] = dockerfile,
            });
            return await BuildAtAsync(project, settings => settings, CancellationToken.None, contexts: contexts);
        }
        finally
        {
            System.IO.Directory.Delete(project, recursive: true);
        }
    }

    /// <summary>Fails when anything of a build is left: directories, mounts, containers,
    /// processes with a word on their command line.</summary>
    public void AssertNothingIsLeft(string word)
    {
        Assert.Empty(System.IO.Directory.EnumerateFileSystemEntries(Path.Combine(Home, "work", "builds")));
        Assert.Empty(System.IO.Directory.EnumerateFileSystemEntries(Path.Combine(Home, "content", "tmp")));
        Assert.DoesNotContain(Home, File.ReadAllText("/proc/self/mountinfo"), StringComparison.Ordinal);
        Assert.Empty(Processes(word));
    }

    /// <summary>The processes that have a word on their command line.</summary>
    public static IReadOnlyList<string> Processes(string word) =>
        [.. System.IO.Directory.EnumerateDirectories("/proc").Where(d => Path.GetFileName(d).All(char.IsAsciiDigit)).Select(CommandLine)
            .Where(c => c.Contains(word, StringComparison.Ordinal))];

    private static string CommandLine(string process)
    {
        try
        {
            return File.ReadAllText(Path.Combine(process, "cmdline")).Replace('\0', ' ');
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }

    private static bool OnPath(string program) =>
        (Environment.GetEnvironmentVariable("PATH") + ":/usr/sbin:/sbin").Split(':').Any(d => File.Exists(Path.Combine(d, program)));
}

/// <summary>Remembers what happened.</summary>
public sealed class Recorder : IBuildProgress
{
    private readonly ConcurrentQueue<BuildEvent> _events = new();

    public IReadOnlyCollection<BuildEvent> Events => _events;

    public IReadOnlyList<string> Lines => [.. _events.OfType<BuildEvent.StepOutput>().Select(o => o.Line)];

    public IReadOnlyList<string> Started => [.. _events.OfType<BuildEvent.StepStarted>().Select(s => s.Step.Text)];

    public void Report(BuildEvent progress) => _events.Enqueue(progress);
}

/// <summary>An image that was built, and what happened meanwhile.</summary>
public sealed record Built(BuiltImage Image, Recorder Progress, IContentStore Store)
{
    /// <summary>The entries of a layer, as archives have them, one text each; the topmost layer is 0.</summary>
    public async Task<IReadOnlyList<string>> LayerAsync(int fromTop)
    {
        var blob = Image.Manifest.Layers[^(fromTop + 1)];
        await using var tar = await LayerBlob.OpenAsync(Store, blob, Image.Config.RootFs.DiffIds[^(fromTop + 1)]);
        using var reader = new TarReader(tar);
        var entries = new List<string>();
        while (await reader.NextAsync() is { } entry)
        {
            string target = entry.LinkTarget is null ? "" : $" -> {entry.LinkTarget}";
            string attributes = entry.ExtendedAttributes is null ? "" : $" {string.Join(',', entry.ExtendedAttributes.Keys)}";
            entries.Add($"{entry.Type} {entry.Path} {Convert.ToString(entry.Mode, 8)} {entry.UserId}:{entry.GroupId} "
                + $"{entry.ModifiedTime.ToUnixTimeSeconds()}{target}{attributes}");
        }

        return entries;
    }

    /// <summary>The files of a layer with the digests of their contents, one text each; the topmost layer is 0.</summary>
    public async Task<IReadOnlyList<string>> ContentsAsync(int fromTop)
    {
        var index = await LayerReader.IndexAsync(Store, Image.Manifest.Layers[^(fromTop + 1)], Image.Config.RootFs.DiffIds[^(fromTop + 1)]);
        return [.. index.Files.Select(f => $"{f.Path} {f.Size} {f.Digest}")];
    }

    public IReadOnlyList<string> History =>
        [.. Image.Config.History.Select(h => $"{h.CreatedBy}{(h.EmptyLayer == true ? " (empty)" : "")}")];
}

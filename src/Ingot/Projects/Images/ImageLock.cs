using System.Text;
using Ingot.Diagnostics;
using Ingot.Oci.Content;
using Ingot.Plans;

namespace Ingot.Projects.Images;

/// <summary>A tag that was resolved anew.</summary>
/// <param name="Name">The reference as the person wrote it.</param>
/// <param name="Old">What it named before; null when it is new.</param>
/// <param name="New">What it names now.</param>
internal sealed record LockChange(string Name, Digest? Old, Digest New);

/// <summary>What a bootstrap installed.</summary>
/// <param name="Request">What was asked for: the release and the packages.</param>
/// <param name="Packages">What was installed, sorted.</param>
internal sealed record LockedBootstrap(string Request, IReadOnlyList<InstalledPackage> Packages);

/// <summary>A project's <c>ingot.lock</c>: which digest each tag of a registry named when it was first built, and which packages each
/// bootstrap installed.</summary>
internal sealed class ImageLock
{
    public const string FileName = "ingot.lock";

    private readonly string _path;
    private readonly Lock _gate = new();
    private readonly LockText _locked;
    private readonly SortedDictionary<string, LockChange> _changes = new(StringComparer.Ordinal);
    private readonly SortedDictionary<string, LockedBootstrap> _bootstraps = new(StringComparer.Ordinal);

    private ImageLock(string path, LockText locked)
    {
        _path = path;
        _locked = locked;
    }

    /// <summary>What was added or moved and is not saved yet, by name.</summary>
    public IReadOnlyList<LockChange> Changes
    {
        get
        {
            lock (_gate)
                return [.. _changes.Values];
        }
    }

    /// <summary>Reads the file in <paramref name="directory"/>; one that is not there locks nothing.</summary>
    public static ImageLock Load(string directory)
    {
        string path = Path.Combine(Path.GetFullPath(directory), FileName);
        using var files = new ProjectDirectory(directory);
        return new ImageLock(path, Read(files, path));
    }

    /// <summary>The digest that a name is locked to.</summary>
    public bool TryFind(string name, out Digest digest)
    {
        lock (_gate)
            return _locked.Images.TryGetValue(name, out digest);
    }

    /// <summary>Locks a name to a digest.</summary>
    public void Set(string name, Digest digest)
    {
        lock (_gate)
        {
            bool isKnown = _locked.Images.TryGetValue(name, out var old);
            if (isKnown && old == digest)
                return;
            _changes[name] = new LockChange(name, isKnown ? old : null, digest);
            _locked.Images[name] = digest;
        }
    }

    /// <summary>What a bootstrap is locked to; null when it is not.</summary>
    public LockedBootstrap? FindBootstrap(string image, string architecture)
    {
        lock (_gate)
            return _locked.Bootstraps.GetValueOrDefault($"{image} {architecture}");
    }

    /// <summary>Locks a bootstrap, and returns what it was locked to before when that is something else; <paramref name="isNew"/> when
    /// anything has to be written.</summary>
    public LockedBootstrap? Set(string image, string architecture, LockedBootstrap bootstrap, out bool isNew)
    {
        lock (_gate)
        {
            string name = $"{image} {architecture}";
            var old = _locked.Bootstraps.GetValueOrDefault(name);
            isNew = old is null || old.Request != bootstrap.Request || !old.Packages.SequenceEqual(bootstrap.Packages);
            if (isNew)
                _bootstraps[name] = _locked.Bootstraps[name] = bootstrap;
            return isNew ? old : null;
        }
    }

    /// <summary>Writes what changed into the file as it is now: another build may have added names meanwhile. The file is replaced
    /// whole.</summary>
    public async Task SaveAsync(ProjectPlaces places, CancellationToken cancellationToken)
    {
        var changes = Changes;
        if (changes.Count == 0 && _bootstraps.Count == 0)
            return;

        using var held = await places.LockAsync(_path, cancellationToken);
        using var files = new ProjectDirectory(Path.GetDirectoryName(_path)!);
        var current = Read(files, _path);
        foreach (var change in changes)
            current.Images[change.Name] = change.New;
        foreach (var (name, bootstrap) in _bootstraps)
            current.Bootstraps[name] = bootstrap;
        // Into the directory that was read, whatever its name is by now; a link that is there is replaced, and never followed.
        AtomicFile.Write(Path.Combine(files.HandlePath, FileName), Encoding.UTF8.GetBytes(current.ToString()), durable: true);
        lock (_gate)
        {
            _changes.Clear();
            _bootstraps.Clear();
        }
    }

    private static LockText Read(ProjectDirectory files, string path)
    {
        if (files.FindText(FileName, ProjectFiles.Name(path)) is not { } source)
            return new LockText();

        var diagnostics = new DiagnosticBag();
        var locked = LockText.Parse(source, diagnostics);
        diagnostics.ThrowIfErrors();
        return locked;
    }
}

using Ingot.Oci.Tar;

namespace Ingot.Evidence.Claims;

/// <summary>A file of an image, read at most once for all claims.</summary>
internal sealed class FileUnderTest(ImageRoot root, RootFile file)
{
    private ProgramContent? _content;

    /// <summary>Its path below the root, without leading slash.</summary>
    public string Path => file.Path;

    /// <summary>The last part of its path.</summary>
    public string Name { get; } = TarPath.Name(file.Path);

    public RootFileStatus Status => file.Status;

    /// <summary>What its bytes say that it is.</summary>
    public ProgramContent Content => _content ??= Read();

    /// <summary>Whether it has capabilities.</summary>
    public bool HasCapabilities => file.Status.Type == RootFileType.File && root.HasCapabilities(file.Path);

    /// <summary>Whether somebody may run it, or it is a link to such a file.</summary>
    public bool IsExecutable => file.Status.Type switch
    {
        RootFileType.File => HasExecuteBit(file.Status),
        RootFileType.SymbolicLink => root.Target(file.Path) is { Type: RootFileType.File } target && HasExecuteBit(target),
        _ => false,
    };

    private static bool HasExecuteBit(RootFileStatus status) => (status.Mode & 0b001_001_001) != 0;

    private ProgramContent Read()
    {
        if (file.Status.Type != RootFileType.File)
            return ProgramContent.None;

        using var stream = root.OpenFile(file.Path);
        return stream is null ? ProgramContent.None : ProgramContent.Read(stream, PackageManagers.IsList(this));
    }
}

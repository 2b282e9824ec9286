namespace Ingot.Evidence.Claims;

/// <summary>Recognises files that give who uses them rights that he has not.</summary>
internal static class Privileges
{
    private const int SetIdBits = 0b110_000_000_000;

    /// <summary>What a file is that speaks against <c>no-setuid</c>; null when nothing does.</summary>
    public static string? Offence(FileUnderTest file) => file.Status.Type switch
    {
        // A directory's set-group-id bit only tells new files their group.
        RootFileType.File when (file.Status.Mode & SetIdBits) != 0 => "a file that runs with its owner's rights",
        RootFileType.File when file.HasCapabilities => "a file with capabilities",
        // Over /dev the runtime mounts its own.
        RootFileType.CharacterDevice or RootFileType.BlockDevice when !file.Path.StartsWith("dev/", StringComparison.Ordinal) => "a device",
        _ => null,
    };
}

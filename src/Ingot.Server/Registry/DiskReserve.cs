namespace Ingot.Server.Registry;

/// <summary>What must stay free on the disk that uploads go to, so that the ledger, and what runs beside it, can go on writing.</summary>
internal sealed class DiskReserve(string directory, long bytes)
{
    /// <summary>How much is written between two looks at the disk.</summary>
    public const long Step = 16 << 20;

    // A small disk is not all reserve.
    private const int LargestPart = 20;

    /// <summary>Refuses to write so many bytes when they would use the reserve.</summary>
    public void Require(long more)
    {
        var drive = new DriveInfo(directory);
        long reserve = Math.Min(bytes, drive.TotalSize / LargestPart);
        long free = drive.AvailableFreeSpace;
        if (free - more < reserve)
            throw Full($"{free} bytes are free, {reserve} of them in reserve, and {more} were to be written");
    }

    private static RegistryRefusal Full(string figures) =>
        new(507, ErrorCode.SizeInvalid, $"the registry's disk is full: {figures}; 'ingot prune --registry' removes what nothing needs");
}

using System.Text.Json.Serialization;
using Ingot.Oci.Content;

namespace Ingot.Cli.Output;

/// <summary>What <c>ingot import --output json</c> prints.</summary>
internal sealed record ImportReport(string Name, Digest Digest, string Form, long Size, int Layers);

/// <summary>What <c>ingot export --output json</c> prints.</summary>
internal sealed record ExportReport(string Name, Digest Digest, string Format, string Destination, long Size);

/// <summary>What <c>ingot push</c>, <c>pull</c> and <c>copy</c> print with <c>--output json</c>:
/// bytes are those that went over the network.</summary>
internal sealed record TransferReport(string Reference, Digest Digest, string? Name, long Bytes, int Moved, int Present, double Seconds);

/// <summary>What <c>ingot history --output json</c> prints; the first instruction first.</summary>
internal sealed record HistoryReport(string Name, Digest Digest, string Platform, long Size, IReadOnlyList<HistoryRow> Steps);

internal sealed record HistoryRow(string? Instruction, string? Created, string? Comment, Digest? Layer, Digest? DiffId, long Size);

/// <summary>What <c>ingot diff --output json</c> prints.</summary>
internal sealed record DiffReport(
    DiffSide A,
    DiffSide B,
    bool Equal,
    long SizeChange,
    PackageChanges Packages,
    FileChanges Files,
    IReadOnlyList<string> NewSetId,
    IReadOnlyList<CapabilityChange> Capabilities,
    AccountChanges Users,
    AccountChanges Groups,
    IReadOnlyList<SettingChange> Configuration);

internal sealed record DiffSide(string Name, Digest Digest, long Size, int Layers, int Files);

internal sealed record PackageChanges(
    IReadOnlyList<PackageVersion> Added, IReadOnlyList<PackageVersion> Removed, IReadOnlyList<PackageUpgrade> Changed,
    IReadOnlyList<string> Unreadable);

internal sealed record PackageVersion(string Name, string Version);

internal sealed record PackageUpgrade(string Name, string Before, string After);

internal sealed record FileChanges(IReadOnlyList<FileRow> Added, IReadOnlyList<FileRow> Removed, IReadOnlyList<ChangedFile> Changed);

internal sealed record FileRow(string Path, string Type, string Mode, long UserId, long GroupId, long Size);

internal sealed record ChangedFile(string Path, bool Content, FileRow Before, FileRow After);

internal sealed record CapabilityChange(string Path, string? Before, string? After);

internal sealed record AccountChanges(IReadOnlyList<string> Added, IReadOnlyList<string> Removed);

internal sealed record SettingChange(string Setting, string? Before, string? After);

/// <summary>What <c>ingot images --verify --output json</c> prints.</summary>
internal sealed record VerifyStoreReport(
    bool Sound, int Names, int Blobs, long Bytes, IReadOnlyList<StoreProblem> Problems, IReadOnlyList<StoreProblem> Unknown);

internal sealed record StoreProblem(Digest Digest, string? Name, string Problem);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(ImportReport))]
[JsonSerializable(typeof(ExportReport))]
[JsonSerializable(typeof(TransferReport))]
[JsonSerializable(typeof(HistoryReport))]
[JsonSerializable(typeof(DiffReport))]
[JsonSerializable(typeof(VerifyStoreReport))]
internal sealed partial class ImageJsonOutput : JsonSerializerContext;

using System.Globalization;
using System.Text.Json.Serialization;

namespace Ingot.Oci.Content;

/// <summary>What an image runs on
/// (<see href="https://github.com/opencontainers/image-spec/blob/v1.1.1/image-index.md">image index</see>).</summary>
public sealed record Platform
{
    /// <summary>Go's name of the processor: <c>amd64</c>, <c>arm64</c>.</summary>
    [JsonPropertyName("architecture")]
    public required string Architecture { get; init; }

    /// <summary>Go's name of the system: <c>linux</c>.</summary>
    [JsonPropertyName("os")]
    public required string Os { get; init; }

    /// <summary>The variant of the processor, such as <c>v8</c>.</summary>
    [JsonPropertyName("variant")]
    public string? Variant { get; init; }

    /// <summary>The platform of the host this runs on.</summary>
    public static Platform Host { get; } = new()
    {
        Os = "linux",
        Architecture = System.Runtime.InteropServices.RuntimeInformation.ProcessArchitecture switch
        {
            System.Runtime.InteropServices.Architecture.X64 => "amd64",
            System.Runtime.InteropServices.Architecture.Arm64 => "arm64",
            var other => other.ToString().ToLowerInvariant(),
        },
    };

    /// <summary>The platforms that images are made for, by their usual names.</summary>
    public static IReadOnlyList<string> KnownNames { get; } =
    [
        "linux/amd64", "linux/arm64", "linux/arm/v7", "linux/arm/v6", "linux/386", "linux/ppc64le", "linux/s390x",
        "linux/riscv64", "linux/mips64le",
        "linux/loong64", "windows/amd64", "windows/arm64",
    ];

    /// <summary>Whether images are made for such a system and processor; the variant may be any that the processor has.</summary>
    [JsonIgnore]
    public bool IsKnown
    {
        get
        {
            var usual = Normalise();
            bool isVariant = usual.Variant is null
                || (usual.Architecture is "amd64" or "arm" or "arm64" && usual.Variant is ['v', >= '1' and <= '9', ..]);
            return isVariant && KnownNames.Any(name => name == $"{usual.Os}/{usual.Architecture}"
                || name.StartsWith($"{usual.Os}/{usual.Architecture}/", StringComparison.Ordinal));
        }
    }

    /// <summary>Reads <c>os/architecture[/variant]</c>, or an architecture alone, with the names that people use for them;
    /// null when it is none.</summary>
    public static Platform? TryParse(string text)
    {
        string[] parts = text.ToLowerInvariant().Split('/');
        if (parts.Length > 3 || parts.Any(p => p.Length == 0 || !p.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-' or '.')))
            return null;
        if (parts.Length == 1)
            return Known(parts[0]) is { } known ? Make("linux", known.Architecture, known.Variant) : parts[0] == "linux" ? Host : null;

        var (architecture, variant) = Known(parts[1]) ?? (parts[1], null);
        return Make(parts[0], architecture, parts.Length == 3 ? parts[2] : variant);
    }

    // https://github.com/containerd/platforms#normalization: the default variants are not written.
    private static Platform Make(string os, string architecture, string? variant) => new()
    {
        Os = os,
        Architecture = architecture,
        Variant = (architecture, variant) is ("arm64", "v8" or "8") or ("amd64", "v1") ? null
            : architecture == "arm" ? variant is null ? "v7" : variant.StartsWith('v') ? variant : "v" + variant
            : variant,
    };

    private static (string Architecture, string? Variant)? Known(string name) => name switch
    {
        "amd64" or "x86_64" or "x86-64" => ("amd64", null),
        "arm64" or "aarch64" => ("arm64", null),
        "arm" or "armhf" => ("arm", "v7"),
        "armel" => ("arm", "v6"),
        "386" or "i386" => ("386", null),
        "ppc64le" or "s390x" or "riscv64" or "mips64le" or "loong64" => (name, null),
        _ => null,
    };

    /// <summary><c>linux/amd64</c>, as people write it.</summary>
    public override string ToString() => Variant is null ? $"{Os}/{Architecture}" : $"{Os}/{Architecture}/{Variant}";

    /// <summary>The same platform by its usual name: <c>arm64/v8</c> is <c>arm64</c>, <c>amd64/v1</c> is <c>amd64</c>, <c>arm</c> is
    /// <c>arm/v7</c>, <c>x86_64</c> is <c>amd64</c>
    /// (<see href="https://github.com/containerd/platforms/blob/v1.0.0/database.go">containerd's rules</see>).</summary>
    public Platform Normalise()
    {
        var (architecture, variant) = Known(Architecture) ?? (Architecture, null);
        return Make(Os, architecture, string.IsNullOrEmpty(Variant) ? variant : Variant);
    }

    /// <summary>What this platform can run, the best first: itself, then older variants, as <c>arm/v7</c> runs <c>arm/v6</c> and
    /// <c>amd64/v3</c> runs <c>amd64</c>. Never another architecture.</summary>
    public IEnumerable<Platform> Runs()
    {
        var self = Normalise();
        yield return self;
        if (self.Architecture is not ("arm" or "amd64")
            || self.Variant is not ['v', .. var digits]
            || !int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out int version))
            yield break;

        int oldest = self.Architecture == "arm" ? 5 : 1;
        for (int older = Math.Min(version, 100) - 1; older >= oldest; older--)
            yield return (self with { Variant = string.Create(CultureInfo.InvariantCulture, $"v{older}") }).Normalise();
    }
}

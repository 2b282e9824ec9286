namespace Ingot.Templates.Project;

/// <summary>The keys one mapping of <c>ingot.yaml</c> may hold.</summary>
/// <param name="Path">Where the mapping stands; <c>*</c> for any name.</param>
/// <param name="Keys">The keys that are read.</param>
public sealed record KeySection(string Path, params IReadOnlyList<string> Keys)
{
    /// <summary>Keys that belong to the format and are refused as not supported yet.</summary>
    public IReadOnlyList<string> Later { get; init; } = [];
}

/// <summary>Every key of <c>ingot.yaml</c>: what the parser accepts, and what the schema for editors must list.</summary>
public static class ProjectKeys
{
    // Before what is made of it.
    private static readonly string[] s_laterTemplates = ["packer"];

    /// <summary>The document itself; keys that start with <c>x-</c> are free, for anchors.</summary>
    public static KeySection Root { get; } = new("", "ingot", "project", "epoch", "compression", "standard-labels", "exempt-secrets",
        "images", "services", "stages")
    { Later = ["gates", "lifecycle"] };

    /// <summary>An image.</summary>
    public static KeySection Image { get; } = ImageOf(ImageTemplate.Standard);

    /// <summary>A bootstrap from Debian packages.</summary>
    public static KeySection Debian { get; } = new("images/*/debian", "suite", "packages", "mirror", "documentation");

    /// <summary>Which normalisation rules are applied.</summary>
    public static KeySection Normalise { get; } = new("images/*/normalise", "off");

    /// <summary>A service.</summary>
    public static KeySection Service { get; } = new("services/*", "image", "port", "listen", "replicas", "health", "request-timeout",
        "config", "writable", "limits", "rollout")
    {
        Later = ["secrets", "volumes"],
    };

    /// <summary>How an instance shows that it is well.</summary>
    public static KeySection Health { get; } = new("services/*/health", "path", "interval", "timeout", "healthy", "unhealthy", "deadline");

    /// <summary>What an instance may use.</summary>
    public static KeySection Limits { get; } = new("services/*/limits", "memory", "cpus", "pids");

    /// <summary>How a new generation takes over.</summary>
    public static KeySection Rollout { get; } = new("services/*/rollout", "canary", "blue-green", "observe", "deadline", "drain",
        "drain-connections", "detect", "abort", "synthetic", "keep")
    {
        Later = ["rolling"],
    };

    /// <summary>What ends a rollout beside the judge.</summary>
    public static KeySection Abort { get; } = new("services/*/rollout/abort", "failed-requests");

    /// <summary>Requests of Ingot's own.</summary>
    public static KeySection Synthetic { get; } = new("services/*/rollout/synthetic", "path", "rate");

    /// <summary>A stage.</summary>
    public static KeySection Stage { get; } = new("stages/*", "gates", "target", "soak", "approvals");

    /// <summary>Who must agree.</summary>
    public static KeySection Approvals { get; } = new("stages/*/approvals", "count", "from");

    /// <summary>All of them.</summary>
    public static IReadOnlyList<KeySection> Sections { get; } =
        [Root, Image, Debian, Normalise, Service, Health, Limits, Rollout, Abort, Synthetic, Stage, Approvals];

    /// <summary>The gates that need no definition.</summary>
    public static IReadOnlyList<string> Gates { get; } = ["built-by-us", "tests-passed", "no-secrets", "sbom-present", "claims-hold"];

    /// <summary>What can be claimed of an image.</summary>
    public static IReadOnlyList<string> Claims { get; } = ["non-root", "no-shell", "no-setuid", "no-package-manager"];

    /// <summary>How layers can be compressed, the default first.</summary>
    public static IReadOnlyList<string> Compressions { get; } = ["zstd", "gzip", "none"];

    /// <summary>The labels of the image specification that images can get by themselves.</summary>
    public static IReadOnlyList<string> StandardLabels { get; } = ["version", "revision", "source", "created"];

    /// <summary>What becomes of the documentation of packages, the default first.</summary>
    public static IReadOnlyList<string> Documentation { get; } = ["drop", "keep"];

    /// <summary>The name of the rule that gives files of contexts the modes git knows.</summary>
    public const string ModesRule = "context-modes";

    /// <summary>The normalisation rules that can be switched off.</summary>
    public static IReadOnlyList<string> Rules { get; } =
    [
        "account-backups", "apk-cache", "apk-logs", "apk-scripts-times", "apk-virtual", "apt-cache", "apt-logs", "apt-states", "ar-times",
        "cargo-use-times", "cmake-logs", "composer-cache", "context-modes", "cpio-times", "dbus-machine-id", "debconf-old", "device-nodes",
        "dnf-cache", "dnf-history", "dnf-logs", "dpkg-logs", "dpkg-old", "fontconfig-cache", "gem-logs", "gnupg-seed", "go-cache-times",
        "go-cache-trim", "gradle-daemon", "gzip-times", "host-names", "java-keystore-times", "journal-catalogue", "kernel-autoremove",
        "ldconfig-aux-cache", "login-logs", "machine-id", "man-cache", "maven-tracking", "npm-cache", "npm-logs", "nuget-cache",
        "perl-local-log", "pip-cache", "pnpm-times", "pyc", "rpmdb-shared-memory", "run-state", "shadow-last-change", "shell-history",
        "ssh-host-keys", "systemd-random-seed", "tar-gzip-times", "tar-times", "tex-logs", "update-notifier", "wget-hsts", "yarn-cache",
        "zip-times", "zypper-cache", "zypper-logs",
    ];

    /// <summary>Where instances can run.</summary>
    public static IReadOnlyList<string> Targets { get; } = ["docker"];

    /// <summary>Targets that are refused as not supported yet.</summary>
    public static IReadOnlyList<string> LaterTargets { get; } = ["kubernetes", "machines"];

    /// <summary>An image that may be made from any of <paramref name="templates"/>.</summary>
    internal static KeySection ImageOf(IReadOnlyList<ImageTemplate> templates) => new("images/*",
    [
        .. templates.Select(t => t.Key), .. templates.SelectMany(t => t.Keys),
        "version", "tests", "claims", "epoch", "compression", "normalise", "processors",
    ])
    { Later = [.. s_laterTemplates.Except(templates.Select(t => t.Key))] };
}

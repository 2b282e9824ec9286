using System.Text;
using System.Text.RegularExpressions;
using Ingot.Builds.Normalisation;

namespace Ingot.Builds.Reproduction;

/// <summary>What a file is that differs.</summary>
/// <param name="Cause">Why it differs.</param>
/// <param name="Reason">In words; null when the cause says it all.</param>
/// <param name="Cure">What surely helps; null when nothing is known that does.</param>
/// <param name="IsSeen">Whether it was seen in the content, and not guessed from a name.</param>
internal sealed record KnownCause(DifferenceCause Cause, string? Reason, Cure? Cure, bool IsSeen = false);

/// <summary>What is known of files that differ, by their names and by what is in them.</summary>
internal static partial class KnownCauses
{
    private const int LookedAtBytes = 64 << 10;

    private static readonly KnownCause s_privateKey = new(DifferenceCause.Random,
        "a private key, which is made anew each time and would be known to everybody who has the image", Cure.MakeAtStart);
    private static readonly KnownCause s_publicKey = new(DifferenceCause.Random,
        "a public key or a certificate, of a private key that is made anew each time", Cure.MakeAtStart);
    private static readonly KnownCause s_password = new(DifferenceCause.Random,
        "a password, which is hashed with another salt each time", Cure.FixedHash);
    private static readonly KnownCause s_database = new(DifferenceCause.Random,
        "a database, which gets an identity and times of its own when it is made", Cure.MakeAtStart);
    private static readonly KnownCause s_archive = new(DifferenceCause.Timestamp, "an archive, with the times of its members",
        Cure.SetTimesOfMembers);
    private static readonly KnownCause s_log = new(DifferenceCause.Leftover, "a log of the run", Cure.Delete);
    private static readonly KnownCause s_cache = new(DifferenceCause.Leftover, "a cache, or something temporary", Cure.DeleteOrCache);

    // The first that fits counts; https://reproducible-builds.org/docs/.
    private static readonly (Regex Path, KnownCause Cause)[] s_byPath =
    [
        (Keys(), s_privateKey),
        (PublicKeys(), s_publicKey),
        (Databases(), s_database),
        (Archives(), s_archive),
        (Logs(), s_log),
        (Processes(), new(DifferenceCause.Random, "the number of a process, or a lock", Cure.Delete)),
        (RpmDatabases(), new(DifferenceCause.Timestamp,
            "RPM's database, which has the time of each installation: from the clock before RPM 4.18", Cure: null)),
        (KeyStores(), new(DifferenceCause.Timestamp, "a Java key store, which has the time of each entry", Cure.MakeAtStart)),
        (InitialFilesystems(), new(DifferenceCause.Timestamp,
            "an initial file system, which is compressed: the program that makes it must keep to SOURCE_DATE_EPOCH", Cure: null)),
        (PackageLists(), new(DifferenceCause.Network, "what the mirror said of its packages", Cure.Delete)),
        (Caches(), s_cache),
    ];

    private static readonly Normaliser s_normaliser = new(StepTimes.Any(BuildSettings.DefaultEpoch), isBootstrap: true, []);

    /// <summary>What a file is, by its path; null when that does not tell.</summary>
    public static KnownCause? Of(string path)
    {
        var cause = Array.Find(s_byPath, known => known.Path.IsMatch(path)).Cause;
        // Times of members are what the rule sees to: it is something else that differs.
        return cause == s_archive && RuleFor(path) is not null ? null : cause;
    }

    /// <summary>What a file is, by its path and both contents; null when they do not tell.</summary>
    public static KnownCause? Of(string path, byte[] before, byte[] after)
    {
        string text = Start(before);
        if (PrivateKey().IsMatch(text))
            return s_privateKey with { IsSeen = true };
        if (PublicKey().IsMatch(text))
            return s_publicKey with { IsSeen = true };
        if (path is "etc/shadow" or "etc/gshadow" && Salted().Replace(text, "") == Salted().Replace(Start(after), ""))
            return s_password with { IsSeen = true };
        return Of(path);
    }

    /// <summary>The rule that is switched off and would be the cure; null when there is none.</summary>
    public static (string Reason, string Cure)? RuleOff(string path, IReadOnlyList<string> rulesOff) =>
        RuleFor(path) is { } rule && rulesOff.Contains(rule.Name)
            ? ($"the rule '{rule}' is for it, and is switched off", $"switch the rule '{rule.Name}' on")
            : null;

    /// <summary>Why the rule that a path belongs to did not help; null when there is none.</summary>
    public static string? ReasonOfRule(string path) => RuleFor(path) is { } rule
        ? $"the rule '{rule}' is for it: this is not what it changes, or something in the image has a checksum or a signature of the file"
        : null;

    private static NormalisationRule? RuleFor(string path) => path.Length == 0 ? null : s_normaliser.RuleFor(path);

    /// <summary>What surely helps where nothing but the cause is known.</summary>
    public static Cure? CureOf(DifferenceCause cause, bool isText) => cause switch
    {
        // Who knows a format that has a time in it takes it from there; nobody else does.
        DifferenceCause.Timestamp => isText ? Cure.TakeTimeFromEpoch : null,
        DifferenceCause.Path => Cure.WorkInOneDirectory,
        DifferenceCause.Order => isText ? Cure.Sort : null,
        DifferenceCause.Random => Cure.MakeAtStart,
        _ => null,
    };

    /// <summary>What a difference in a layer of fetched files means; null for other layers.</summary>
    public static KnownCause? OfDownload(string? instruction)
    {
        if (instruction is null)
            return null;
        if (Repositories().IsMatch(instruction))
            return new(DifferenceCause.Network, "of a repository: what is named there is another commit now", Cure: null);
        return Downloads().IsMatch(instruction)
            ? new(DifferenceCause.Network, "fetched: something else is there now", Cure.KeepDownload)
            : null;
    }

    /// <summary>What is known of a file that a copy brought; null for other layers. Histories do not say where from.</summary>
    public static string? ReasonOfCopy(string? instruction) => instruction is not null && Copies().IsMatch(instruction)
        ? "copied: from a stage that made it anew, or from a context whose file is another one now"
        : null;

    private static string Start(byte[] bytes) => Encoding.Latin1.GetString(bytes, 0, Math.Min(bytes.Length, LookedAtBytes));

    [GeneratedRegex(@"(^|/)ssh_host_[^/]*_key$|\.key$|(^|/)id_(rsa|dsa|ecdsa|ed25519)$")]
    private static partial Regex Keys();

    [GeneratedRegex(@"(^|/)ssh_host_[^/]*_key\.pub$|\.(crt|cer|csr|p12|pfx)$")]
    private static partial Regex PublicKeys();

    [GeneratedRegex(@"^var/lib/(postgresql|pgsql|mysql|mariadb|mongodb|mongo|ldap|couchdb|cassandra|clickhouse|etcd|influxdb|elasticsearch"
        + @"|rabbitmq)/|(^|/)(pg_control|auto\.cnf|ibdata1)$")]
    private static partial Regex Databases();

    [GeneratedRegex(@"\.(tar|tar\.[a-z0-9]+|t[gxb]z2?|tzst|zip|jar|war|ear|cpio|7z)$")]
    private static partial Regex Archives();

    [GeneratedRegex(@"\.log$|^var/log/")]
    private static partial Regex Logs();

    [GeneratedRegex(@"\.pid$|(^|/)\.lock$")]
    private static partial Regex Processes();

    [GeneratedRegex(@"(^|/)rpmdb\.sqlite|^var/lib/rpm/|^usr/lib/sysimage/rpm/")]
    private static partial Regex RpmDatabases();

    [GeneratedRegex(@"(^|/)cacerts$|\.(jks|keystore)$")]
    private static partial Regex KeyStores();

    [GeneratedRegex(@"(^|/)(initrd\.img|initramfs)")]
    private static partial Regex InitialFilesystems();

    [GeneratedRegex("^var/lib/apt/lists/")]
    private static partial Regex PackageLists();

    [GeneratedRegex(@"^var/cache/|(^|/)\.cache/|^(var/)?tmp/")]
    private static partial Regex Caches();

    [GeneratedRegex("-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY")]
    private static partial Regex PrivateKey();

    [GeneratedRegex("-----BEGIN (?:[A-Z0-9]+ )*(?:CERTIFICATE|PUBLIC KEY)|^(?:ssh-(?:rsa|ed25519)|ecdsa-sha2-[a-z0-9-]+) AAAA")]
    private static partial Regex PublicKey();

    // crypt(5): an identity, perhaps parameters, a salt and a hash.
    [GeneratedRegex(@"(?<=^[^:\n]+:)[!*]?(?:\$[^:\n]+|[./0-9A-Za-z]{13})", RegexOptions.Multiline)]
    private static partial Regex Salted();

    [GeneratedRegex(@"^ADD (--[a-z-]+(=\S+)? )*(?!\S*\.git[#?\s])https?://", RegexOptions.IgnoreCase)]
    private static partial Regex Downloads();

    [GeneratedRegex(@"^ADD (--[a-z-]+(=\S+)? )*(git@|git://|ssh://|https?://\S*\.git)", RegexOptions.IgnoreCase)]
    private static partial Regex Repositories();

    [GeneratedRegex("^(COPY|ADD) ", RegexOptions.IgnoreCase)]
    private static partial Regex Copies();
}

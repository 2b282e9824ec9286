using Ingot.Builds.Normalisation;

namespace Ingot.Builds.Reproduction;

/// <summary>What is known of paths that differ: the rule that is for them, and what to do where there is none.</summary>
internal static class KnownCauses
{
    // Causes of which files speak by their names; https://reproducible-builds.org/docs/.
    private static readonly (string Ending, DifferenceCause Cause, string Cure)[] s_known =
    [
        (".log", DifferenceCause.Leftover, "delete the log in the same RUN"),
        (".pid", DifferenceCause.Random, "delete it in the same RUN"),
        ("/.lock", DifferenceCause.Leftover, "delete it in the same RUN"),
        ("cacerts", DifferenceCause.Timestamp, "the Java key store has the time of each entry: make it when an instance starts, or with keytool from a fixed file"),
        ("rpmdb.sqlite", DifferenceCause.Timestamp, "the RPM database has times of installation: rpm 4.18 and later take SOURCE_DATE_EPOCH"),
        (".key", DifferenceCause.Random, "make keys when an instance starts"),
        (".pem", DifferenceCause.Random, "make keys when an instance starts"),
        ("initrd.img", DifferenceCause.Timestamp, "make it with SOURCE_DATE_EPOCH and --reproducible, or leave it out"),
    ];

    private static readonly Normaliser s_normaliser = new(BuildSettings.DefaultEpoch, isBootstrap: true, []);

    /// <summary>Why a file of that name differs; unknown when its name does not tell.</summary>
    public static DifferenceCause CauseOf(string path)
    {
        if (Known(path) is { Cure: not null } known)
            return known.Cause;
        return path.StartsWith("var/cache/", StringComparison.Ordinal) || path.Contains("/.cache/", StringComparison.Ordinal) || path.StartsWith("tmp/", StringComparison.Ordinal)
            ? DifferenceCause.Leftover
            : path.StartsWith("var/lib/apt/lists/", StringComparison.Ordinal) ? DifferenceCause.Network : DifferenceCause.Unknown;
    }

    /// <summary>What cures it: a rule by its name, or what a person can do.</summary>
    public static string? CureFor(string path, DifferenceCause cause, IReadOnlyList<string> rulesOff)
    {
        if (path.Length > 0 && s_normaliser.RuleFor(path) is { } rule)
            return rulesOff.Contains(rule.Name) ? $"the rule '{rule}' is for it, and is switched off" : $"the rule '{rule}' is for it: it could not read the file";
        if (Known(path) is { Cure: not null } known)
            return known.Cure;
        return cause switch
        {
            DifferenceCause.Timestamp => "let the command take its time from $SOURCE_DATE_EPOCH",
            DifferenceCause.Path => "let the command write relative paths, or work in one directory",
            DifferenceCause.Order => "sort what the command reads or writes",
            DifferenceCause.Random => "derive it from the sources, or make it when an instance starts",
            DifferenceCause.Leftover => "delete it in the same RUN, or put it in a --mount=type=cache",
            DifferenceCause.Network => "delete it in the same RUN, and pin what is fetched by digest or version",
            DifferenceCause.Input => "build from the commit, the arguments and the bases that the provenance names",
            DifferenceCause.Codec => "use the codec and the version of its library that the provenance names",
            _ => null,
        };
    }

    private static (string Ending, DifferenceCause Cause, string Cure) Known(string path) => Array.Find(s_known, k => path.EndsWith(k.Ending, StringComparison.Ordinal));
}

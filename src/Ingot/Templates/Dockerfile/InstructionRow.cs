namespace Ingot.Templates.Dockerfile;

/// <summary>An instruction that Docker knows: a row, not a class.</summary>
/// <param name="Keyword">In upper case.</param>
/// <param name="Flags">The flags that are supported.</param>
internal sealed record InstructionRow(string Keyword, params string[] Flags)
{
    /// <summary>Flags that Docker knows and Ingot does not support yet.</summary>
    public string[] LaterFlags { get; init; } = [];

    /// <summary>Whether the whole instruction is not supported yet.</summary>
    public bool Later { get; init; }

    /// <summary>What can be done instead; null when nothing can.</summary>
    public string? Cure { get; init; }

    /// <summary>Whether here-documents can follow.</summary>
    public bool TakesHeredocs { get; init; }

    public static readonly InstructionRow[] All =
    [
        new("ADD") { Later = true, Cure = "COPY copies files of the context, RUN fetches and unpacks", TakesHeredocs = true },
        new("ARG"),
        new("CMD"),
        new("COPY", "from", "chown", "chmod") { LaterFlags = ["link", "parents", "exclude"], TakesHeredocs = true },
        new("ENTRYPOINT"),
        new("ENV"),
        new("EXPOSE"),
        new("FROM", "platform"),
        new("HEALTHCHECK", "interval", "timeout", "start-period", "start-interval", "retries"),
        new("LABEL"),
        new("MAINTAINER") { Later = true, Cure = "write LABEL org.opencontainers.image.authors=…" },
        new("ONBUILD") { Later = true, TakesHeredocs = true },
        new("RUN") { LaterFlags = ["mount", "network", "security", "device"], TakesHeredocs = true },
        new("SHELL") { Later = true, Cure = "name the shell in the command: RUN [\"bash\", \"-c\", \"…\"]" },
        new("STOPSIGNAL") { Later = true },
        new("USER"),
        new("VOLUME") { Later = true },
        new("WORKDIR"),
    ];

    public static InstructionRow? Find(string keyword) =>
        Array.Find(All, row => row.Keyword.Equals(keyword, StringComparison.OrdinalIgnoreCase));
}

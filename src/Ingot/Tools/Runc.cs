namespace Ingot.Tools;

/// <summary>runc, the reference OCI runtime. Its state lies in a directory of ours,
/// so that every container found there was started by us.</summary>
/// <param name="stateDirectory">Where runc keeps what it knows of running containers.</param>
public sealed class Runc(string stateDirectory)
{
    /// <summary>Where runc keeps what it knows of running containers: one directory a container, by id.</summary>
    public string StateDirectory { get; } = stateDirectory;

    /// <summary>Runs the container of a bundle (a directory with <c>config.json</c>) to its end. The exit code is its process's.</summary>
    /// <param name="bundle">The bundle.</param>
    /// <param name="id">The container's name.</param>
    /// <param name="pidFile">A file that is there as soon as the container's process is; null for none.</param>
    public Command Run(string bundle, string id, string? pidFile = null) =>
        pidFile is null ? Of("run", "--bundle", bundle, id) : Of("run", "--bundle", bundle, "--pid-file", pidFile, id);

    /// <summary>Makes the container of a bundle and leaves its process waiting for <see cref="Start"/>.</summary>
    public Command Create(string bundle, string id) => Of("create", "--bundle", bundle, id);

    /// <summary>Lets the process of a created container run.</summary>
    public Command Start(string id) => Of("start", id);

    /// <summary>Runs another process in a running container, as the runtime's <c>process.json</c> says.</summary>
    public Command Exec(string id, string processFile) => Of("exec", "--process", processFile, id);

    /// <summary>What is known of a container, as JSON.</summary>
    public Command State(string id) => Of("state", id);

    /// <summary>Sends a signal to a container's process, or to all of its processes.</summary>
    public Command Kill(string id, string signal, bool all = false) => all ? Of("kill", "--all", id, signal) : Of("kill", id, signal);

    /// <summary>Kills what runs in a container and forgets it; succeeds when there is none.</summary>
    public Command Delete(string id) => Of("delete", "--force", id);

    private Command Of(params IReadOnlyList<string> arguments) => new("runc", ["--root", StateDirectory, .. arguments]);
}

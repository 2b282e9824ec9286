using System.Net;
using System.Text;
using Ingot.Oci.Images;
using Ingot.Tools;

namespace Ingot.Evidence.Tests;

/// <summary>Facts that only a running image holds: commands, processes, ports, answers.
/// The sandbox is started when it is first needed.</summary>
internal sealed class SandboxFacts(ImageRoot root, ContainerConfig config, SandboxOptions options) : IAsyncDisposable
{
    private Sandbox? _entryPoint;
    private Sandbox? _held;
    // Why the image cannot be run at all; found once.
    private string? _problem;

    /// <summary>How the entry point ended by itself, with what it wrote; null when it did not.</summary>
    public string? Ended => _entryPoint?.EndedHow();

    /// <summary>Starts the image's entry point and waits until what is expected to be there is there, the entry point has ended,
    /// or patience has.</summary>
    public async Task StartAsync(IReadOnlyList<GossResource> awaited, CancellationToken cancellationToken)
    {
        if (!Sandbox.HasEntryPoint(config))
        {
            _problem = "the image has no entry point: nothing runs in it";
            return;
        }

        try
        {
            _entryPoint = await Sandbox.StartAsync(root, config, options, held: false, cancellationToken);
        }
        catch (SandboxException e)
        {
            _problem = e.Message;
            return;
        }

        long began = options.Time.GetTimestamp();
        while (!_entryPoint.HasEnded && options.Time.GetElapsedTime(began) < options.Patience)
        {
            if (await AreThereAsync(awaited, cancellationToken))
                return;

            await Task.Delay(TimeSpan.FromMilliseconds(25), options.Time, cancellationToken);
        }
    }

    /// <summary>Finds out all properties of a resource at once.</summary>
    public async Task<Func<string, Fact>> FindAsync(GossResource resource, CancellationToken cancellationToken)
    {
        switch (resource.Type)
        {
            case GossResourceType.Command:
                return await CommandAsync(resource.Command!, cancellationToken);
            case GossResourceType.Http:
                return await RequestAsync(resource.Request!, cancellationToken);
            case GossResourceType.Process:
                return _ => Process(resource.Name);
            default:
                return Port(resource.Name);
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_entryPoint is not null)
            await _entryPoint.DisposeAsync();
        if (_held is not null)
            await _held.DisposeAsync();
    }

    private string? NotRunning => _problem ?? _entryPoint?.EndedHow();

    private async Task<bool> AreThereAsync(IReadOnlyList<GossResource> awaited, CancellationToken cancellationToken)
    {
        foreach (var resource in awaited)
        {
            var find = await FindAsync(resource, cancellationToken);
            if (!IsThere(resource, find))
                return false;
        }

        return true;
    }

    // A service may answer with errors of its own while it starts; any other answer is its word, and is judged.
    private static bool IsThere(GossResource resource, Func<string, Fact> find) =>
        (resource.Type == GossResourceType.Http && find("status").Value is GossValue.Number { Value: < 500 })
        || resource.Checks.Take(1).All(check => find(check.Property).Value is { } value && check.Expected.Match(value).Holds);

    // The kernel keeps 15 bytes of a name.
    private Fact Process(string name)
    {
        if (NotRunning is { } problem)
            return Fact.Unknown(problem);

        string kept = Encoding.UTF8.GetByteCount(name) <= HostProcess.LongestName
            ? name
            : Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(name), 0, HostProcess.LongestName);
        return Fact.Of(_entryPoint!.ProcessNames().Contains(kept));
    }

    private Func<string, Fact> Port(string name)
    {
        if (NotRunning is { } problem)
            return _ => Fact.Unknown(problem);

        if (!GossPort.TryParse(name, out var port))
            return _ => Fact.Unknown($"'{name}' is no port");

        var addresses = ListeningPorts.Addresses(_entryPoint!.ProcessId, port);
        return property => property == "listening" ? Fact.Of(addresses.Count > 0)
            : addresses.Count > 0 ? Fact.Of(addresses)
            : Fact.Unknown($"nothing listens on {port}");
    }

    private async Task<Func<string, Fact>> RequestAsync(GossRequest request, CancellationToken cancellationToken)
    {
        if (NotRunning is { } problem)
            return _ => Fact.Unknown(problem);

        var answer = await SandboxHttp.AskAsync(_entryPoint!.Network!, request, options.Time, cancellationToken);
        return property => answer.Problem is not null ? Fact.Unknown(answer.Problem) : property switch
        {
            "status" => Fact.Of(answer.Status),
            "headers" => Fact.Of(answer.Headers),
            _ => Fact.Of(answer.Body),
        };
    }

    private async Task<Func<string, Fact>> CommandAsync(GossCommand command, CancellationToken cancellationToken)
    {
        using var timeout = new CancellationTokenSource(command.Timeout, options.Time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        try
        {
            return Facts(command, await ExecuteAsync(command.Arguments, both.Token));
        }
        catch (OperationCanceledException) when (timeout.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            return _ => Fact.Unknown($"the command did not end within {command.Timeout.TotalMilliseconds} ms");
        }
        catch (SandboxException e)
        {
            return _ => Fact.Unknown(e.Message);
        }
    }

    // Beside the entry point while it lives. When it ends by itself, as a tool's does, the kernel takes the command with it: then again,
    // in a container that is held.
    private async Task<CapturedOutput> ExecuteAsync(IReadOnlyList<string> arguments, CancellationToken cancellationToken)
    {
        if (_entryPoint is { HasEnded: false } running)
        {
            var output = await TryExecuteAsync(running, arguments, cancellationToken);
            if (output is not null && !await EndsAsync(running, output, cancellationToken))
                return output;
        }

        _held ??= await Sandbox.StartAsync(root, config, options, held: true, cancellationToken);
        return await _held.ExecuteAsync(arguments, cancellationToken);
    }

    private static async Task<CapturedOutput?> TryExecuteAsync(
        Sandbox sandbox, IReadOnlyList<string> arguments, CancellationToken cancellationToken)
    {
        try
        {
            return await sandbox.ExecuteAsync(arguments, cancellationToken);
        }
        catch (SandboxException)
        {
            return null;
        }
    }

    // A command killed by the end of the container ends a moment before the container is known to have ended.
    private async Task<bool> EndsAsync(Sandbox sandbox, CapturedOutput output, CancellationToken cancellationToken)
    {
        for (int i = 0; i < 20 && IsOfTheEnd(output.ExitCode, sandbox) && !sandbox.HasEnded; i++)
            await Task.Delay(TimeSpan.FromMilliseconds(25), options.Time, cancellationToken);

        return sandbox.HasEnded && output.ExitCode != 0;
    }

    // The kernel kills the others of a container before its first process is seen to be gone.
    private static bool IsOfTheEnd(int exitCode, Sandbox sandbox)
    {
        const int Killed = 137;
        const int RuntimeFailed = 255;
        return exitCode == Killed || (exitCode is RuntimeFailed or 1 && HostProcess.Read(sandbox.ProcessId) is null);
    }

    private static Func<string, Fact> Facts(GossCommand command, CapturedOutput output)
    {
        string error = Encoding.UTF8.GetString(output.Error);
        if (output.ExitCode is 255 or 1 && error.Contains("exec failed: unable to start container process", StringComparison.Ordinal))
        {
            string problem = command.NeedsShell && error.Contains("executable file not found", StringComparison.Ordinal)
                ? "the image has no shell to run the line: write 'exec' as a list of a program and its arguments"
                : $"'{command.Arguments[0]}' cannot be run: {Cause(error)}";
            return _ => Fact.Unknown(problem);
        }

        return property => property switch
        {
            "exit-status" => Fact.Of(output.ExitCode),
            "stdout" => Fact.Of(Encoding.UTF8.GetString(output.Output)),
            _ => Fact.Of(error),
        };
    }

    private static string Cause(string error)
    {
        int colon = error.TrimEnd().LastIndexOf(": ", StringComparison.Ordinal);
        return error[(colon < 0 ? 0 : colon + 2)..].Trim();
    }
}

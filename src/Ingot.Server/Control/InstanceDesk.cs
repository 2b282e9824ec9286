using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Ingot.Diagnostics;
using Ingot.Evidence.Secrets;
using Ingot.Instances;
using Ingot.Releases;
using Ingot.Server.Api;
using Ingot.Server.Ledger;
using Ingot.Templates.Project;
using Microsoft.Extensions.Logging;

namespace Ingot.Server.Control;

/// <summary>Shows what instances wrote, and of those that failed what was last seen of them. It looks, and changes nothing.</summary>
internal sealed class InstanceDesk(LedgerStore ledger, ITarget target, ILogger logger)
{
    /// <summary>How many lines of an instance's log are shown of one that failed.</summary>
    public const int SymptomLines = 10;

    private const int SymptomInstances = 3;
    private const int LongestSymptomLine = 300;
    private const int MostPending = 1024;

    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan s_look = TimeSpan.FromSeconds(2);

    /// <summary>The lines of all instances of a service at its stages, the newest generation's and those that are left of others; when they are followed, also those of instances that come.</summary>
    public IAsyncEnumerable<LogLineReply> LogAsync(ProjectDefinition project, string service, string? stage, LogQuery query, CancellationToken cancellationToken)
    {
        var keys = Keys(project, service, stage);
        return query.Follow ? FollowAsync(keys, query, cancellationToken) : ReadAsync(keys, query, cancellationToken);
    }

    /// <summary>What is left of the instances of a generation that failed, with the last lines each wrote. What cannot be read in a moment is left out.</summary>
    public async Task<IReadOnlyList<InstanceSymptom>> SymptomsAsync(ServiceKey key, int generation, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(s_patience);
        try
        {
            var instances = (await InstancesAsync(key, limit.Token)).Where(instance => instance.Generation == generation).Take(SymptomInstances);
            return await Task.WhenAll(instances.Select(instance => SymptomAsync(instance, limit.Token))).WaitAsync(limit.Token);
        }
        catch (Exception e) when (e is IngotException or OperationCanceledException && !cancellationToken.IsCancellationRequested)
        {
            logger.LogDebug(e, "{Service}: what generation {Generation} wrote could not be read", key, generation);
            return [];
        }
    }

    private async Task<InstanceSymptom> SymptomAsync(InstanceObservation instance, CancellationToken cancellationToken)
    {
        var lines = new List<string>();
        await foreach (var line in target.ReadLogAsync(instance.Id, new LogQuery(SymptomLines), cancellationToken))
            lines.Add(Shown(line.Text));
        // One that we stopped ended because of that.
        int? ended = instance.Restarts > 0 && instance.ExitCode is not (null or 0 or 137 or 143) ? instance.ExitCode : null;
        return new InstanceSymptom(NameOf(instance), ShortId(instance), ended, instance.OutOfMemory, lines);
    }

    // It is seen by more people than an instance's log is, and kept in the logs of pipelines.
    private static string Shown(string line)
    {
        string text = PlainText.Cleaned(SecretScanner.Redact(line));
        return text.Length <= LongestSymptomLine ? text : text[..LongestSymptomLine] + "…";
    }

    private List<ServiceKey> Keys(ProjectDefinition project, string service, string? stage)
    {
        var named = project.Services.FirstOrDefault(s => s.Name == service);
        var live = ledger.Read(view => view.LiveServices().Where(s => s.Project == project.Name && s.Service == service).Select(s => s.Stage).ToList());
        if (named is null && live.Count == 0)
            throw new ApiException("not_found", $"the project '{project.Name}' has no service '{service}'{Among(project.Services.Select(s => s.Name))}");
        if (stage is not null && project.Stages.All(s => s.Name != stage) && !live.Contains(stage))
            throw new ApiException("not_found", $"the project '{project.Name}' has no stage '{stage}'{Among(project.Stages.Select(s => s.Name))}");

        var stages = project.Stages.Where(s => s.Target is not null).Select(s => s.Name).Union(live, StringComparer.Ordinal);
        return [.. stages.Where(s => stage is null || s == stage).Select(s => new ServiceKey(project.Name, service, s))];
    }

    private static string Among(IEnumerable<string> names) => names.ToList() is { Count: > 0 } known ? $": it has {string.Join(", ", known)}" : "";

    private async IAsyncEnumerable<LogLineReply> ReadAsync(IReadOnlyList<ServiceKey> keys, LogQuery query, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var readers = new List<IAsyncEnumerator<LogLineReply>>();
        try
        {
            foreach (var key in keys)
            {
                foreach (var instance in await InstancesAsync(key, cancellationToken))
                    readers.Add(LinesAsync(key, instance, query, cancellationToken).GetAsyncEnumerator(cancellationToken));
            }

            // Of all instances the line that was written first comes first; lines of one stay in their order.
            var next = new PriorityQueue<IAsyncEnumerator<LogLineReply>, (DateTimeOffset, int)>();
            for (int i = 0; i < readers.Count; i++)
                await EnqueueAsync(next, readers[i], i);
            while (next.TryDequeue(out var reader, out var at))
            {
                yield return reader.Current;
                await EnqueueAsync(next, reader, at.Item2);
            }
        }
        finally
        {
            foreach (var reader in readers)
                await reader.DisposeAsync();
        }
    }

    private static async Task EnqueueAsync(
        PriorityQueue<IAsyncEnumerator<LogLineReply>, (DateTimeOffset, int)> next, IAsyncEnumerator<LogLineReply> reader, int index)
    {
        if (await reader.MoveNextAsync())
            next.Enqueue(reader, (reader.Current.Time ?? DateTimeOffset.MinValue, index));
    }

    private async IAsyncEnumerable<LogLineReply> LinesAsync(
        ServiceKey key, InstanceObservation instance, LogQuery query, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var line in target.ReadLogAsync(instance.Id, query, cancellationToken))
            yield return Reply(key, instance, line);
    }

    private async IAsyncEnumerable<LogLineReply> FollowAsync(IReadOnlyList<ServiceKey> keys, LogQuery query, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var lines = Channel.CreateBounded<LogLineReply>(new BoundedChannelOptions(MostPending) { SingleReader = true });
        var watch = WatchAsync(keys, query, lines.Writer, end.Token);
        try
        {
            await foreach (var line in lines.Reader.ReadAllAsync(cancellationToken))
                yield return line;
        }
        finally
        {
            await end.CancelAsync();
            await watch;
        }
    }

    // Those that come later are read from their beginning.
    private async Task WatchAsync(IReadOnlyList<ServiceKey> keys, LogQuery query, ChannelWriter<LogLineReply> lines, CancellationToken cancellationToken)
    {
        var readers = new Dictionary<string, Task>(StringComparer.Ordinal);
        Exception? fault = null;
        try
        {
            while (true)
            {
                bool isFirst = readers.Count == 0;
                foreach (var key in keys)
                {
                    foreach (var instance in (await InstancesAsync(key, cancellationToken)).Where(i => !readers.ContainsKey(i.Id)))
                        readers[instance.Id] = CopyAsync(key, instance, isFirst ? query : query with { Tail = null }, lines, cancellationToken);
                }

                await Task.Delay(s_look, cancellationToken);
            }
        }
        catch (OperationCanceledException)
        {
            // Nobody listens any more.
        }
        catch (Exception e)
        {
            fault = e;
        }

        await Task.WhenAll(readers.Values);
        lines.TryComplete(fault);
    }

    private async Task CopyAsync(ServiceKey key, InstanceObservation instance, LogQuery query, ChannelWriter<LogLineReply> lines, CancellationToken cancellationToken)
    {
        try
        {
            await foreach (var line in LinesAsync(key, instance, query, cancellationToken))
                await lines.WriteAsync(line, cancellationToken);
        }
        catch (Exception e) when (e is IngotException or OperationCanceledException or ChannelClosedException)
        {
            logger.LogDebug(e, "{Service}: the log of {Instance} is not read any more", key, NameOf(instance));
        }
    }

    // Asked of the target, and not of a loop: what is left of a service that runs no more has none.
    private async Task<IReadOnlyList<InstanceObservation>> InstancesAsync(ServiceKey key, CancellationToken cancellationToken) =>
        await target.ObserveInstancesAsync(new ServiceSetup(key, s_anyProxy, []), cancellationToken);

    private static readonly ProxySettings s_anyProxy = new(new ListenAddress("127.0.0.1", 0), TimeSpan.Zero);

    private static LogLineReply Reply(ServiceKey key, InstanceObservation instance, LogLine line) =>
        new(key.Stage, key.Service, NameOf(instance), ShortId(instance), line.Time, line.IsError ? "stderr" : "stdout", line.Text);

    private static string NameOf(InstanceObservation instance) => InstanceName.Of(instance.Generation, instance.Index);

    private static string ShortId(InstanceObservation instance) => instance.Id[..Math.Min(12, instance.Id.Length)];
}

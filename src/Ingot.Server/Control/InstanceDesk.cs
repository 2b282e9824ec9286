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
internal sealed class InstanceDesk(LedgerStore ledger, StageTargets targets, ILogger logger)
{
    /// <summary>How many lines of an instance's log are shown of one that failed.</summary>
    public const int SymptomLines = 10;

    private const int SymptomInstances = 3;
    // More are read than are shown: a key is recognised by its first line.
    private const int SymptomLinesRead = 200;
    private const int LongestSymptomLine = 300;
    private const int MostSequencePasses = 8;
    private const int MostPending = 1024;

    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan s_look = TimeSpan.FromSeconds(2);

    /// <summary>The lines of all instances of a service at its stages, the newest generation's and those that are left of others; when they
    /// are followed, also those of instances that come.</summary>
    public IAsyncEnumerable<LogLineReply> LogAsync(
        ProjectDefinition project, string service, string? stage, LogQuery query, CancellationToken cancellationToken)
    {
        var keys = Keys(project, service, stage);
        return query.Follow ? FollowAsync(keys, query, cancellationToken) : ReadAsync(keys, query, cancellationToken);
    }

    /// <summary>What is left of the instances of a generation that failed, with the last lines each wrote. What cannot be read in a moment
    /// is left out, and that is said in its place.</summary>
    public async Task<IReadOnlyList<InstanceSymptom>> SymptomsAsync(ServiceKey key, int generation, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(s_patience);
        try
        {
            var seen = await InstancesAsync(key, limit.Token).WaitAsync(limit.Token);
            var instances = seen.Where(instance => instance.Generation == generation).Take(SymptomInstances);
            return await Task.WhenAll(instances.Select(instance => SymptomAsync(key, instance, limit.Token, cancellationToken)));
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            // A status is answered whatever is the matter with what it is about.
            logger.LogWarning(e, "{Service}: what is left of generation {Generation} could not be seen", key, generation);
            return [];
        }
    }

    private async Task<InstanceSymptom> SymptomAsync(
        ServiceKey key, InstanceObservation instance, CancellationToken limit, CancellationToken cancellationToken)
    {
        IReadOnlyList<string> lines;
        try
        {
            lines = await LastLinesAsync(key, instance.Id, limit).WaitAsync(limit);
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            logger.LogDebug(e, "{Service}: what {Instance} wrote could not be read", key, NameOf(instance));
            string why = limit.IsCancellationRequested ? "there was no answer in time" : PlainText.Visible(IngotException.ReasonOf(e));
            lines = [$"(what it wrote could not be read: {why})"];
        }

        // One that we stopped ended because of that.
        int? ended = instance.Restarts > 0 && instance.ExitCode is not (null or 0 or 137 or 143) ? instance.ExitCode : null;
        return new InstanceSymptom(NameOf(instance), ShortId(instance), ended, instance.OutOfMemory, lines);
    }

    private async Task<IReadOnlyList<string>> LastLinesAsync(ServiceKey key, string id, CancellationToken cancellationToken)
    {
        var lines = new List<string>();
        await foreach (var line in targets.Of(key).ReadLogAsync(id, new LogQuery(SymptomLinesRead), cancellationToken))
            lines.Add(line.Text);
        return lines.Count == 0 ? [] : Shown(lines);
    }

    // They are seen by more people than an instance's log is, and kept in the logs of pipelines. A colour within a secret hides it, and a
    // key has several lines. Nothing that could join two halves is taken out after secrets are.
    internal static IReadOnlyList<string> Shown(IEnumerable<string> lines) =>
    [
        .. SecretScanner.Redact(string.Join('\n', lines.Select(Bare))).Split('\n').TakeLast(SymptomLines).Select(PlainText.Visible)
            .Select(text => text.Length <= LongestSymptomLine ? text : text[..LongestSymptomLine] + "…"),
    ];

    // What is left when a sequence is taken out may be one as well.
    private static string Bare(string line)
    {
        for (int i = 0, length = -1; i < MostSequencePasses && length != line.Length; i++)
        {
            length = line.Length;
            line = PlainText.WithoutSequences(line);
        }

        return line.TrimEnd('\r');
    }

    private List<ServiceKey> Keys(ProjectDefinition project, string service, string? stage)
    {
        var named = project.Services.FirstOrDefault(s => s.Name == service);
        var live = ledger.Read(view =>
            view.LiveServices().Where(s => s.Project == project.Name && s.Service == service).Select(s => s.Stage).ToList());
        if (named is null && live.Count == 0)
            throw new ApiException("not_found",
                $"the project '{project.Name}' has no service '{service}'{Among(project.Services.Select(s => s.Name))}");
        if (stage is not null && project.Stages.All(s => s.Name != stage) && !live.Contains(stage))
            throw new ApiException("not_found",
                $"the project '{project.Name}' has no stage '{stage}'{Among(project.Stages.Select(s => s.Name))}");

        var stages = project.Stages.Where(s => s.Target is not null).Select(s => s.Name).Union(live, StringComparer.Ordinal);
        return [.. stages.Where(s => stage is null || s == stage).Select(s => new ServiceKey(project.Name, service, s))];
    }

    private static string Among(IEnumerable<string> names) =>
        names.ToList() is { Count: > 0 } known ? $": it has {string.Join(", ", known)}" : "";

    private async IAsyncEnumerable<LogLineReply> ReadAsync(
        IReadOnlyList<ServiceKey> keys, LogQuery query, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var readers = new List<IAsyncEnumerator<LogLineReply>>();
        try
        {
            foreach (var key in keys)
            {
                foreach (var instance in await InstancesAsync(key, cancellationToken))
                    readers.Add(ToldAsync(key, instance, query, cancellationToken).GetAsyncEnumerator(cancellationToken));
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

    // Where a log cannot be read, that is its last line: it ends no other instance's.
    private async IAsyncEnumerable<LogLineReply> ToldAsync(
        ServiceKey key, InstanceObservation instance, LogQuery query, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await using var lines = targets.Of(key).ReadLogAsync(instance.Id, query, cancellationToken).GetAsyncEnumerator(cancellationToken);
        bool isRead = true;
        while (isRead)
        {
            LogLineReply? next;
            try
            {
                next = await lines.MoveNextAsync() ? Reply(key, instance, lines.Current) : null;
            }
            catch (Exception e) when (!cancellationToken.IsCancellationRequested)
            {
                logger.LogWarning(e, "{Service}: the log of {Instance} could not be read", key, NameOf(instance));
                string why = PlainText.Visible(IngotException.ReasonOf(e));
                next = Reply(key, instance, new LogLine(null, IsError: true, $"(its log could not be read: {why})"));
                isRead = false;
            }

            if (next is null)
                yield break;
            yield return next;
        }
    }

    private async IAsyncEnumerable<LogLineReply> FollowAsync(
        IReadOnlyList<ServiceKey> keys, LogQuery query, [EnumeratorCancellation] CancellationToken cancellationToken)
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

    // Those that come later are read from their beginning, and one that was started again from where it ended.
    private async Task WatchAsync(
        IReadOnlyList<ServiceKey> keys, LogQuery query, ChannelWriter<LogLineReply> lines, CancellationToken cancellationToken)
    {
        var readers = new Dictionary<string, LogReader>(StringComparer.Ordinal);
        Exception? fault = null;
        try
        {
            while (true)
            {
                bool isFirst = readers.Count == 0;
                foreach (var key in keys)
                {
                    foreach (var instance in await InstancesAsync(key, cancellationToken))
                    {
                        if (!readers.TryGetValue(instance.Id, out var reader))
                            readers[instance.Id] = reader = new LogReader(isFirst ? query : query with { Tail = null });
                        else if (!reader.Reading.IsCompleted || instance.State != InstanceState.Running)
                            continue;
                        reader.Reading = CopyAsync(key, instance, reader, lines, cancellationToken);
                    }
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

        // Also when the instances cannot be seen any more: nobody is left waiting for lines.
        lines.TryComplete(fault);
        await Task.WhenAll(readers.Values.Select(reader => reader.Reading));
    }

    // Whatever the matter is, it is tried again at the next look as long as the instance runs.
    private async Task CopyAsync(
        ServiceKey key, InstanceObservation instance, LogReader reader, ChannelWriter<LogLineReply> lines,
        CancellationToken cancellationToken)
    {
        try
        {
            await foreach (var line in targets.Of(key).ReadLogAsync(instance.Id, reader.Next(instance), cancellationToken))
            {
                if (reader.IsNew(line))
                    await lines.WriteAsync(Reply(key, instance, line), cancellationToken);
            }
        }
        catch (Exception e)
        {
            logger.LogDebug(e, "{Service}: the log of {Instance} is not read any more", key, NameOf(instance));
        }
    }

    /// <summary>How far the log of an instance was read: one that is started again keeps its container, and its log goes on.</summary>
    private sealed class LogReader(LogQuery query)
    {
        private bool _hasBegun;
        private bool _hasLines;
        private DateTimeOffset? _last;
        private DateTimeOffset? _before;

        public Task Reading { get; set; } = Task.CompletedTask;

        /// <summary>What to ask for now.</summary>
        public LogQuery Next(InstanceObservation instance)
        {
            bool isFirst = !_hasBegun;
            _hasBegun = true;
            _before = _last;
            if (isFirst)
                return query;
            if (_last is { } last)
                return query with { Tail = null, Since = last };
            // Lines without a time cannot be told from new ones.
            if (_hasLines)
                return query with { Tail = 0 };
            // Where nothing old was asked for, what was written since it started is new.
            return query with { Tail = null, Since = query.Tail == 0 ? instance.StartedAt ?? query.Since : query.Since };
        }

        /// <summary>Whether a line was not read before.</summary>
        public bool IsNew(LogLine line)
        {
            _hasLines = true;
            if (line.Time is not { } time)
                return true;
            if (time <= _before)
                return false;
            _last = time > _last ? time : _last ?? time;
            return true;
        }
    }

    // Asked of the target, and not of a loop: what is left of a service that runs no more has none.
    private async Task<IReadOnlyList<InstanceObservation>> InstancesAsync(ServiceKey key, CancellationToken cancellationToken) =>
        await targets.Of(key).ObserveInstancesAsync(new ServiceSetup(key, s_anyProxy, []), cancellationToken);

    private static readonly ProxySettings s_anyProxy = new(new ListenAddress("127.0.0.1", 0), TimeSpan.Zero);

    private static LogLineReply Reply(ServiceKey key, InstanceObservation instance, LogLine line) =>
        new(key.Stage, key.Service, NameOf(instance), ShortId(instance), line.Time, line.IsError ? "stderr" : "stdout", line.Text);

    private static string NameOf(InstanceObservation instance) => InstanceName.Of(instance.Generation, instance.Index);

    private static string ShortId(InstanceObservation instance) => instance.Id[..Math.Min(12, instance.Id.Length)];
}

using System.CommandLine;
using System.Globalization;
using Ingot.Diagnostics;
using Ingot.Server.Api;
using Ingot.Templates.Project;

namespace Ingot.Cli.Commands;

/// <summary><c>ingot logs SERVICE</c>: its argument, its options and what it does.</summary>
internal static class ServiceLogs
{
    public static void AddTo(Command command, Binder bind)
    {
        var service = new Argument<string>("SERVICE") { Description = "The service's name in the project" };
        var stage = new Option<string?>("--stage") { Description = "Only at this stage", HelpName = "STAGE" };
        var follow = new Option<bool>("--follow", "-f") { Description = "Wait for more, also from instances started later, until Ctrl-C" };
        var tail = new Option<string>("--tail")
        {
            Description = "How many of the last lines of each instance, or 'all'",
            HelpName = "N",
            DefaultValueFactory = _ => "all",
        };
        var since = new Option<string?>("--since")
        {
            Description = "Only what was written since: a time such as 2026-01-31T12:00:00Z, or as long ago as 10m",
            HelpName = "TIME",
        };
        var times = new Option<bool>("--timestamps", "-t") { Description = "Say when each line was written" };
        var raw = new Option<bool>("--raw")
        {
            Description = "The lines as they were written, with control characters and without the instance",
        };
        foreach (var option in (Option[])[stage, follow, tail, since, times, raw])
            command.Add(option);
        command.Add(service);
        command.SetAction(bind(async (context, result, cancellationToken) =>
        {
            var query = new LogRequest(result.GetRequiredValue(service), result.GetValue(stage), result.GetValue(follow),
                Tail(result.GetValue(tail)!), Since(result.GetValue(since), TimeProvider.System.GetUtcNow()));
            return await ShowAsync(context, query, new LogStyle(result.GetValue(times), result.GetValue(raw)), cancellationToken);
        }));
    }

    private static async Task<int> ShowAsync(
        CommandContext context, LogRequest request, LogStyle style, CancellationToken cancellationToken)
    {
        var project = context.LoadProject();
        using var server = await context.ConnectAsync(cancellationToken, start: false);
        try
        {
            await foreach (var line in server.LinesAsync(request.PathFor(project.Name), ApiJson.Default.LogLineReply, cancellationToken))
            {
                if (!context.Terminal.TryJson(line, ApiJson.Default.LogLineReply))
                    style.Write(context.Terminal, line);
            }
        }
        catch (OperationCanceledException) when (request.Follow && cancellationToken.IsCancellationRequested)
        {
            // That is how following ends.
            return ExitCode.Interrupted;
        }

        return ExitCode.Done;
    }

    /// <summary>A number of lines; null for all.</summary>
    internal static int? Tail(string text) => text == "all"
        ? null
        : int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int lines) ? lines
        : throw new InvalidInputException("tail", $"'{text}' is not a number of lines", "one such as 100, or 'all'");

    /// <summary>A time, or one as long ago as a duration says; null for the beginning.</summary>
    internal static DateTimeOffset? Since(string? text, DateTimeOffset now)
    {
        if (text is null)
            return null;
        if (Quantity.Duration(text) is { } ago)
            return now - ago;
        return DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time)
            && text.Contains('-', StringComparison.Ordinal)
            ? time
            : throw new InvalidInputException("since", $"'{text}' is not a time",
                "one such as 2026-01-31T12:00:00Z, or as long ago as 10m or 2h");
    }
}

/// <summary>Which lines are asked for.</summary>
internal sealed record LogRequest(string Service, string? Stage, bool Follow, int? Tail, DateTimeOffset? Since)
{
    public string PathFor(string project)
    {
        string path = $"api/v1/logs?project={Uri.EscapeDataString(project)}&service={Uri.EscapeDataString(Service)}"
            + $"&follow={(Follow ? "true" : "false")}";
        if (Stage is not null)
            path += $"&stage={Uri.EscapeDataString(Stage)}";
        if (Tail is { } tail)
            path += string.Create(CultureInfo.InvariantCulture, $"&tail={tail}");
        return Since is { } since
            ? path + "&since=" + Uri.EscapeDataString(since.UtcDateTime.ToString("O", CultureInfo.InvariantCulture))
            : path;
    }
}

/// <summary>How lines are shown.</summary>
internal sealed record LogStyle(bool Times, bool Raw)
{
    public void Write(Output.Terminal terminal, LogLineReply line)
    {
        if (Raw)
            terminal.Raw(line.Text);
        else
            terminal.Line(Format(line));
    }

    private string Format(LogLineReply line)
    {
        string time = Times && line.Time is { } at
            ? at.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z' ", CultureInfo.InvariantCulture)
            : "";
        return $"{line.Stage}/{line.Instance} | {time}{PlainText.Cleaned(line.Text)}";
    }
}

using System.Globalization;
using Ingot.Diagnostics;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Logging.Console;

namespace Ingot.Server;

/// <summary>The server's log: one line an event, whatever a request or a program said.
/// What was caused by an exception follows, indented.</summary>
internal sealed class PlainLogFormatter(TimeProvider? time = null) : ConsoleFormatter(FormatterName)
{
    /// <summary>Its name among the formatters.</summary>
    public const string FormatterName = "plain";

    private readonly TimeProvider _time = time ?? TimeProvider.System;

    /// <inheritdoc/>
    public override void Write<TState>(in LogEntry<TState> logEntry, IExternalScopeProvider? scopeProvider, TextWriter textWriter)
    {
        string message = logEntry.Formatter(logEntry.State, logEntry.Exception);
        string when = _time.GetUtcNow().ToString("yyyy-MM-dd HH:mm:ss.fff", CultureInfo.InvariantCulture);
        textWriter.Write($"{when} {Word(logEntry.LogLevel)}: {logEntry.Category}[{logEntry.EventId.Id}] {PlainText.Visible(message)}\n");
        foreach (var line in logEntry.Exception?.ToString().Split('\n') ?? [])
            textWriter.Write($"      {PlainText.Visible(line.TrimEnd('\r'))}\n");
    }

    private static string Word(LogLevel level) => level switch
    {
        LogLevel.Critical => "crit",
        LogLevel.Error => "fail",
        LogLevel.Warning => "warn",
        LogLevel.Information => "info",
        _ => "dbug",
    };
}

using System.CommandLine;

namespace Ingot.Cli.Commands;

/// <summary><c>ingot logs …</c>.</summary>
internal static class LogsCommand
{
    public static Command Create(Binder bind) => new("logs", "What programs wrote") { BuildLogsCommand.Create(bind) };
}

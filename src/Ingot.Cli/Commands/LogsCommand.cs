using System.CommandLine;

namespace Ingot.Cli.Commands;

/// <summary><c>ingot logs</c>.</summary>
internal static class LogsCommand
{
    public static Command Create(Binder bind)
    {
        var command = new Command("logs", "What the instances of a service wrote, with the instance before each line");
        ServiceLogs.AddTo(command, bind);
        command.Add(BuildLogsCommand.Create(bind));
        return command;
    }
}

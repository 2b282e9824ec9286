using System.CommandLine;
using Ingot.Cli.Pipeline;

namespace Ingot.Cli.Commands;

/// <summary><c>ingot up [DIR]</c>.</summary>
internal static class UpCommand
{
    public static Command Create(Binder bind)
    {
        var directory = new Argument<string>("DIR") { Description = "The project's directory", Arity = ArgumentArity.ZeroOrOne, DefaultValueFactory = _ => "." };
        var settings = new BuildSymbols();
        var command = new Command("up", "From source to running: build, test, scan, sign, publish, promote as far as the gates allow, roll out") { directory };
        settings.AddTo(command);
        var wait = new WaitSymbols();
        wait.AddTo(command);
        var dryRun = new Option<bool>("--dry-run") { Description = "Say what would be built, what the stages would answer and what would be moved, and change nothing" };
        command.Add(dryRun);
        command.SetAction(bind((context, result, cancellationToken) =>
        {
            string path = context.Resolve(result.GetValue(directory)!);
            var options = settings.Read(result, path);
            var waiting = wait.Read(result);
            return result.GetValue(dryRun)
                ? new UpPreview(context).RunAsync(path, cancellationToken)
                : new UpPipeline(context, options, waiting).RunAsync(path, cancellationToken);
        }));
        return command;
    }
}

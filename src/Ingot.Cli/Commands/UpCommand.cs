using System.CommandLine;
using Ingot.Cli.Pipeline;

namespace Ingot.Cli.Commands;

/// <summary><c>ingot up [DIR]</c>.</summary>
internal static class UpCommand
{
    public static Command Create(Binder bind)
    {
        var directory = new Argument<string?>("DIR") { Description = "The project's directory; the nearest above when left out", Arity = ArgumentArity.ZeroOrOne };
        var settings = new BuildSymbols();
        var command = new Command("up", "From source to running: build, test, scan, sign, publish, promote as far as the gates allow, roll out") { directory };
        settings.AddTo(command);
        command.SetAction(bind((context, result, cancellationToken) =>
        {
            string project = result.GetValue(directory) is { } given ? context.Resolve(given) : context.ProjectDirectory;
            return new UpPipeline(context, settings.Read(result, result.GetValue(directory) is null ? context.Directory : project)).RunAsync(project, cancellationToken);
        }));
        return command;
    }
}

using System.CommandLine;
using Ingot.Cli.Pipeline;
using Ingot.Diagnostics;

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
            string? given = result.GetValue(directory);
            string project = given is null ? context.ProjectDirectory : context.Resolve(given);
            var options = settings.Read(result, given is null ? context.Directory : project);
            if (options.Platforms.Count > 1)
                throw new InvalidInputException("platform", "'ingot up' runs images for one platform",
                    "'ingot build' makes an index for several");
            return new UpPipeline(context, options).RunAsync(project, cancellationToken);
        }));
        return command;
    }
}

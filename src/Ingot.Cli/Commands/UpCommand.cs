using System.CommandLine;
using Ingot.Cli.Pipeline;
using Ingot.Diagnostics;

namespace Ingot.Cli.Commands;

/// <summary><c>ingot up [DIR]</c>.</summary>
internal static class UpCommand
{
    public static Command Create(Binder bind)
    {
        var directory = new Argument<string?>("DIR")
        {
            Description = "The project's directory; the nearest above when left out",
            Arity = ArgumentArity.ZeroOrOne,
        };
        var settings = new BuildSymbols();
        var command = new Command("up",
            "From source to running: build, test, scan, sign, publish, promote as far as the gates allow, roll out") { directory };
        settings.AddTo(command);
        var wait = new WaitSymbols();
        wait.AddTo(command);
        var dryRun = new Option<bool>("--dry-run")
        {
            Description = "Say what would be built, what the stages would answer and what would be moved, and change nothing",
        };
        command.Add(dryRun);
        command.SetAction(bind((context, result, cancellationToken) =>
        {
            bool isGiven = result.GetValue(directory) is not null;
            string project = isGiven ? context.Resolve(result.GetValue(directory)!) : context.RequireProject();
            var progress = settings.ReadProgress(result);
            var options = BuildSubject.Resolved(settings.Read(result, context.Directory), context.Directory, project);
            if (options.Platforms.Count > 1)
                throw new InvalidInputException("platform", "'ingot up' runs images for one platform",
                    "'ingot build' makes an index for several");
            var waiting = wait.Read(result);
            return result.GetValue(dryRun)
                ? new UpPreview(context).RunAsync(project, cancellationToken)
                : new UpPipeline(context, context.HostFor(progress), options, waiting).RunAsync(project, cancellationToken);
        }));
        return command;
    }
}

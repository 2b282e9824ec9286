using Ingot.Cli.Output;
using Ingot.Projects;
using Ingot.Projects.Building;

namespace Ingot.Cli.Pipeline;

/// <summary>Shows the work on a project: a line for each thing that is to be known, and displays of builds and transfers.</summary>
internal sealed class ProjectDisplay(Terminal terminal, BuildProgressMode mode = BuildProgressMode.Auto) : IProjectProgress
{
    public void Report(ProjectEvent progress)
    {
        switch (progress)
        {
            case ProjectEvent.Note note:
                terminal.Progress($"{note.Area,-8} {(note.IsWarning ? terminal.Bad("warning") + ": " : "")}{note.Text}");
                break;
            case ProjectEvent.Now now:
                terminal.Status(now.Text);
                break;
            case ProjectEvent.Explained explained:
                Show(explained);
                break;
            case ProjectEvent.CachePruned pruned:
                terminal.Progress($"cache    {BuildDisplay.Bytes(pruned.Removed)} of the least recently used was removed, "
                    + $"{BuildDisplay.Bytes(pruned.Kept)} stay ({CacheKeeper.Variable} is {BuildDisplay.Bytes(pruned.Bound)})");
                break;
            case ProjectEvent.Tested tested:
                ExaminationText.Print(terminal, tested.Image, tested.Report, isResult: false);
                break;
            case ProjectEvent.Scanned scanned:
                ExaminationText.Print(terminal, scanned.Image, scanned.Scan, isResult: false);
                break;
        }
    }

    public IBuildWatch WatchBuild(string? log) => new BuildDisplay(terminal, mode, log);

    public ITransferWatch WatchTransfer(string verb, string name) => new TransferDisplay(terminal, verb, name);

    private void Show(ProjectEvent.Explained explained)
    {
        if (terminal.Json)
            return;
        foreach (string line in explained.Steps.SelectMany(s => ExplanationText.Of(s.Step, s.Explanation)))
            terminal.Line(line);
    }
}

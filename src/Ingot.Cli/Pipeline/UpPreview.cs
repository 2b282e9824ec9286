using System.Globalization;
using Ingot.Cli.Commands;
using Ingot.Cli.Output;
using Ingot.Evidence.Tests;
using Ingot.Oci.Content;
using Ingot.Oci.Layouts;
using Ingot.Projects;
using Ingot.Projects.Examination;
using Ingot.Server.Api;
using Ingot.Templates.Project;

namespace Ingot.Cli.Pipeline;

/// <summary><c>ingot up --dry-run</c>: what would be built, answered and moved. It only reads: no server is started,
/// nothing is built and nothing recorded.</summary>
internal sealed class UpPreview(CommandContext context)
{
    private readonly Terminal _terminal = context.Terminal;

    public async Task<int> RunAsync(string directory, CancellationToken cancellationToken)
    {
        var project = ProjectFiles.Load(directory, context.Host.FrontEnds);
        GossFiles.Load(directory, project);
        using var server = await context.ConnectAsync(cancellationToken, start: false);
        var images = new List<PlannedImage>();
        foreach (var image in project.Images)
            images.Add(await ImageAsync(server, project, image, cancellationToken));

        var decisions = new List<DecisionReply>();
        var releases = new List<PlannedRelease>();
        foreach (var stage in project.Stages)
        {
            foreach (var image in images.Where(i => i is { Version: not null, Digest: not null } && server.Runs))
                decisions.AddRange(await DecisionAsync(server, project, stage, image, cancellationToken));
            if (stage.Target is null)
                continue;
            foreach (var service in project.Services)
                releases.Add(await ReleaseAsync(server, project, stage, service, images.First(i => i.Image == service.Image),
                    cancellationToken));
        }

        var report = new UpPreviewReport(images, decisions, releases);
        if (!_terminal.TryJson(report, UpJson.Default.UpPreviewReport))
            Print(report, server.Runs);
        return ExitCode.Done;
    }

    private async Task<PlannedImage> ImageAsync(
        ServerClient server, ProjectDefinition project, ImageDefinition image, CancellationToken cancellationToken)
    {
        string from = context.Host.FrontEnds.Of(image).Origin;
        var built = File.Exists(Path.Combine(context.Home.Content, OciLayout.IndexFile))
            ? (await new OciLayout(context.Home.Content).FindAsync($"{project.Name}/{image.Name}:{image.Version ?? "latest"}",
                cancellationToken))?.Digest
            : null;
        var bound = image.Version is null || !server.Runs ? null : await BoundAsync(server, project, image, cancellationToken);
        string? conflict = bound is not null && built is not null && bound != built
            ? $"{project.Name}/{image.Name}:{image.Version} is {bound} and stays so: "
                + "the build needs a version of its own unless it comes to that digest again"
            : null;
        return new PlannedImage(image.Name, image.Version, from, built ?? bound, conflict);
    }

    private static Task<Digest?> BoundAsync(
        ServerClient server, ProjectDefinition project, ImageDefinition image, CancellationToken cancellationToken) =>
        TryAsync<Digest?>(async () =>
            (await server.GetAsync($"api/v1/resolve?project={project.Name}&image={image.Name}&tag={Uri.EscapeDataString(image.Version!)}",
                ApiJson.Default.ResolveReply, cancellationToken)).Digest, null);

    // A project, or a stage, that the server does not know yet has no answer.
    private static async Task<IReadOnlyList<DecisionReply>> DecisionAsync(
        ServerClient server, ProjectDefinition project, StageDefinition stage, PlannedImage image, CancellationToken cancellationToken) =>
        await TryAsync<IReadOnlyList<DecisionReply>>(async () =>
        [await server.GetAsync($"api/v1/explain?project={project.Name}&image={image.Image}&stage={stage.Name}"
            + $"&digest={Uri.EscapeDataString(image.Digest.ToString()!)}", ApiJson.Default.DecisionReply, cancellationToken)], []);

    private static async Task<PlannedRelease> ReleaseAsync(
        ServerClient server, ProjectDefinition project, StageDefinition stage, ServiceDefinition service, PlannedImage image,
        CancellationToken cancellationToken)
    {
        if (!server.Runs || image.Digest is not { } digest)
            return Unknown(server.Runs ? "the image is not built yet: its digest decides" : "no server runs");
        var request = new ReleasePreviewRequest(project.Source.Text, service.Name, stage.Name, digest);
        return await TryAsync(async () =>
        {
            var reply = await server.SendAsync(HttpMethod.Post, "api/v1/releases/preview", request, ApiJson.Default.ReleasePreviewRequest,
                ApiJson.Default.ReleasePreviewReply, cancellationToken);
            return new PlannedRelease(stage.Name, service.Name, reply.Outcome, reply.Reason, reply.Moves);
        }, Unknown("the server does not know the project yet"));

        PlannedRelease Unknown(string reason) => new(stage.Name, service.Name, "unknown", reason, []);
    }

    private static async Task<T> TryAsync<T>(Func<Task<T>> ask, T otherwise)
    {
        try
        {
            return await ask();
        }
        catch (ServerException e) when (e.Code == "not_found")
        {
            return otherwise;
        }
    }

    private void Print(UpPreviewReport report, bool runs)
    {
        if (!runs)
            _terminal.Line("server   none runs here: 'ingot up' starts one, and everything is new to it");
        foreach (var image in report.Images)
        {
            string known = image.Digest is { } digest
                ? $"last built as {digest.Short}, which is what is asked about below"
                : "not built here yet";
            _terminal.Line($"build    {image.Image}{(image.Version is null ? "" : ":" + image.Version)} from {image.From}: {known}");
            if (image.Conflict is not null)
                _terminal.Line($"build    {_terminal.Bad(image.Conflict)}");
        }

        foreach (var decision in report.Decisions)
            PromotionCommands.Print(_terminal, decision);
        foreach (var release in report.Releases)
        {
            string reason = release.Reason is null ? "" : ": " + release.Reason;
            _terminal.Line($"release  {release.Stage}/{release.Service} {Word(release)}{reason}");
            for (int i = 0; i < release.Moves.Count; i++)
                _terminal.Line(string.Create(CultureInfo.InvariantCulture, $"  {i + 1}. {release.Moves[i]}"));
        }

        _terminal.Line("nothing was changed: evidence that 'ingot up' makes does not exist yet, "
            + "and stages answer for the project as it was last applied");
    }

    private string Word(PlannedRelease release) => release.Outcome switch
    {
        "started" => _terminal.Good("would begin"),
        "unchanged" => "would stay as it is",
        "refused" => _terminal.Bad("would be refused"),
        _ => "cannot be predicted yet",
    };
}

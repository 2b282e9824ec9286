using System.Diagnostics;
using Ingot.Cli.Commands;
using Ingot.Cli.Output;
using Ingot.Evidence.Provenance;
using Ingot.Evidence.Tests;
using Ingot.Oci.Content;
using Ingot.Server.Api;
using Ingot.Templates.Project;
using Ingot.Tools;

namespace Ingot.Cli.Pipeline;

/// <summary>From source to running: build, test, scan, sign, publish, promote as far as the gates allow, roll out.</summary>
internal sealed class UpPipeline(CommandContext context, BuildOptions options)
{
    private readonly Terminal _terminal = context.Terminal;
    private bool _changed;

    public async Task<int> RunAsync(string directory, CancellationToken cancellationToken)
    {
        var clock = Stopwatch.StartNew();
        var project = ProjectFiles.Load(directory);
        var tests = GossFiles.Load(directory, project);
        CheckHost();
        using var server = await context.ConnectAsync(cancellationToken);
        if (project.Stages.Any(s => s.Target == "docker"))
            await Dockerd.EnsureAsync(context.Home, _terminal, cancellationToken);

        var build = new BuildStage(context, options) { Consider = (plan, token) => TargetCheck.RunAsync(context, server, project, plan, token) };
        var built = await build.RunAsync(project, directory, cancellationToken);
        _changed |= build.DidWork;
        var subjects = project.Images.Where(i => i.Version is not null).Select(i => new Subject(project, i, built.First(b => b.Name == i.Name), build.Recipes[i.Name])).ToList();
        await ApplyAsync(server, project, subjects, tests, cancellationToken);
        var published = await PublishAsync(server, project, subjects, tests, cancellationToken);
        int exitCode = await ReleaseAsync(server, project, published, cancellationToken);
        await ReportAsync(server, project, clock.Elapsed, exitCode, cancellationToken);
        return exitCode;
    }

    private static void CheckHost()
    {
        var missing = Prerequisites.Missing();
        if (missing.Count > 0)
            throw new ToolException(missing[0].Package, $"this host lacks {string.Join(", ", missing.Select(m => m.Package))}; install with '{Prerequisites.Install(missing)}', or run 'ingot doctor'");
    }

    private async Task ApplyAsync(
        ServerClient server, ProjectDefinition project, IReadOnlyList<Subject> subjects, Dictionary<string, IReadOnlyList<GossFile>> tests, CancellationToken cancellationToken)
    {
        var request = new ProjectRequest(project.Source.Text, [.. subjects.Select(s => Applied(s, tests[s.Image.Name]))]);
        var reply = await server.SendAsync(HttpMethod.Put, $"api/v1/projects/{project.Name}", request, ApiJson.Default.ProjectRequest, ApiJson.Default.ProjectReply, cancellationToken);
        _changed |= reply.Changed;
        foreach (var left in reply.Left ?? [])
            context.Terminal.Progress($"service {left.Service} is no longer in the project at {left.Stage}: it runs on until 'ingot down --service {left.Service} --stage {left.Stage}'");
    }

    // What the server compares with evidence is taken from where evidence takes it.
    private static ProjectImageRequest Applied(Subject subject, IReadOnlyList<GossFile> tests)
    {
        var source = ProjectBuild.Of(BuildProvenance.Of(subject.Recipe)).Source;
        return new ProjectImageRequest(
            subject.Image.Name, [.. GossFiles.Described(tests).Select(t => new ProjectFileRequest(t.Name, t.Digest))], source?.Repository, source?.Commit);
    }

    private async Task<Dictionary<string, Digest>> PublishAsync(
        ServerClient server, ProjectDefinition project, IReadOnlyList<Subject> subjects, Dictionary<string, IReadOnlyList<GossFile>> tests, CancellationToken cancellationToken)
    {
        var published = new Dictionary<string, Digest>(StringComparer.Ordinal);
        var stage = new PublishStage(context, server);
        foreach (var subject in subjects)
        {
            await RefuseMovedTagAsync(server, project, subject.Image, subject.Built.Digest, cancellationToken);
            var evidence = await new EvidenceStage(context, server.Server).RunAsync(subject, tests[subject.Image.Name], cancellationToken);
            if (evidence.Failure is { } failure)
            {
                bool attached = await stage.AttachAsync(project, subject.Image, subject.Built, evidence, cancellationToken);
                throw new RefusedException(attached ? $"{failure}: {subject.Built.Digest} is published already, and the failure is attached to it" : $"{failure}: nothing is published");
            }

            _changed |= evidence.IsNew;
            _changed |= await stage.RunAsync(project, subject.Image, subject.Built, evidence, cancellationToken);
            published[subject.Image.Name] = subject.Built.Digest;
        }

        return published;
    }

    /// <summary>Found out before the tests run: a version names one digest for ever.</summary>
    private static async Task RefuseMovedTagAsync(ServerClient server, ProjectDefinition project, ImageDefinition image, Digest digest, CancellationToken cancellationToken)
    {
        try
        {
            var bound = await server.GetAsync($"api/v1/resolve?project={project.Name}&image={image.Name}&tag={Uri.EscapeDataString(image.Version!)}", ApiJson.Default.ResolveReply, cancellationToken);
            if (bound.Digest != digest)
                throw new RefusedException($"{project.Name}/{image.Name}:{image.Version} is {bound.Digest} and stays so; this build is {digest}: give it a version of its own (images/{image.Name}/version in {ProjectDefinition.FileName})");
        }
        catch (ServerException e) when (e.Code == "not_found")
        {
            // The version is free.
        }
    }

    private async Task<int> ReleaseAsync(ServerClient server, ProjectDefinition project, Dictionary<string, Digest> published, CancellationToken cancellationToken)
    {
        var stopped = new HashSet<string>(StringComparer.Ordinal);
        int exitCode = ExitCode.Done;
        foreach (var stage in project.Stages)
        {
            foreach (var (image, digest) in published.Where(p => !stopped.Contains(p.Key)))
            {
                if (await PromoteAsync(server, project, stage, image, digest, cancellationToken))
                    continue;
                stopped.Add(image);
                exitCode = ExitCode.No;
            }

            if (stage.Target is null)
                continue;
            foreach (var service in project.Services.Where(s => published.ContainsKey(s.Image) && !stopped.Contains(s.Image)))
            {
                if (await RollOutAsync(server, project, stage, service, published[service.Image], cancellationToken))
                    continue;
                stopped.Add(service.Image);
                exitCode = ExitCode.No;
            }
        }

        return exitCode;
    }

    private async Task<bool> PromoteAsync(ServerClient server, ProjectDefinition project, StageDefinition stage, string image, Digest digest, CancellationToken cancellationToken)
    {
        var decision = await server.SendAsync(HttpMethod.Post, "api/v1/promotions", new PromotionRequest(project.Name, image, stage.Name, digest), ApiJson.Default.PromotionRequest, ApiJson.Default.DecisionReply, cancellationToken);
        bool admitted = decision.Decision == "admitted";
        if (!admitted)
        {
            PromotionCommands.Print(_terminal, decision, toProgress: true);
            return false;
        }

        _terminal.Progress($"promote  {image} {_terminal.Good("admitted")} to {stage.Name} ({string.Join(", ", decision.Gates.Select(g => g.Gate))})");
        return true;
    }

    private async Task<bool> RollOutAsync(ServerClient server, ProjectDefinition project, StageDefinition stage, ServiceDefinition service, Digest digest, CancellationToken cancellationToken)
    {
        string name = $"{stage.Name}/{service.Name}";
        var request = new ReleaseRequest(project.Name, service.Name, stage.Name, digest, "ingot up", Override: false);
        var reply = await server.SendAsync(HttpMethod.Post, "api/v1/releases", request, ApiJson.Default.ReleaseRequest, ApiJson.Default.ReleaseReply, cancellationToken);
        if (reply.Outcome == "unchanged")
            return true;
        if (reply.Outcome == "refused")
        {
            _terminal.Result($"release  {name} {_terminal.Bad("refused")}: {reply.Reason}");
            return false;
        }

        _changed = true;
        var rollout = await RolloutFollower.FollowAsync(server, reply.Rollout!, text => _terminal.Progress($"release  {text}"), cancellationToken);
        if (rollout.Succeeded)
            return true;

        string quarantine = rollout is { State: "RolledBack", Quarantined: true } ? $"; {digest.Short} is quarantined for {name}: see 'ingot log show'" : "";
        _terminal.Result(rollout.State == "Paused"
            ? $"release  {name} {_terminal.Bad("is paused")}: {rollout.Reason}"
            : $"release  {name} {_terminal.Bad("went back")}: {rollout.Reason}{quarantine}");
        return false;
    }

    private async Task ReportAsync(ServerClient server, ProjectDefinition project, TimeSpan elapsed, int exitCode, CancellationToken cancellationToken)
    {
        var status = await server.GetAsync($"api/v1/status?project={project.Name}", ApiJson.Default.StatusReply, cancellationToken);
        if (_terminal.TryJson(status, ApiJson.Default.StatusReply))
            return;

        _terminal.Line();
        StatusCommand.Print(_terminal, status);
        string what = exitCode != ExitCode.Done ? _terminal.Bad("stopped") : _changed ? _terminal.Good("up") : _terminal.Good("nothing to do");
        _terminal.Line($"{what} ({elapsed.TotalSeconds:0.0} s)");
    }
}

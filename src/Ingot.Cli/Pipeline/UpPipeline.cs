using System.Diagnostics;
using Ingot.Cli.Commands;
using Ingot.Cli.Output;
using Ingot.Evidence.Provenance;
using Ingot.Evidence.Tests;
using Ingot.Oci.Content;
using Ingot.Oci.Registries;
using Ingot.Projects;
using Ingot.Projects.Building;
using Ingot.Projects.Examination;
using Ingot.Projects.Recipes;
using Ingot.Server.Api;
using Ingot.Templates.Project;
using Ingot.Tools;

namespace Ingot.Cli.Pipeline;

/// <summary>From source to running: build, test, scan, sign, publish, promote as far as the gates allow, roll out.</summary>
internal sealed class UpPipeline(CommandContext context, ProjectHost host, BuildOptions options, WaitOptions wait)
{
    private readonly Terminal _terminal = context.Terminal;
    private readonly List<DecisionReply> _decisions = [];
    private readonly List<UpRelease> _releases = [];
    private bool _changed;

    public async Task<int> RunAsync(string directory, CancellationToken cancellationToken)
    {
        var clock = Stopwatch.StartNew();
        var project = ProjectFiles.Load(directory, host.FrontEnds);
        var tests = GossFiles.Load(directory, project);
        CheckHost(project);
        using var turn = await context.Home.Places.LockAsync($"up {project.Name}", cancellationToken, () => _terminal.Progress(
            $"up       another 'ingot up' of project {project.Name} is running on this host: this one starts when it has ended"));
        if (RunsHere(project))
            await Dockerd.EnsureAsync(context.Home, _terminal, cancellationToken);
        using var server = await context.ConnectAsync(cancellationToken);

        var builder = new ProjectBuilder(host) { Consider = (plan, token) => TargetCheck.RunAsync(context, server, project, plan, token) };
        var result = await builder.BuildAsync(project, directory, options, cancellationToken);
        _changed |= result.DidWork;
        var built = result.Platforms[0];
        var subjects = project.Images.Where(i => i.Version is not null)
            .Select(i => new ExaminedImage(project, i, built.Images.First(b => b.Name == i.Name), built.Recipes[i.Name])).ToList();
        await ApplyAsync(server, project, subjects, tests, cancellationToken);
        var published = await PublishAsync(server, project, subjects, tests, cancellationToken);
        int exitCode = await ReleaseAsync(server, project, published, cancellationToken);
        await ReportAsync(server, project, clock.Elapsed, exitCode, cancellationToken);
        return exitCode;
    }

    // A configured server runs them on its own host.
    private static bool RunsHere(ProjectDefinition project) =>
        LocalServer.Configured is null && project.Stages.Any(s => s.Target == "docker");

    private static void CheckHost(ProjectDefinition project)
    {
        if (RunsHere(project) && UnixPeer.OwnUserId != 0)
            throw new ToolException("ingot", $"services on this host are run by root, and this is the user '{Environment.UserName}': "
                + "run 'sudo ingot up', or name a server with INGOT_SERVER and INGOT_TOKEN; nothing was started");
        if (RunsHere(project) && DockerContext.OfUser.Elsewhere() is { } elsewhere)
            throw new ToolException("docker", $"{elsewhere}; nothing was started");
        var missing = Prerequisites.Missing();
        if (missing.Count > 0)
            throw new ToolException(missing[0].Package, $"this host lacks {string.Join(", ", missing.Select(m => m.Package))}; "
                + $"install with '{Prerequisites.Install(missing)}', or run 'ingot doctor'");
    }

    private async Task ApplyAsync(
        ServerClient server, ProjectDefinition project, IReadOnlyList<ExaminedImage> subjects,
        Dictionary<string, IReadOnlyList<GossFile>> tests, CancellationToken cancellationToken)
    {
        var request = new ProjectRequest(project.Source.Text, [.. subjects.Select(s => Applied(s, tests[s.Image.Name]))]);
        var reply = await server.SendAsync(HttpMethod.Put, $"api/v1/projects/{project.Name}", request, ApiJson.Default.ProjectRequest,
            ApiJson.Default.ProjectReply, cancellationToken);
        _changed |= reply.Changed;
        foreach (var left in reply.Left ?? [])
            context.Terminal.Progress($"service {left.Service} is no longer in the project at {left.Stage}: "
                + $"it keeps running until 'ingot down --service {left.Service} --stage {left.Stage}'");
    }

    // What the server compares with evidence is taken from where evidence takes it.
    private ProjectImageRequest Applied(ExaminedImage subject, IReadOnlyList<GossFile> tests)
    {
        var source = ProjectBuild.Of(BuildProvenance.Of(subject.Recipe, host.Version)).Source;
        return new ProjectImageRequest(
            subject.Image.Name, [.. GossFiles.Described(tests).Select(t => new ProjectFileRequest(t.Name, t.Digest))],
            source?.Repository, source?.Commit);
    }

    private async Task<Dictionary<string, Digest>> PublishAsync(
        ServerClient server, ProjectDefinition project, IReadOnlyList<ExaminedImage> subjects,
        Dictionary<string, IReadOnlyList<GossFile>> tests, CancellationToken cancellationToken)
    {
        var published = new Dictionary<string, Digest>(StringComparer.Ordinal);
        using var http = server.NewHttp();
        var publisher = new ImagePublisher(host, new RegistryClient(http, server.Server), server.Server.Authority);
        foreach (var subject in subjects)
        {
            await RefuseMovedTagAsync(server, project, subject.Image, subject.Built.Digest, cancellationToken);
            var evidence = await new ProjectExamination(host, server.Server).RunAsync(subject,
                tests[subject.Image.Name], cancellationToken);
            if (evidence.Failure is { } failure)
            {
                bool attached = await publisher.AttachAsync(project, subject.Image, subject.Built, evidence, cancellationToken);
                throw new RefusedException(attached
                    ? $"{failure}: {subject.Built.Digest} is published already, and the failure is attached to it"
                    : $"{failure}: nothing is published");
            }

            _changed |= evidence.IsNew;
            _changed |= await publisher.PublishAsync(project, subject.Image, subject.Built, evidence, cancellationToken);
            published[subject.Image.Name] = subject.Built.Digest;
        }

        return published;
    }

    /// <summary>Found out before the tests run: a version names one digest for ever.</summary>
    private static async Task RefuseMovedTagAsync(
        ServerClient server, ProjectDefinition project, ImageDefinition image, Digest digest, CancellationToken cancellationToken)
    {
        try
        {
            var bound = await server.GetAsync(
                $"api/v1/resolve?project={project.Name}&image={image.Name}&tag={Uri.EscapeDataString(image.Version!)}",
                ApiJson.Default.ResolveReply,
                cancellationToken);
            if (bound.Digest != digest)
                throw new RefusedException($"{project.Name}/{image.Name}:{image.Version} is {bound.Digest} and stays so; "
                    + $"this build is {digest}: give it a version of its own (images/{image.Name}/version in "
                    + $"{ProjectDefinition.FileName})");
        }
        catch (ServerException e) when (e.Code == "not_found")
        {
            // The version is free.
        }
    }

    private async Task<int> ReleaseAsync(
        ServerClient server, ProjectDefinition project, Dictionary<string, Digest> published, CancellationToken cancellationToken)
    {
        var follower = new RolloutFollower(server, wait, text => _terminal.Progress($"release  {text}"), TimeProvider.System);
        var stopped = new HashSet<string>(StringComparer.Ordinal);
        int exitCode = ExitCode.Done;
        foreach (var stage in project.Stages)
        {
            foreach (var (image, digest) in published.Where(p => !stopped.Contains(p.Key)))
                Take(image, await PromoteAsync(server, project, stage, image, digest, cancellationToken), goesOn: true);

            if (stage.Target is null)
                continue;
            foreach (var service in project.Services.Where(s => published.ContainsKey(s.Image) && !stopped.Contains(s.Image)))
            {
                var release = await RollOutAsync(server, follower, project, stage, service, published[service.Image], cancellationToken);
                _releases.Add(release);
                // What is not known to serve here is not asked of the next stage.
                Take(service.Image, CodeOf(release), goesOn: release.Outcome is "done" or "unchanged");
            }
        }

        return exitCode;

        void Take(string image, int code, bool goesOn)
        {
            if (code != ExitCode.Done || !goesOn)
                stopped.Add(image);
            exitCode = ExitCode.Worse(exitCode, code);
        }
    }

    private async Task<int> PromoteAsync(
        ServerClient server, ProjectDefinition project, StageDefinition stage, string image, Digest digest,
        CancellationToken cancellationToken)
    {
        var decision = await server.SendAsync(HttpMethod.Post, "api/v1/promotions",
            new PromotionRequest(project.Name, image, stage.Name, digest), ApiJson.Default.PromotionRequest,
            ApiJson.Default.DecisionReply, cancellationToken);
        _decisions.Add(decision);
        int code = PromotionCommands.CodeOf(decision);
        if (code == ExitCode.Done)
            _terminal.Progress(
                $"promote  {image} {_terminal.Good("admitted")} to {stage.Name} ({string.Join(", ", decision.Gates.Select(g => g.Gate))})");
        else
            PromotionCommands.Print(_terminal, decision, toProgress: true);
        return code;
    }

    private async Task<UpRelease> RollOutAsync(
        ServerClient server, RolloutFollower follower, ProjectDefinition project, StageDefinition stage, ServiceDefinition service,
        Digest digest, CancellationToken cancellationToken)
    {
        string name = $"{stage.Name}/{service.Name}";
        var request = new ReleaseRequest(project.Name, service.Name, stage.Name, digest, "ingot up", Override: false);
        var reply = await server.SendAsync(HttpMethod.Post, "api/v1/releases", request, ApiJson.Default.ReleaseRequest,
            ApiJson.Default.ReleaseReply, cancellationToken);
        if (reply.Outcome == "refused")
            _terminal.Result($"release  {name} {_terminal.Bad("refused")}: {reply.Reason}");
        if (reply.Outcome != "started")
            return new UpRelease(stage.Name, service.Name, digest, reply.Outcome, null, reply.Generation, reply.Reason, null);

        _changed = true;
        if (reply.Reason is { } note)
            _terminal.Progress($"release  {name}: {note}");
        var followed = await follower.FollowAsync(reply.Rollout!, isEnough: null, cancellationToken);
        Say(_terminal, name, followed);
        var rollout = followed.Rollout;
        return new UpRelease(stage.Name, service.Name, digest, followed.Name, rollout.Id, rollout.Generation,
            rollout.Reason, rollout.Symptoms);
    }

    /// <summary>Says how a rollout was left, when it was not done: the quiet are told, too.</summary>
    internal static void Say(Terminal terminal, string name, FollowedRollout followed)
    {
        var rollout = followed.Rollout;
        Action<string> say = followed.End is RolloutEnd.Done or RolloutEnd.Detached ? terminal.Progress : terminal.Result;
        string? text = followed.End switch
        {
            RolloutEnd.Paused => $"{terminal.Bad("is paused")}: {rollout.Reason}",
            RolloutEnd.WentBack => $"{terminal.Bad("went back")}: {rollout.Reason}{Quarantined(name, rollout)}",
            RolloutEnd.TimedOut => $"{terminal.Bad("is not done in time")}: rollout {rollout.Id} is in {rollout.State} at {rollout.Share} "
                + $"% and goes on; {RolloutFollower.WaysOf(rollout)}",
            RolloutEnd.Detached =>
                $"goes on without this command: {RolloutFollower.WaysOf(rollout)}; another 'ingot up' asks the stages after this one",
            _ => null,
        };
        if (text is not null)
            say($"release  {name} {text}");
        foreach (string symptom in SymptomText.Of(rollout.Symptoms))
            say($"release    {symptom}");
    }

    private static string Quarantined(string name, RolloutReply rollout) => rollout.Quarantined
        ? $"; {rollout.Digest.Short} is quarantined for {name} with these settings: fix the settings, or build a new version; "
            + "see 'ingot log show'"
        : "";

    private static int CodeOf(UpRelease release) => release.Outcome switch
    {
        "done" or "unchanged" or "detached" => ExitCode.Done,
        "refused" => ExitCode.No,
        "paused" => ExitCode.Waiting,
        "timed_out" => ExitCode.TimedOut,
        _ => ExitCode.WentBack,
    };

    private async Task ReportAsync(
        ServerClient server, ProjectDefinition project, TimeSpan elapsed, int exitCode, CancellationToken cancellationToken)
    {
        var status = await server.GetAsync($"api/v1/status?project={project.Name}", ApiJson.Default.StatusReply, cancellationToken);
        string outcome = Outcome(exitCode);
        if (_terminal.TryJson(new UpReport(outcome, _decisions, _releases, status.Services), UpJson.Default.UpReport))
            return;

        _terminal.Line();
        // What failed just now was told.
        StatusCommand.Print(_terminal, new StatusReply([.. status.Services
            .Select(s => _releases.Any(r => r.Rollout == s.Failure?.Rollout) ? s with { Failure = null } : s)]));
        string what = outcome switch
        {
            "done" => _terminal.Good("up"),
            "unchanged" => _terminal.Good("nothing to do"),
            "detached" => _terminal.Good("begun"),
            "waiting" => _terminal.Bad("waiting"),
            "timed_out" => _terminal.Bad("not done in time"),
            "rolled_back" => _terminal.Bad("rolled back"),
            _ => _terminal.Bad("stopped"),
        };
        _terminal.Line($"{what} ({elapsed.TotalSeconds:0.0} s)");
    }

    private string Outcome(int exitCode) => exitCode switch
    {
        ExitCode.Done when _releases.Any(release => release.Outcome == "detached") => "detached",
        ExitCode.Done => _changed ? "done" : "unchanged",
        ExitCode.Waiting => "waiting",
        ExitCode.WentBack => "rolled_back",
        ExitCode.TimedOut => "timed_out",
        _ => "refused",
    };
}

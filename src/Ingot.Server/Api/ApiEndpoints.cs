using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Ingot.Evidence.Signatures;
using Ingot.Instances;
using Ingot.Oci.Content;
using Ingot.Releases;
using Ingot.Server.Access;
using Ingot.Server.Control;
using Ingot.Server.Ledger;
using Ingot.Server.Storage;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Logging;

namespace Ingot.Server.Api;

/// <summary>What the API needs to answer.</summary>
internal sealed record ApiServices(
    ServerOptions Options, ServerHome Home, DateTimeOffset Started, LedgerStore Ledger, Projects Projects, PromotionDesk Promotions, ReleaseDesk Releases, StopDesk Stops, KeyDesk Keys, TagDesk Tags, ITarget Target, StatusReader Status, TokenStore Tokens, ILogger Logger);

/// <summary>The HTTP API under <c>/api/v1</c>. Who may call what stands in <see cref="ApiRoles"/>; every entry of the ledger is by the caller's token.</summary>
internal static class ApiEndpoints
{
    private const int MaxBody = 1 << 20;
    private static readonly TimeSpan s_longestWait = TimeSpan.FromSeconds(20);

    public static void MapApi(this IEndpointRouteBuilder app, ApiServices services)
    {
        var open = app.MapGroup("/api/v1");
        open.MapGet("health", (HttpContext http) => http.Response.WriteAsJsonAsync(
            Health(http, services), ApiJson.Default.HealthReply));

        var api = app.MapGroup("/api/v1").AddEndpointFilter((context, next) => GuardAsync(context, next, services));
        MapProjects(api, services);
        MapReleases(api, services);
        MapKeys(api, services);
        MapLog(api, services);
        MapTokens(api, services);
    }

    // What a stranger on the network needs not know, the home's owner is told through the home's socket.
    private static HealthReply Health(HttpContext http, ApiServices services)
    {
        var options = services.Options;
        return Gatekeeper.IsLocal(http)
            ? new HealthReply(options.Version, options.Build, services.Started, services.Home.Root, options.Listen.ToString())
            : new HealthReply(options.Version, options.Build, services.Started);
    }

    private static void MapTokens(RouteGroupBuilder api, ApiServices services)
    {
        var desk = new TokenDesk(services.Tokens, TimeProvider.System);
        api.MapGet("principal", (HttpContext http) => ReplyAsync(http, new PrincipalReply(By(http).Name, Roles.Names(By(http).Roles)), ApiJson.Default.PrincipalReply));
        api.MapGet("tokens", (HttpContext http) => ReplyAsync(http, desk.List(), ApiJson.Default.TokenListReply));
        api.MapPost("tokens", async (HttpContext http) =>
            await ReplyAsync(http, await desk.CreateAsync(await BodyAsync(http, ApiJson.Default.TokenRequest), By(http).Name, http.RequestAborted), ApiJson.Default.TokenReply));
        api.MapPost("tokens/{name}/revocation", async (HttpContext http, string name) =>
        {
            var request = await BodyAsync(http, ApiJson.Default.TokenRevocationRequest);
            await ReplyAsync(http, await desk.RevokeAsync(name, request.Why, By(http).Name, http.RequestAborted), ApiJson.Default.TokenListReply);
        });
    }

    private static void MapProjects(RouteGroupBuilder api, ApiServices services)
    {
        api.MapPut("projects/{name}", async (HttpContext http, string name) =>
            await ReplyAsync(http, await services.Projects.ApplyAsync(name, await BodyAsync(http, ApiJson.Default.ProjectRequest), By(http), http.RequestAborted), ApiJson.Default.ProjectReply));
        api.MapGet("resolve", async (HttpContext http) => await ReplyAsync(
            http, await services.Promotions.ResolveAsync(Query(http, "project"), Query(http, "image"), http.Request.Query["tag"], http.Request.Query["digest"], http.RequestAborted), ApiJson.Default.ResolveReply));
        api.MapPost("promotions", async (HttpContext http) =>
            await ReplyAsync(http, await services.Promotions.PromoteAsync(await BodyAsync(http, ApiJson.Default.PromotionRequest), By(http).Name, http.RequestAborted), ApiJson.Default.DecisionReply));
        api.MapGet("explain", async (HttpContext http) =>
            await ReplyAsync(http, await services.Promotions.ExplainAsync(Query(http, "project"), Query(http, "image"), Query(http, "stage"), DigestQuery(http), http.RequestAborted), ApiJson.Default.DecisionReply));
        api.MapPost("approvals", async (HttpContext http) =>
            await ReplyAsync(http, await services.Promotions.ApproveAsync(await BodyAsync(http, ApiJson.Default.ApprovalRequest), By(http).Name, http.RequestAborted), ApiJson.Default.DecisionReply));
        api.MapPost("tags/deletions", async (HttpContext http) =>
            await ReplyAsync(http, await services.Tags.FreeAsync(await BodyAsync(http, ApiJson.Default.TagRequest), By(http).Name, http.RequestAborted), ApiJson.Default.TagReply));
        api.MapPost("revocations", async (HttpContext http) =>
            await ReplyAsync(http, await services.Promotions.RevokeAsync(await BodyAsync(http, ApiJson.Default.RevocationRequest), By(http).Name, http.RequestAborted), ApiJson.Default.ResolveReply));
    }

    private static void MapReleases(RouteGroupBuilder api, ApiServices services)
    {
        api.MapGet("status", (HttpContext http) => ReplyAsync(http, services.Status.Status(http.Request.Query["project"]), ApiJson.Default.StatusReply));
        api.MapPost("releases", async (HttpContext http) =>
            await ReplyAsync(http, await services.Releases.ReleaseAsync(await BodyAsync(http, ApiJson.Default.ReleaseRequest), By(http).Name, http.RequestAborted), ApiJson.Default.ReleaseReply));
        api.MapPost("rollbacks", async (HttpContext http) =>
            await ReplyAsync(http, await services.Releases.RollBackAsync(await BodyAsync(http, ApiJson.Default.RollbackRequest), By(http).Name, http.RequestAborted), ApiJson.Default.ReleaseReply));
        api.MapPost("pauses", async (HttpContext http) =>
        {
            var changed = await services.Releases.PauseAsync(await BodyAsync(http, ApiJson.Default.PauseRequest), By(http).Name, http.RequestAborted)
                ?? throw new ApiException("refused", "no rollout of that service is under way");
            await ReplyAsync(http, services.Status.Rollout(changed.Id, long.MaxValue - 1)!, ApiJson.Default.RolloutReply);
        });
        api.MapPost("stops", async (HttpContext http) =>
        {
            var request = await BodyAsync(http, ApiJson.Default.StopRequest);
            await services.Stops.StopAsync(request, By(http).Name, http.RequestAborted);
            await ReplyAsync(http, services.Status.Status(request.Project), ApiJson.Default.StatusReply);
        });
        api.MapGet("target", async (HttpContext http) =>
        {
            var target = await services.Target.DescribeAsync(http.RequestAborted);
            await ReplyAsync(http, new TargetReply(target.Name, target.Compressions, target.Upgrade), ApiJson.Default.TargetReply);
        });
        api.MapGet("rollouts/{id}", (HttpContext http, string id) => FollowAsync(http, services, id));
    }

    private static void MapKeys(RouteGroupBuilder api, ApiServices services)
    {
        api.MapGet("keys", async (HttpContext http) => await ReplyAsync(http, await services.Keys.ListAsync(http.RequestAborted), ApiJson.Default.KeysReply));
        api.MapPost("keys", async (HttpContext http) =>
        {
            var request = await BodyAsync(http, ApiJson.Default.KeyTrustRequest);
            await ReplyAsync(http, await services.Keys.TrustAsync(request, By(http).Name, http.RequestAborted), ApiJson.Default.KeyReply);
        });
        api.MapPost("keys/retirements", async (HttpContext http) =>
        {
            var request = await BodyAsync(http, ApiJson.Default.KeyRetirementRequest);
            await ReplyAsync(http, await services.Keys.RetireAsync(request, By(http).Name, http.RequestAborted), ApiJson.Default.KeyRetirementReply);
        });
    }

    private static void MapLog(RouteGroupBuilder api, ApiServices services)
    {
        api.MapGet("log", (HttpContext http) =>
        {
            long from = Number(http, "from", 0);
            int count = (int)Math.Clamp(Number(http, "count", 100), 1, 1000);
            bool all = http.Request.Query["all"] == "true";
            var reply = services.Ledger.Read(view => new LogReply(view.Size, [.. view.Entries(from, count).Where(e => e.Seq < from + count && (all || !Story.IsDetail(e.Event))).Select(e => Tell(e, view))]));
            return ReplyAsync(http, reply, ApiJson.Default.LogReply);
        });
        api.MapGet("log/verify", async (HttpContext http) =>
        {
            var report = await LedgerVerifier.VerifyAsync(services.Home, cancellationToken: http.RequestAborted);
            await ReplyAsync(http, new VerifyReply(report.Ok, report.Size, report.Root, [.. report.Problems.Select(p => new VerifyProblem(p.Entry, p.Problem))]), ApiJson.Default.VerifyReply);
        });
        api.MapGet("log/checkpoint", (HttpContext http) => http.Response.WriteAsync(services.Ledger.Checkpoint() ?? throw new ApiException("not_found", "the ledger is empty")));
        api.MapGet("log/proof/{entry:long}", (HttpContext http, long entry) => http.Response.WriteAsync(
            services.Ledger.Prove(entry)?.ToString() ?? throw new ApiException("not_found", $"the ledger has {services.Ledger.Size} entries: there is no entry {entry}")));
    }

    private static LogEntryReply Tell(LedgerEntry entry, LedgerView view) => new(entry.Seq, entry.Time, entry.Actor, entry.Event.Kind, Story.Tell(entry.Event, view), LedgerJson.ToElement(entry.Event));

    /// <summary>A rollout's story after an entry; waits for more when there is none yet.</summary>
    private static async Task FollowAsync(HttpContext http, ApiServices services, string id)
    {
        long after = Number(http, "after", -1);
        var until = services.Status.Rollout(id, after) ?? throw new ApiException("not_found", $"there is no rollout '{id}'");
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted);
        var wait = TimeSpan.FromMilliseconds(Math.Clamp(Number(http, "wait", 0), 0, (long)s_longestWait.TotalMilliseconds));
        timeout.CancelAfter(wait);
        while (until is { Events.Count: 0, Finished: false } && until.State != "Paused" && !timeout.IsCancellationRequested)
        {
            long size = services.Ledger.Size;
            try
            {
                await services.Ledger.WaitBeyondAsync(size, timeout.Token);
            }
            catch (OperationCanceledException)
            {
                break;
            }

            until = services.Status.Rollout(id, after)!;
        }

        await ReplyAsync(http, until, ApiJson.Default.RolloutReply);
    }

    private static async ValueTask<object?> GuardAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next, ApiServices services)
    {
        var http = context.HttpContext;
        try
        {
            return await next(context);
        }
        catch (ApiException e)
        {
            int status = e.Code switch { "not_found" => StatusCodes.Status404NotFound, "refused" => StatusCodes.Status409Conflict, "forbidden" => StatusCodes.Status403Forbidden, _ => StatusCodes.Status400BadRequest };
            return await FailAsync(http, status, e.Code, e.Message);
        }
        catch (KeyException e)
        {
            return await FailAsync(http, StatusCodes.Status409Conflict, "refused", e.Message);
        }
        catch (JsonException e)
        {
            return await FailAsync(http, StatusCodes.Status400BadRequest, "invalid", $"the request does not parse: {e.Message}");
        }
        catch (FormatException e)
        {
            // Something in storage is not as it was written: the ledger's own check says what and where.
            return await FailAsync(http, StatusCodes.Status500InternalServerError, "damaged", $"what is stored does not parse: {e.Message}; see 'ingot log verify'");
        }
        catch (IngotException e)
        {
            services.Logger.LogWarning(e, "{Method} {Path} failed", http.Request.Method, http.Request.Path);
            return await FailAsync(http, StatusCodes.Status500InternalServerError, "failed", e.Message);
        }
    }

    private static async Task<IResult> FailAsync(HttpContext http, int status, string code, string message)
    {
        http.Response.StatusCode = status;
        await http.Response.WriteAsJsonAsync(new ErrorReply(code, message), ApiJson.Default.ErrorReply);
        return Results.Empty;
    }

    private static Task ReplyAsync<T>(HttpContext http, T reply, JsonTypeInfo<T> type) => http.Response.WriteAsJsonAsync(reply, type);

    private static async Task<T> BodyAsync<T>(HttpContext http, JsonTypeInfo<T> type)
    {
        if (http.Request.ContentLength > MaxBody)
            throw new ApiException("invalid", $"the request has {http.Request.ContentLength} bytes: at most {MaxBody} are taken");
        var body = await http.Request.ReadFromJsonAsync(type, http.RequestAborted) ?? throw new ApiException("invalid", "the request has no body");
        ApiText.RequirePlain(JsonSerializer.SerializeToElement(body, type));
        return body;
    }

    private static Principal By(HttpContext http) => Gatekeeper.PrincipalOf(http) ?? throw new ApiException("forbidden", "this call needs a token");

    private static string Query(HttpContext http, string name) => http.Request.Query[name].ToString() is { Length: > 0 } text ? ApiText.Plain(name, text) : throw new ApiException("invalid", $"the parameter '{name}' is missing");

    private static long Number(HttpContext http, string name, long otherwise) => long.TryParse(http.Request.Query[name], out long number) ? number : otherwise;

    private static Digest DigestQuery(HttpContext http) => Digest.TryParse(Query(http, "digest"), out var digest) && digest.IsSha256 ? digest : throw new ApiException("invalid", $"'{http.Request.Query["digest"]}' is not a digest");
}

using System.Globalization;
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
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Net.Http.Headers;

namespace Ingot.Server.Api;

/// <summary>What the API needs to answer.</summary>
internal sealed record ApiServices(
    ServerOptions Options, ServerHome Home, DateTimeOffset Started, LedgerStore Ledger, ProjectBook Projects, PromotionDesk Promotions,
    ReleaseDesk Releases, StopDesk Stops, KeyDesk Keys, TagDesk Tags, Targets Targets, StatusReader Status,
    InstanceDesk Instances, FailureReader Failures, TokenStore Tokens, ILogger Logger);

/// <summary>The HTTP API under <c>/api/v1</c>. Who may call what stands in <see cref="ApiRoles"/>;
/// every entry of the ledger is by the caller's token.</summary>
internal static class ApiEndpoints
{
    private const int MaxBody = 1 << 20;
    private const int MaxLogPage = 1000;
    private static readonly TimeSpan s_longestWait = TimeSpan.FromSeconds(20);

    public static void MapApi(this IEndpointRouteBuilder app, ApiServices services)
    {
        var open = app.MapGroup("/api/v1");
        open.MapGet("health", (HttpContext http) => http.Response.WriteAsJsonAsync(
            Health(http, services), ApiJson.Default.HealthReply));

        var api = app.MapGroup("/api/v1");
        ((IEndpointConventionBuilder)api).Finally(endpoint => endpoint.RequestDelegate = Guard(endpoint.RequestDelegate!, services));
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
        api.MapGet("principal", (HttpContext http) =>
            ReplyAsync(http, new PrincipalReply(By(http).Name, Roles.Names(By(http).Roles)), ApiJson.Default.PrincipalReply));
        api.MapGet("tokens", (HttpContext http) => ReplyAsync(http, desk.List(), ApiJson.Default.TokenListReply));
        api.MapPost("tokens", async (HttpContext http) =>
            await ReplyAsync(
                http,
                await desk.CreateAsync(await BodyAsync(http, ApiJson.Default.TokenRequest), By(http).Name, http.RequestAborted),
                ApiJson.Default.TokenReply));
        api.MapPost("tokens/{name}/revocation", async (HttpContext http) =>
        {
            var request = await BodyAsync(http, ApiJson.Default.TokenRevocationRequest);
            await ReplyAsync(http, await desk.RevokeAsync(Route(http, "name"), request.Why, By(http).Name, http.RequestAborted),
                ApiJson.Default.TokenListReply);
        });
    }

    private static void MapProjects(RouteGroupBuilder api, ApiServices services)
    {
        api.MapPut("projects/{name}", async (HttpContext http) =>
            await ReplyAsync(
                http,
                await services.Projects.ApplyAsync(Route(http, "name"), await BodyAsync(http, ApiJson.Default.ProjectRequest), By(http),
                    http.RequestAborted),
                ApiJson.Default.ProjectReply));
        api.MapGet("resolve", async (HttpContext http) => await ReplyAsync(
            http, await services.Promotions.ResolveAsync(Query(http, "project"), Query(http, "image"), http.Request.Query["tag"],
                http.Request.Query["digest"], http.RequestAborted), ApiJson.Default.ResolveReply));
        api.MapPost("promotions", async (HttpContext http) =>
            await ReplyAsync(
                http,
                await services.Promotions.PromoteAsync(await BodyAsync(http, ApiJson.Default.PromotionRequest, r => r.Digest),
                    By(http).Name, http.RequestAborted),
                ApiJson.Default.DecisionReply));
        api.MapGet("explain", (HttpContext http) => ExplainAsync(http, services));
        api.MapPost("approvals", async (HttpContext http) =>
            await ReplyAsync(
                http,
                await services.Promotions.ApproveAsync(await BodyAsync(http, ApiJson.Default.ApprovalRequest, r => r.Digest), By(http).Name,
                    http.RequestAborted),
                ApiJson.Default.DecisionReply));
        api.MapPost("tags/deletions", async (HttpContext http) =>
            await ReplyAsync(
                http,
                await services.Tags.FreeAsync(await BodyAsync(http, ApiJson.Default.TagRequest), By(http).Name, http.RequestAborted),
                ApiJson.Default.TagReply));
        api.MapPost("revocations", async (HttpContext http) =>
            await ReplyAsync(
                http,
                await services.Promotions.RevokeAsync(await BodyAsync(http, ApiJson.Default.RevocationRequest, r => r.Digest),
                    By(http).Name, http.RequestAborted),
                ApiJson.Default.ResolveReply));
    }

    private static void MapReleases(RouteGroupBuilder api, ApiServices services)
    {
        api.MapGet("status", async (HttpContext http) =>
        {
            string? project = http.Request.Query["project"];
            await ReplyAsync(http, await services.Failures.WithFailuresAsync(services.Status.Status(project), project, http.RequestAborted),
                ApiJson.Default.StatusReply);
        });
        api.MapGet("logs", (HttpContext http) => InstanceLogAsync(http, services));
        api.MapPost("releases", async (HttpContext http) =>
            await ReplyAsync(
                http,
                await services.Releases.ReleaseAsync(await BodyAsync(http, ApiJson.Default.ReleaseRequest, r => r.Digest), By(http).Name,
                    http.RequestAborted),
                ApiJson.Default.ReleaseReply));
        api.MapPost("releases/preview", async (HttpContext http) =>
            await ReplyAsync(http, services.Releases.Preview(await BodyAsync(http, ApiJson.Default.ReleasePreviewRequest, r => r.Digest)),
                ApiJson.Default.ReleasePreviewReply));
        api.MapPost("rollbacks", async (HttpContext http) =>
            await ReplyAsync(
                http,
                await services.Releases.RollBackAsync(await BodyAsync(http, ApiJson.Default.RollbackRequest), By(http).Name,
                    http.RequestAborted),
                ApiJson.Default.ReleaseReply));
        api.MapPost("pauses", async (HttpContext http) =>
        {
            var changed = await services.Releases.PauseAsync(await BodyAsync(http, ApiJson.Default.PauseRequest), By(http).Name,
                http.RequestAborted)
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
            var target = await services.Targets.Named(null).DescribeAsync(http.RequestAborted);
            await ReplyAsync(http, new TargetReply(target.Name, target.Compressions, target.Upgrade), ApiJson.Default.TargetReply);
        });
        api.MapGet("rollouts/{id}", (HttpContext http) => FollowAsync(http, services, Route(http, "id")));
    }

    private static void MapKeys(RouteGroupBuilder api, ApiServices services)
    {
        api.MapGet("keys", async (HttpContext http) =>
            await ReplyAsync(http, await services.Keys.ListAsync(http.RequestAborted), ApiJson.Default.KeysReply));
        api.MapPost("keys", async (HttpContext http) =>
        {
            var request = await BodyAsync(http, ApiJson.Default.KeyTrustRequest);
            await ReplyAsync(http, await services.Keys.TrustAsync(request, By(http).Name, http.RequestAborted), ApiJson.Default.KeyReply);
        });
        api.MapPost("keys/retirements", async (HttpContext http) =>
        {
            var request = await BodyAsync(http, ApiJson.Default.KeyRetirementRequest);
            await ReplyAsync(http, await services.Keys.RetireAsync(request, By(http).Name, http.RequestAborted),
                ApiJson.Default.KeyRetirementReply);
        });
    }

    private static void MapLog(RouteGroupBuilder api, ApiServices services)
    {
        api.MapGet("log", (HttpContext http) =>
        {
            bool all = http.Request.Query["all"] == "true";
            return http.Request.Query.ContainsKey("tail")
                ? ReplyAsync(http, services.Ledger.Read(view => Tail(view, (int)Math.Clamp(Number(http, "tail", 100), 1, MaxLogPage), all)),
                    ApiJson.Default.LogReply)
                : LogAsync(http, services, all);
        });
        api.MapGet("log/verify", (HttpContext http) => VerifyAsync(http, services, []));
        api.MapPost("log/verify",
            async (HttpContext http) => await VerifyAsync(http, services, (await BodyAsync(http, ApiJson.Default.VerifyRequest)).Against));
        api.MapLedger("log", services.Ledger);
        api.MapGet("log/proof/{entry:long}", (HttpContext http) =>
        {
            long entry = long.Parse(Route(http, "entry"), CultureInfo.InvariantCulture);
            return http.Response.WriteAsync(services.Ledger.Prove(entry)?.ToString()
                ?? throw new ApiException("not_found", $"the ledger has {services.Ledger.Size} entries: there is no entry {entry}"));
        });
    }

    /// <summary>A page of the ledger; with <c>wait</c>, once there is something on it.</summary>
    private static async Task LogAsync(HttpContext http, ApiServices services, bool all)
    {
        long from = Number(http, "from", 0);
        int count = (int)Math.Clamp(Number(http, "count", 100), 1, MaxLogPage);
        await WaitAsync(http, services.Ledger, from);
        var reply = services.Ledger.Read(view => new LogReply(
            view.Size, [.. view.Entries(from, count)
                .Where(e => e.Seq < from + count && (all || !Story.IsDetail(e.Event)))
                .Select(e => Tell(e, view))]));
        await ReplyAsync(http, reply, ApiJson.Default.LogReply);
    }

    private static async Task WaitAsync(HttpContext http, LedgerStore ledger, long beyond)
    {
        using var timeout = Listening(http);
        timeout.CancelAfter(WaitOf(http));
        try
        {
            await ledger.WaitBeyondAsync(beyond, timeout.Token);
        }
        catch (OperationCanceledException)
        {
            // What there is, is the answer.
        }
    }

    /// <summary>Cancelled when the caller goes, and when the server is about to end: whoever waits for something does not hold that
    /// up.</summary>
    private static CancellationTokenSource Listening(HttpContext http) => CancellationTokenSource.CreateLinkedTokenSource(
        http.RequestAborted, http.RequestServices.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping);

    private static TimeSpan WaitOf(HttpContext http) =>
        TimeSpan.FromMilliseconds(Math.Clamp(Number(http, "wait", 0), 0, (long)s_longestWait.TotalMilliseconds));

    /// <summary>The newest entries, oldest first.</summary>
    private static LogReply Tail(LedgerView view, int count, bool all)
    {
        var entries = new List<LedgerEntry>();
        long? before = null;
        while (entries.Count < count && view.Latest(MaxLogPage, before) is { Count: > 0 } page)
        {
            entries.AddRange(page.Where(e => all || !Story.IsDetail(e.Event)).Take(count - entries.Count));
            before = page[^1].Seq;
        }

        return new LogReply(view.Size, [.. Enumerable.Reverse(entries).Select(e => Tell(e, view))]);
    }

    private static async Task VerifyAsync(HttpContext http, ApiServices services, IReadOnlyList<string> against)
    {
        var known = against.Select((note, i) => Known(services.Home, note, i)).ToList();
        var report = await LedgerVerifier.VerifyAsync(services.Home, known, http.RequestAborted);
        await ReplyAsync(http, VerifyReply.Of(report), ApiJson.Default.VerifyReply);
    }

    private static Transparency.Checkpoint Known(ServerHome home, string note, int index)
    {
        try
        {
            return LedgerVerifier.ReadKnown(home, note);
        }
        catch (FormatException e)
        {
            throw new ApiException("invalid", $"number {index + 1} of 'against' is not a checkpoint of this log: {e.Message}");
        }
    }

    private static LogEntryReply Tell(LedgerEntry entry, LedgerView view) =>
        new(entry.Seq, entry.Time, entry.Actor, entry.Event.Kind, Story.Tell(entry.Event, view), LedgerJson.ToElement(entry.Event));

    /// <summary>A rollout's story after an entry; waits for more when there is none yet.</summary>
    private static async Task FollowAsync(HttpContext http, ApiServices services, string id)
    {
        long after = Number(http, "after", -1);
        var until = services.Status.Rollout(id, after) ?? throw new ApiException("not_found", $"there is no rollout '{ApiText.Short(id)}'");
        using var timeout = Listening(http);
        timeout.CancelAfter(WaitOf(http));
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

        await ReplyAsync(http, await services.Failures.WithSymptomsAsync(until, http.RequestAborted), ApiJson.Default.RolloutReply);
    }

    private static async Task ExplainAsync(HttpContext http, ApiServices services)
    {
        var (project, image, stage, digest) = (Query(http, "project"), Query(http, "image"), Query(http, "stage"), DigestQuery(http));
        var decision = await services.Promotions.ExplainAsync(project, image, stage, digest, http.RequestAborted);
        var quarantines = await services.Failures.QuarantinesAsync(project, image, stage, digest, http.RequestAborted);
        await ReplyAsync(http, decision with { Quarantines = quarantines }, ApiJson.Default.DecisionReply);
    }

    /// <summary>The output of a service's instances, one object a line, for as long as the caller listens.</summary>
    private static async Task InstanceLogAsync(HttpContext http, ApiServices services)
    {
        var query = new LogQuery(TailQuery(http), SinceQuery(http), http.Request.Query["follow"] == "true");
        string? stage = http.Request.Query.ContainsKey("stage") ? Query(http, "stage") : null;
        using var listening = Listening(http);
        var project = services.Projects.Get(Query(http, "project"));
        var lines = services.Instances.LogAsync(project, Query(http, "service"), stage, query, listening.Token);
        http.Response.ContentType = "application/x-ndjson";
        try
        {
            await foreach (var line in lines)
            {
                await JsonSerializer.SerializeAsync(http.Response.Body, line, ApiJson.Default.LogLineReply, listening.Token);
                await http.Response.Body.WriteAsync("\n"u8.ToArray(), listening.Token);
                if (query.Follow)
                    await http.Response.Body.FlushAsync(listening.Token);
            }

            listening.Token.ThrowIfCancellationRequested();
        }
        catch (OperationCanceledException) when (listening.IsCancellationRequested)
        {
            // The caller went, or the server ends: then the caller sees that there was more to come.
            http.Abort();
        }
    }

    private static int? TailQuery(HttpContext http) => http.Request.Query["tail"].ToString() switch
    {
        "" or "all" => null,
        var text when int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int tail) => tail,
        var text =>
            throw new ApiException("invalid", $"the parameter 'tail' is '{ApiText.Short(text)}': expected a number of lines, or 'all'"),
    };

    private static DateTimeOffset? SinceQuery(HttpContext http) => http.Request.Query["since"].ToString() switch
    {
        "" => null,
        var text when DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var since) => since,
        var text => throw new ApiException("invalid",
            $"the parameter 'since' is '{ApiText.Short(text)}': expected a time such as 2026-01-31T12:00:00Z"),
    };

    // Not a filter of the framework's: for one it makes every endpoint's delegate anew, by reflection.
    private static RequestDelegate Guard(RequestDelegate next, ApiServices services) => async http =>
    {
        try
        {
            await next(http);
        }
        catch (ApiException e)
        {
            int status = e.Code switch
            {
                "not_found" => StatusCodes.Status404NotFound,
                "refused" => StatusCodes.Status409Conflict,
                "forbidden" => StatusCodes.Status403Forbidden,
                "failed" => StatusCodes.Status500InternalServerError,
                _ => StatusCodes.Status400BadRequest,
            };
            await FailAsync(http, status, e.Code, ApiText.Short(e.Message, 4000));
        }
        catch (KeyException e)
        {
            await FailAsync(http, StatusCodes.Status409Conflict, "refused", e.Message);
        }
        catch (JsonException e)
        {
            await FailAsync(http, StatusCodes.Status400BadRequest, "invalid",
                $"the request does not parse: {ApiText.Short(IngotException.ReasonOf(e), 300)}");
        }
        catch (BadHttpRequestException e) when (e.StatusCode == StatusCodes.Status413PayloadTooLarge)
        {
            await FailAsync(http, StatusCodes.Status413PayloadTooLarge, "invalid",
                $"the request is too large: at most {MaxBody} bytes are accepted");
        }
        catch (BadHttpRequestException e)
        {
            await FailAsync(http, StatusCodes.Status400BadRequest, "invalid",
                $"the request could not be read: {ApiText.Short(IngotException.ReasonOf(e), 300)}");
        }
        catch (FormatException e)
        {
            // Something in storage is not as it was written: the ledger's own check says what and where.
            await FailAsync(http, StatusCodes.Status500InternalServerError, "damaged",
                $"what is stored does not parse: {e.Message}; see 'ingot log verify'");
        }
        catch (IngotException e)
        {
            services.Logger.LogWarning(e, "{Method} {Path} failed", http.Request.Method, http.Request.Path);
            await FailAsync(http, StatusCodes.Status500InternalServerError, "failed", e.Message);
        }
    };

    private static async Task FailAsync(HttpContext http, int status, string code, string message)
    {
        if (http.Response.HasStarted)
        {
            // It is too late for another status: an answer that is cut short is not taken for a whole one.
            http.Abort();
            return;
        }

        http.Response.StatusCode = status;
        await http.Response.WriteAsJsonAsync(new ErrorReply(code, message), ApiJson.Default.ErrorReply);
    }

    private static Task ReplyAsync<T>(HttpContext http, T reply, JsonTypeInfo<T> type) => http.Response.WriteAsJsonAsync(reply, type);

    /// <summary>What the caller sent; <paramref name="about"/> is the digest that it asks for a decision on.</summary>
    private static async Task<T> BodyAsync<T>(HttpContext http, JsonTypeInfo<T> type, Func<T, Digest>? about = null)
    {
        // The server's own limit is none, for layers; this one holds for what comes in chunks too.
        if (http.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit)
            limit.MaxRequestBodySize = MaxBody;
        RequireJson(http.Request);
        var body = await ParseAsync(http, type);
        ApiText.RequirePlain(JsonSerializer.SerializeToElement(body, type));
        if (about?.Invoke(body) is { IsSha256: false } digest)
            throw new ApiException("invalid",
                $"'{ApiText.Short(digest.ToString())}' is not a sha256 digest: decisions about images are made by that one");
        return body;
    }

    private static async Task<T> ParseAsync<T>(HttpContext http, JsonTypeInfo<T> type)
    {
        try
        {
            return await JsonSerializer.DeserializeAsync(http.Request.Body, type, http.RequestAborted)
                ?? throw new ApiException("invalid", "the request is null: expected an object");
        }
        catch (JsonException e) when (e.Message.Contains(typeof(ApiJson).Namespace!, StringComparison.Ordinal))
        {
            // The parser speaks of this program's types, which say nothing to a caller.
            string needed = string.Join(", ",
                type.Properties.Where(p => p.AssociatedParameter is { HasDefaultValue: false }).Select(p => $"'{p.Name}'"));
            throw new ApiException("invalid",
                $"the request is not complete at '{ApiText.Short(e.Path ?? "$")}': expected an object with {needed}, none of them null");
        }
    }

    private static void RequireJson(HttpRequest request)
    {
        bool isUtf8 = MediaTypeHeaderValue.TryParse(request.ContentType, out var content)
            && (content.Charset.Length == 0
                || HeaderUtilities.RemoveQuotes(content.Charset).Equals("utf-8", StringComparison.OrdinalIgnoreCase));
        if (!isUtf8 || !request.HasJsonContentType())
            throw new ApiException("invalid", "the request is not JSON in UTF-8: send it with 'Content-Type: application/json'");
    }

    private static Principal By(HttpContext http) =>
        Gatekeeper.PrincipalOf(http) ?? throw new ApiException("forbidden", "this call needs a token");

    private static string Route(HttpContext http, string name) => (string)http.Request.RouteValues[name]!;

    private static string Query(HttpContext http, string name) => http.Request.Query[name].ToString() is { Length: > 0 } text
        ? ApiText.Plain(name, text)
        : throw new ApiException("invalid", $"the parameter '{name}' is missing");

    private static long Number(HttpContext http, string name, long otherwise) =>
        long.TryParse(http.Request.Query[name], out long number) ? number : otherwise;

    private static Digest DigestQuery(HttpContext http) => Digest.TryParse(Query(http, "digest"), out var digest) && digest.IsSha256
        ? digest
        : throw new ApiException("invalid", $"'{ApiText.Short(http.Request.Query["digest"].ToString())}' is not a sha256 digest");
}

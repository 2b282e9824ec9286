using Ingot.Server.Api;

namespace Ingot.Cli.Pipeline;

/// <summary>Tells a rollout's story while it happens.</summary>
internal static class RolloutFollower
{
    /// <summary>Calls <paramref name="say"/> with each sentence until the rollout ends or stands paused, and returns how it stands then.</summary>
    /// <remarks>The server may be killed and started again meanwhile; the rollout goes on and so does the story.</remarks>
    public static async Task<RolloutReply> FollowAsync(ServerClient server, string rollout, Action<string> say, CancellationToken cancellationToken)
    {
        long after = 0;
        int misses = 0;
        while (true)
        {
            RolloutReply reply;
            try
            {
                reply = await server.GetAsync($"api/v1/rollouts/{Uri.EscapeDataString(rollout)}?after={after}&wait=1000", ApiJson.Default.RolloutReply, cancellationToken);
                misses = 0;
            }
            catch (ServerException e) when (e.Code == "unreachable" && ++misses < 60)
            {
                await Task.Delay(500, cancellationToken);
                continue;
            }

            foreach (var happened in reply.Events)
            {
                say(happened.Text);
                after = Math.Max(after, happened.Entry);
            }

            if (reply.Finished || reply.State == "Paused")
                return reply;
        }
    }
}

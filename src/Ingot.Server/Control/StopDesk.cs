using Ingot.Instances;
using Ingot.Releases;
using Ingot.Server.Api;
using Ingot.Server.Ledger;

namespace Ingot.Server.Control;

/// <summary>Stops what a project runs: instances and proxies go, images, evidence and the ledger stay.</summary>
internal sealed class StopDesk(LedgerStore ledger, Controller controller, DockerTarget target)
{
    public async Task StopAsync(StopRequest request, string by, CancellationToken cancellationToken)
    {
        foreach (var key in controller.Loops.Select(l => l.Key).Where(k => k.Project == request.Project).ToList())
        {
            // Recorded first: were we killed in between, nothing would bring the service back, and 'down' again would remove the rest.
            await controller.RemoveAsync(key);
            await ledger.AppendAsync(by, new LedgerEvent.ServiceStopped(key.Project, key.Service, key.Stage, $"stopped by {by}"), cancellationToken);
            await target.RemoveServiceAsync(key, cancellationToken);
        }
    }
}

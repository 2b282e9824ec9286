using Microsoft.Extensions.Hosting;

namespace Ingot.Server.Registry;

/// <summary>The <see href="https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md">OCI distribution</see> endpoints,
/// version 1.1.</summary>
public static class RegistryEndpoints
{
    /// <summary>Serves a registry below <c>/v2/</c>. The result takes authorisation and the like for all of it.</summary>
    public static IEndpointConventionBuilder MapRegistry(this IEndpointRouteBuilder endpoints, RegistryOptions options)
    {
        var log = endpoints.ServiceProvider.GetRequiredService<ILoggerFactory>().CreateLogger("Ingot.Registry");
        var handler = new RegistryHandler(options, log);
        endpoints.ServiceProvider.GetRequiredService<IHostApplicationLifetime>().ApplicationStopped.Register(handler.Dispose);
        return endpoints.Map("/v2/{**path}", http => handler.HandleAsync(http, (string?)http.Request.RouteValues["path"] ?? ""));
    }
}

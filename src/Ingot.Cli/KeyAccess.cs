using Ingot.Evidence.Signatures;
using Ingot.Server;
using Ingot.Server.Access;
using Ingot.Server.Api;
using Ingot.Server.Ledger;

namespace Ingot.Cli;

/// <summary>The keys of the ledger, through the server that has it open, or through the home's ledger itself when none has.</summary>
internal sealed class KeyAccess : IAsyncDisposable
{
    private readonly ServerClient? _server;
    private readonly HomeKeys? _home;

    private KeyAccess(ServerClient? server, HomeKeys? home) => (_server, _home) = (server, home);

    public static async Task<KeyAccess> OpenAsync(CommandContext context, CancellationToken cancellationToken)
    {
        if (!string.IsNullOrEmpty(Environment.GetEnvironmentVariable("INGOT_SERVER")))
            return new KeyAccess(await context.ConnectAsync(cancellationToken), null);

        try
        {
            return new KeyAccess(null, await HomeKeys.OpenAsync(context.Home.Server, cancellationToken));
        }
        catch (LedgerException e) when (e.IsOpenElsewhere)
        {
            // A server has it open.
            return new KeyAccess(await context.ConnectAsync(cancellationToken, start: false), null);
        }
    }

    public Task<KeysReply> ListAsync(CancellationToken cancellationToken) =>
        _server?.GetAsync("api/v1/keys", ApiJson.Default.KeysReply, cancellationToken) ?? AnswerAsync(_home!.ListAsync(cancellationToken));

    public Task<KeyReply> TrustAsync(KeyTrustRequest request, CancellationToken cancellationToken) =>
        _server?.SendAsync(HttpMethod.Post, "api/v1/keys", request, ApiJson.Default.KeyTrustRequest,
            ApiJson.Default.KeyReply, cancellationToken)
            ?? AnswerAsync(_home!.TrustAsync(request, Principal.NameOf(Environment.UserName), cancellationToken));

    public Task<KeyRetirementReply> RetireAsync(KeyRetirementRequest request, CancellationToken cancellationToken) =>
        _server?.SendAsync(HttpMethod.Post, "api/v1/keys/retirements", request, ApiJson.Default.KeyRetirementRequest,
            ApiJson.Default.KeyRetirementReply, cancellationToken)
            ?? AnswerAsync(_home!.RetireAsync(request, Principal.NameOf(Environment.UserName), cancellationToken));

    public async ValueTask DisposeAsync()
    {
        _server?.Dispose();
        if (_home is not null)
            await _home.DisposeAsync();
    }

    private static async Task<T> AnswerAsync<T>(Task<T> answer)
    {
        try
        {
            return await answer;
        }
        catch (KeyException e)
        {
            throw new RefusedException(e.Message);
        }
    }
}

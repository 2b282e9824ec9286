namespace Ingot.Server.Tests.Control;

/// <summary>What stands still writes nothing to the signed log, and signs nothing anew.</summary>
public sealed class QuietTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task ARolloutThatStandsWritesNoEntry(bool paused)
    {
        await using var control = await ControlFixture.StartAsync();
        await control.ServeAsync(await control.AdmittedAsync("one"));
        await control.CanaryAsync(await control.AdmittedAsync("two"));
        if (paused)
            await control.Releases.PauseAsync(
                new Ingot.Server.Api.PauseRequest("shop", "web", ControlFixture.Stage, "lunch", true), "ann", default);
        await control.LooksAsync(3);
        long size = control.Ledger.Size;
        string? checkpoint = control.Ledger.Checkpoint();
        await control.LooksAsync(12);

        Assert.Equal(size, control.Ledger.Size);
        Assert.Equal(checkpoint, control.Ledger.Checkpoint());
    }
}

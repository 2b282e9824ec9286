using System.Net;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text;
using Ingot.Server.Access;
using Ingot.Server.Ledger;

namespace Ingot.Server.Tests.Access;

public sealed class TokenStoreTests : IAsyncLifetime
{
    private readonly TestHome _test = new();
    private readonly StoppedClock _clock = new();
    private LedgerStore _ledger = null!;
    private TokenStore _tokens = null!;

    public async ValueTask InitializeAsync()
    {
        _ledger = await LedgerStore.OpenAsync(_test.Home, _clock);
        _tokens = new TokenStore(_test.Home, _ledger, _clock);
    }

    public async ValueTask DisposeAsync()
    {
        await _ledger.DisposeAsync();
        _test.Dispose();
    }

    [Fact]
    public async Task ATokenIsItsOwnersAfterARestartToo()
    {
        string token = await CreateAsync("ann", Role.Approver);
        Assert.Equal(new Principal("ann", Role.Approver), _tokens.Find(null, token));
        Assert.Equal(new Principal("ann", Role.Approver), new TokenStore(_test.Home, _ledger, _clock).Find("ann", token));
    }

    [Theory]
    [InlineData("bob")]
    [InlineData("root")]
    [InlineData("")]
    [InlineData("Ann")]
    public async Task AnotherUsersNameWithARightTokenIsNobody(string user)
    {
        string token = await CreateAsync("ann", Role.Administrator);
        Assert.Null(_tokens.Find(user, token));
    }

    [Fact]
    public async Task WhatIsNotQuiteATokenIsNobodys()
    {
        string token = await CreateAsync("ann", Role.Administrator);
        foreach (string wrong in new[] { "", " ", token[..^1], token + "0", token.ToUpperInvariant(), "ingot_", Hash(token), "ann" })
            Assert.Null(_tokens.Find(null, wrong));
    }

    [Fact]
    public async Task ANameIsGivenOnce()
    {
        await CreateAsync("ann", Role.Viewer);
        Assert.Null(await _tokens.CreateAsync("root", "ann", Role.Administrator, null, CancellationToken.None));
        Assert.True(await _tokens.RevokeAsync("root", "ann", "left", CancellationToken.None));
        Assert.Null(await _tokens.CreateAsync("root", "ann", Role.Administrator, null, CancellationToken.None));
        Assert.Null(await new TokenStore(_test.Home, _ledger, _clock).CreateAsync("root", "ann", Role.Administrator, null,
            CancellationToken.None));
    }

    [Fact]
    public async Task TwoWhoWantANameAtOnceDoNotBothGetIt()
    {
        var tries = await Task.WhenAll(Enumerable.Range(0, 8)
            .Select(_ => _tokens.CreateAsync("root", "ann", Role.Viewer, null, CancellationToken.None)));
        string token = Assert.Single(tries.OfType<string>());
        Assert.Equal("ann", _tokens.Find(null, token)?.Name);
    }

    [Fact]
    public async Task ARevokedTokenStaysSoWhenItsFileComesBack()
    {
        string token = await CreateAsync("ann", Role.Viewer);
        string file = Path.Combine(_test.Home.Tokens, "ann");
        string kept = File.ReadAllText(file);
        await _tokens.RevokeAsync("root", "ann", "left", CancellationToken.None);
        Assert.Null(_tokens.Find(null, token));
        Assert.False(File.Exists(file));

        File.WriteAllText(file, kept);
        Assert.Null(new TokenStore(_test.Home, _ledger, _clock).Find(null, token));
    }

    /// <summary>Making a token reads the list before the revocation and is held up over a file:
    /// what it read is old when it is done.</summary>
    [Fact]
    public async Task ARevokedTokenIsRefusedAtOnceWhileAnotherIsBeingMade()
    {
        await CreateAsync("zoe", Role.Viewer);
        string token = await CreateAsync("ann", Role.Viewer);
        string file = Path.Combine(_test.Home.Tokens, "zoe");
        string kept = File.ReadAllText(file);
        File.Delete(file);
        using (var make = System.Diagnostics.Process.Start("mkfifo", [file]))
            await make.WaitForExitAsync();

        // Opening it waits for whoever reads it.
        var opening = Task.Run(() => new FileStream(file, FileMode.Open, FileAccess.Write, FileShare.ReadWrite));
        var making = Task.Run(() => CreateAsync("bob", Role.Viewer));
        Task<bool> revoking;
        await using (var pipe = await opening)
        {
            File.Move(file, file + ".pipe");
            File.WriteAllText(file, kept);
            revoking = Task.Run(() => _tokens.RevokeAsync("root", "ann", "left", CancellationToken.None));
            await Task.WhenAny(revoking, Task.Delay(TimeSpan.FromSeconds(1)));
        }

        await making;
        Assert.True(await revoking);
        Assert.Null(_tokens.Find(null, token));
    }

    [Fact]
    public void AFileThatTheLedgerDoesNotKnowLetsNobodyIn()
    {
        File.WriteAllText(Path.Combine(_test.Home.Tokens, "eve"), Hash("secret"));
        Assert.Null(new TokenStore(_test.Home, _ledger, _clock).Find(null, "secret"));
    }

    [Fact]
    public async Task AnEntryForTheOwnersNameIsNotTheOwner()
    {
        await _ledger.AppendAsync("eve", new LedgerEvent.TokenCreated(_tokens.Own.Name, ["viewer"]));
        await _ledger.AppendAsync("eve", new LedgerEvent.TokenCreated("../token", ["administrator"]));
        File.WriteAllText(Path.Combine(_test.Home.Tokens, _tokens.Own.Name), Hash("secret"));
        var restarted = new TokenStore(_test.Home, _ledger, _clock);
        Assert.Null(restarted.Find(null, "secret"));
        Assert.Equal(Role.Administrator, restarted.Find(null, restarted.OwnToken)?.Roles);
    }

    [Fact]
    public async Task ATokenEndsAtItsTime()
    {
        string token = (await _tokens.CreateAsync("root", "ci", Role.Publisher, _clock.Now.AddHours(1), CancellationToken.None))!;
        _clock.Now = _clock.Now.AddMinutes(59);
        Assert.NotNull(_tokens.Find(null, token));
        _clock.Now = _clock.Now.AddMinutes(1);
        Assert.Null(_tokens.Find(null, token));
    }

    [Fact]
    public async Task SecretsAreKeptNowhere()
    {
        string token = await CreateAsync("ann", Role.Viewer);
        string file = Path.Combine(_test.Home.Tokens, "ann");
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(_test.Home.Token));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(_test.Home.Private));
        foreach (string path in Directory.EnumerateFiles(_test.Home.Root, "*", SearchOption.AllDirectories)
            .Where(p => !p.EndsWith(".lock", StringComparison.Ordinal)))
        {
            using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
            using var bytes = new MemoryStream();
            await stream.CopyToAsync(bytes);
            Assert.DoesNotContain(token, Encoding.Latin1.GetString(bytes.ToArray()), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task MakingAndTakingBackAreOnTheLedger()
    {
        await CreateAsync("ann", Role.Approver | Role.Releaser);
        await _tokens.RevokeAsync("bob", "ann", "left", CancellationToken.None);
        var entries = _ledger.Read(view => view.Entries(0, 100))
            .Where(e => e.Event is LedgerEvent.TokenCreated or LedgerEvent.TokenRevoked)
            .ToList();
        Assert.Equal(["root", "bob"], entries.Select(e => e.Actor));
        Assert.Equal(["approver", "releaser"], ((LedgerEvent.TokenCreated)entries[0].Event).Roles);
        Assert.False(await _tokens.RevokeAsync("bob", "ann", "again", CancellationToken.None));
        Assert.False(await _tokens.RevokeAsync("bob", "nobody", "never was", CancellationToken.None));
    }

    [Theory]
    [InlineData("bob", "bob.new")]
    [InlineData("bob.new", "bob")]
    public async Task MakingATokenTakesNobodyElsesAway(string first, string second)
    {
        string token = await CreateAsync(first, Role.Viewer);
        await CreateAsync(second, Role.Viewer);
        Assert.Equal(first, _tokens.Find(null, token)?.Name);
        Assert.Equal(2, Directory.GetFiles(_test.Home.Tokens).Length);
    }

    [Fact]
    public async Task AnEntryThatSaysOtherThanItsLeafLetsNobodyIn()
    {
        await CreateAsync("ann", Role.Viewer);
        using (var db = Ingot.Server.Storage.SqliteDatabase.OpenWriter(_test.Home.Database))
            db.ExecuteScript("UPDATE entries SET json = CAST(replace(CAST(json AS TEXT), 'viewer', 'administrator') AS BLOB)");

        var e = Assert.Throws<LedgerException>(() => new TokenStore(_test.Home, _ledger, _clock));
        Assert.Contains("ingot log verify", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AnEntryThatIsNoneEndsWithASentence()
    {
        await CreateAsync("ann", Role.Viewer);
        using (var db = Ingot.Server.Storage.SqliteDatabase.OpenWriter(_test.Home.Database))
            db.ExecuteScript("UPDATE entries SET json = x'7b'");

        Assert.Contains("is damaged", Assert.Throws<LedgerException>(() => new TokenStore(_test.Home, _ledger, _clock)).Message,
            StringComparison.Ordinal);
    }

    /// <summary>A directory in the file's place stands for a disk that does not take it.</summary>
    [Fact]
    public async Task ATokenThatCannotBeKeptIsNotMade()
    {
        Directory.CreateDirectory(Path.Combine(_test.Home.Tokens, "ann", "full"));
        var e = await Assert.ThrowsAsync<LedgerException>(() => CreateAsync("ann", Role.Viewer));

        Assert.Contains("could not be kept", e.Message, StringComparison.Ordinal);
        Assert.Empty(_tokens.List());
    }

    [Fact]
    public async Task TheServerMakesListsAndRevokesThem()
    {
        await using var server = await RunningServer.StartAsync();
        string token = await server.TokenAsync("ann", "viewer");
        using var owner = server.Client(RunningServer.Bearer(server.OwnToken));
        using var ann = server.Client(RunningServer.Basic("ann", token));
        Assert.Equal(HttpStatusCode.OK, (await ann.GetAsync("api/v1/status")).StatusCode);
        Assert.DoesNotContain(token, await owner.GetStringAsync("api/v1/tokens"), StringComparison.Ordinal);
        foreach (string name in new[] { "ann", "root", "Ann", "a b", "../x", "ingot" })
            Assert.NotEqual(HttpStatusCode.OK,
                (await owner.PostAsJsonAsync("api/v1/tokens", new { name, roles = new[] { "viewer" } })).StatusCode);
        Assert.Equal(HttpStatusCode.BadRequest,
            (await owner.PostAsJsonAsync("api/v1/tokens", new { name = "bob", roles = new[] { "god" } })).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await owner.PostAsJsonAsync("api/v1/tokens/ann/revocation", new { why = "left" })).StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, (await ann.GetAsync("api/v1/status")).StatusCode);
    }

    private async Task<string> CreateAsync(string name, Role roles) =>
        (await _tokens.CreateAsync("root", name, roles, null, CancellationToken.None))!;

    private static string Hash(string token) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(token)));

    private sealed class StoppedClock : TimeProvider
    {
        public DateTimeOffset Now { get; set; } = DateTimeOffset.UnixEpoch.AddYears(50);

        public override DateTimeOffset GetUtcNow() => Now;
    }
}

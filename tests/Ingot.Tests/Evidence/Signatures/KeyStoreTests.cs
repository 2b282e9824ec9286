using Ingot.Evidence.Signatures;

namespace Ingot.Tests.Evidence.Signatures;

public sealed class KeyStoreTests : IDisposable
{
    private static readonly CancellationToken s_stop = CancellationToken.None;
    private readonly string _directory = Path.Combine(Directory.CreateTempSubdirectory("ingot-keys-").FullName, "keys");

    public void Dispose() => Directory.Delete(Path.GetDirectoryName(_directory)!, recursive: true);

    [Fact]
    public async Task AKeyIsMadeOnFirstUseAndStays()
    {
        var store = new KeyStore(_directory);
        Assert.Null(await store.PublicKeyAsync(s_stop));
        using var made = await store.LoadOrCreateAsync(s_stop);
        using var loaded = await new KeyStore(_directory).LoadOrCreateAsync(s_stop);
        Assert.Equal(made.Id, loaded.Id);
        Assert.Equal(made.PublicKey, await store.PublicKeyAsync(s_stop));
        Assert.True(loaded.PublicKey.Verify("x"u8, made.Sign("x"u8)));
    }

    [Fact]
    public async Task WhatIsPrivateOnlyItsOwnerCanRead()
    {
        var store = new KeyStore(_directory);
        (await store.LoadOrCreateAsync(s_stop)).Dispose();
        Assert.Equal("0700", Mode(_directory));
        Assert.Equal("0600", Mode(store.SigningKeyPath));
        Assert.Equal("0600", Mode(store.PasswordPath));
        Assert.Equal("0644", Mode(store.PublicKeyPath));
        Assert.StartsWith("-----BEGIN ENCRYPTED PRIVATE KEY-----", await File.ReadAllTextAsync(store.SigningKeyPath, s_stop),
            StringComparison.Ordinal);
        Assert.Equal(["password", "signing.key", "signing.pub"],
            Directory.GetFiles(_directory).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task ManyAtOnceEndWithOneKey()
    {
        var keys =
            await Task.WhenAll(Enumerable.Range(0, 16).Select(_ => Task.Run(() => new KeyStore(_directory).LoadOrCreateAsync(s_stop))));
        Assert.Single(keys.Select(k => k.Id).Distinct());
        Assert.Equal(3, Directory.GetFiles(_directory).Length);
    }

    [Fact]
    public async Task AConfiguredPasswordIsUsedAndNoneIsWritten()
    {
        using var made = await new KeyStore(_directory, "correct horse").LoadOrCreateAsync(s_stop);
        using var loaded = await new KeyStore(_directory, "correct horse").LoadOrCreateAsync(s_stop);
        Assert.Equal(made.Id, loaded.Id);
        Assert.False(File.Exists(new KeyStore(_directory).PasswordPath));
    }

    [Fact]
    public async Task AWrongPasswordIsSaid()
    {
        (await new KeyStore(_directory, "right").LoadOrCreateAsync(s_stop)).Dispose();
        var error = await Assert.ThrowsAsync<KeyException>(() => new KeyStore(_directory, "wrong").LoadOrCreateAsync(s_stop));
        Assert.Contains("the password is wrong", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AMissingPasswordIsNotMadeAnew()
    {
        var store = new KeyStore(_directory);
        (await store.LoadOrCreateAsync(s_stop)).Dispose();
        File.Delete(store.PasswordPath);
        var error = await Assert.ThrowsAsync<KeyException>(() => store.LoadOrCreateAsync(s_stop));
        Assert.Contains("is missing", error.Message, StringComparison.Ordinal);
        Assert.False(File.Exists(store.PasswordPath));
    }

    [Fact]
    public void AnEmptyPasswordIsRefused() => Assert.Throws<KeyException>(() => new KeyStore(_directory, ""));

    [Theory]
    [InlineData("signing.key", 0b110_100_000)]
    [InlineData("signing.key", 0b110_000_100)]
    [InlineData("password", 0b110_000_010)]
    public async Task AKeyThatOthersCanReachIsRefused(string name, int mode)
    {
        var store = new KeyStore(_directory);
        (await store.LoadOrCreateAsync(s_stop)).Dispose();
        File.SetUnixFileMode(Path.Combine(_directory, name), (UnixFileMode)mode);
        var error = await Assert.ThrowsAsync<KeyException>(() => store.LoadOrCreateAsync(s_stop));
        Assert.Contains("chmod 600", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("nothing of the kind")]
    [InlineData("-----BEGIN ENCRYPTED PRIVATE KEY-----\n")]
    [InlineData("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n")]
    [InlineData("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n")]
    public async Task ADamagedKeyIsRefused(string text)
    {
        var store = new KeyStore(_directory);
        (await store.LoadOrCreateAsync(s_stop)).Dispose();
        await File.WriteAllTextAsync(store.SigningKeyPath, text, s_stop);
        await Assert.ThrowsAsync<KeyException>(() => store.LoadOrCreateAsync(s_stop));
    }

    [Fact]
    public async Task NoByteOfTheKeyFileCanBeLost()
    {
        var store = new KeyStore(_directory);
        (await store.LoadOrCreateAsync(s_stop)).Dispose();
        string whole = await File.ReadAllTextAsync(store.SigningKeyPath, s_stop);
        for (int length = 0; length < whole.Length - 1; length += 23)
        {
            await File.WriteAllTextAsync(store.SigningKeyPath, whole[..length], s_stop);
            await Assert.ThrowsAsync<KeyException>(() => store.LoadOrCreateAsync(s_stop));
        }
    }

    [Fact]
    public async Task AFileInTheDirectoryOfEarlierVersionsIsNamedAndNothingElse()
    {
        using var other = SigningKey.Create();
        var store = new KeyStore(_directory);
        Assert.Empty(store.Leftovers());
        Directory.CreateDirectory(store.TrustedDirectory);
        string path = Path.Combine(store.TrustedDirectory, "ci.pub");
        await File.WriteAllTextAsync(path, other.PublicKey.ToPem(), s_stop);
        Assert.Equal([path], store.Leftovers());
        Assert.Null(await store.PublicKeyAsync(s_stop));
    }

    [Fact]
    public async Task AKeyThatIsSetAsideIsNotUsedAgain()
    {
        var store = new KeyStore(_directory);
        using var old = await store.LoadOrCreateAsync(s_stop);
        await store.SetAsideAsync(old.Id, s_stop);
        await store.SetAsideAsync(old.Id, s_stop);

        using var made = await store.LoadOrCreateAsync(s_stop);
        Assert.NotEqual(old.Id, made.Id);
        Assert.Equal(made.PublicKey, await store.PublicKeyAsync(s_stop));
        Assert.Equal([$"{old.Id}.key", $"{old.Id}.pub"],
            Directory.GetFiles(store.RetiredDirectory).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task OnlyTheKeyThatIsMeantIsSetAside()
    {
        var store = new KeyStore(_directory);
        using var key = await store.LoadOrCreateAsync(s_stop);
        using var other = SigningKey.Create();
        await store.SetAsideAsync(other.Id, s_stop);
        using var again = await store.LoadOrCreateAsync(s_stop);
        Assert.Equal(key.Id, again.Id);
    }

    [Fact]
    public async Task ASettingAsideThatWasBrokenOffIsFinishedTheNextTime()
    {
        var store = new KeyStore(_directory);
        using var old = await store.LoadOrCreateAsync(s_stop);
        File.Delete(store.PublicKeyPath);
        (await store.LoadOrCreateAsync(s_stop)).Dispose();
        await store.SetAsideAsync(old.Id, s_stop);
        using var made = await store.LoadOrCreateAsync(s_stop);
        Assert.NotEqual(old.Id, made.Id);
    }

    [Fact]
    public async Task APublicKeyThatSomebodyPutInItsPlaceIsNoticed()
    {
        var store = new KeyStore(_directory);
        (await store.LoadOrCreateAsync(s_stop)).Dispose();
        using var other = SigningKey.Create();
        await File.WriteAllTextAsync(store.PublicKeyPath, other.PublicKey.ToPem(), s_stop);
        var error = await Assert.ThrowsAsync<KeyException>(() => store.LoadOrCreateAsync(s_stop));
        Assert.Contains("is not the public half", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("tester", PredicateType.TestResult)]
    [InlineData("signer", PredicateType.Signature)]
    [InlineData("scanner", PredicateType.CycloneDx, PredicateType.SecretScan, PredicateType.Claims)]
    [InlineData("builder", PredicateType.Signature, PredicateType.Provenance, PredicateType.CycloneDx)]
    [InlineData(PredicateType.Claims, PredicateType.Claims)]
    public void ARoleIsItsPredicateTypes(string role, params string[] types)
    {
        var predicates = KeyRole.Predicates([role])!;
        Assert.Equal(types.Order(StringComparer.Ordinal), predicates);
        Assert.Equal([role], KeyRole.NamesOf(predicates));
    }

    [Fact]
    public void RolesTogetherAreAllTheirTypesOnce()
    {
        var both = KeyRole.Predicates(["scanner", "builder", PredicateType.TestResult])!;
        Assert.Equal(6, both.Count);
        Assert.Equal(["builder", "scanner", "tester"], KeyRole.NamesOf(both));
        Assert.Null(KeyRole.Predicates(["tester", "all"]));
        Assert.Equal(["all"], KeyRole.NamesOf(null));
    }

    [Theory]
    [InlineData("Tester")]
    [InlineData("root")]
    [InlineData("")]
    [InlineData("https://example.com/mine")]
    public void ARoleThatNobodyKnowsIsRefused(string role)
    {
        Assert.Throws<KeyException>(() => KeyRole.Predicates([role]));
        Assert.Throws<KeyException>(() => KeyRole.Predicates(["all-but", role]));
    }

    [Fact]
    public void NoRoleIsNoTrust() => Assert.Throws<KeyException>(() => KeyRole.Predicates([]));

    [Fact]
    public void ARetiredKeyMayIssueNothing()
    {
        using var key = SigningKey.Create();
        var trusted = new TrustedKey(key.PublicKey, "ci");
        Assert.True(trusted.MayIssue(PredicateType.TestResult));
        Assert.False((trusted with { Retired = "stolen" }).MayIssue(PredicateType.TestResult));
        Assert.False((trusted with { Predicates = new HashSet<string> { PredicateType.Claims } }).MayIssue(PredicateType.TestResult));
    }

    [Fact]
    public void AKeyOfAnotherKindIsRefused()
    {
        using var rsa = System.Security.Cryptography.RSA.Create(2048);
        using var p384 = System.Security.Cryptography.ECDsa.Create(System.Security.Cryptography.ECCurve.NamedCurves.nistP384);
        Assert.Throws<KeyException>(() => PublicKey.FromPem(rsa.ExportSubjectPublicKeyInfoPem(), "rsa"));
        Assert.Contains(
            "384 bits",
            Assert.Throws<KeyException>(() => PublicKey.FromPem(p384.ExportSubjectPublicKeyInfoPem(), "p384")).Message,
            StringComparison.Ordinal);
    }

    private static string Mode(string path) => Convert.ToString((int)File.GetUnixFileMode(path), 8).PadLeft(4, '0');
}

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
        Assert.StartsWith("-----BEGIN ENCRYPTED PRIVATE KEY-----", await File.ReadAllTextAsync(store.SigningKeyPath, s_stop), StringComparison.Ordinal);
        Assert.Equal(["password", "signing.key", "signing.pub"], Directory.GetFiles(_directory).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task ManyAtOnceEndWithOneKey()
    {
        var keys = await Task.WhenAll(Enumerable.Range(0, 16).Select(_ => Task.Run(() => new KeyStore(_directory).LoadOrCreateAsync(s_stop))));
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
    public async Task TrustedKeysAreTheOwnOneAndThoseOfTheDirectory()
    {
        using var key = await new KeyStore(_directory).LoadOrCreateAsync(s_stop);
        using var other = SigningKey.Create();
        var store = new KeyStore(_directory);
        Directory.CreateDirectory(store.TrustedDirectory);
        await File.WriteAllTextAsync(Path.Combine(store.TrustedDirectory, "ci.pub"), other.PublicKey.ToPem(), s_stop);
        await File.WriteAllTextAsync(Path.Combine(store.TrustedDirectory, "ci.predicates"), $"# builds only\n{PredicateType.Provenance}\n\n", s_stop);

        var trusted = await store.TrustedAsync(s_stop);
        Assert.Equal(["own", "ci"], trusted.Select(t => t.Name));
        Assert.Equal([key.PublicKey, other.PublicKey], trusted.Select(t => t.Key));
        Assert.True(trusted[0].MayIssue(PredicateType.TestResult));
        Assert.True(trusted[1].MayIssue(PredicateType.Provenance));
        Assert.False(trusted[1].MayIssue(PredicateType.TestResult));
    }

    [Theory]
    [InlineData("")]
    [InlineData("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n")]
    // P-384, and RSA.
    [InlineData("-----BEGIN PUBLIC KEY-----\nMHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEaKFdi3Gh3EuRz+TJy7uGNo0H2L8n7xR5\nI1xu1Y5ZVYJ4fGvXkQGYxBJrL5q3vZr8X0yK6iMKyQ9YqZ3u5l5f4J9v5m2QqKpX\n6ZbKcZ4g1+J1s4o6vVh7yF3w9xv5m2Qq\n-----END PUBLIC KEY-----\n")]
    public async Task ATrustedFileThatIsNoKeyIsNamed(string pem)
    {
        var store = new KeyStore(_directory);
        Directory.CreateDirectory(store.TrustedDirectory);
        await File.WriteAllTextAsync(Path.Combine(store.TrustedDirectory, "bad.pub"), pem, s_stop);
        var error = await Assert.ThrowsAsync<KeyException>(() => store.TrustedAsync(s_stop));
        Assert.Contains("bad.pub", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AKeyOfAnotherKindIsRefused()
    {
        using var rsa = System.Security.Cryptography.RSA.Create(2048);
        using var p384 = System.Security.Cryptography.ECDsa.Create(System.Security.Cryptography.ECCurve.NamedCurves.nistP384);
        Assert.Throws<KeyException>(() => PublicKey.FromPem(rsa.ExportSubjectPublicKeyInfoPem(), "rsa"));
        Assert.Contains("384 bits", Assert.Throws<KeyException>(() => PublicKey.FromPem(p384.ExportSubjectPublicKeyInfoPem(), "p384")).Message, StringComparison.Ordinal);
    }

    private static string Mode(string path) => Convert.ToString((int)File.GetUnixFileMode(path), 8).PadLeft(4, '0');
}

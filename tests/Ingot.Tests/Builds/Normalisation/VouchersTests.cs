using System.Security.Cryptography;
using System.Text;
using Ingot.Builds.Normalisation;
using Ingot.Oci.Layers;
using Ingot.Oci.Tar;
using Ingot.Testing;

namespace Ingot.Tests.Builds.Normalisation;

public sealed class VouchersTests : IDisposable
{
    private static readonly byte[] s_file = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0x7F, 2, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0];

    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    public static TheoryData<string, string> Forms => new()
    {
        { "srv/a.gz.sha256", "SHA256 a.gz" },
        { "srv/a.gz.sha512", "SHA512  a.gz\n" },
        { "srv/SHA256SUMS", "0000000000000000000000000000000000000000000000000000000000000000  other\nSHA256  a.gz\n" },
        { "srv/MD5SUMS", "MD5 *a.gz\n" },
        { "srv/sha256sums.txt", "SHA256  a.gz\n" },
        { "srv/md5sum.txt", "MD5  a.gz\n" },
        { "srv/CHECKSUM", "SHA256 (BSD) = SHA256\n" },
        { "srv/all.sums", "SHA256  a.gz\n" },
        { "srv/dists/stable/Release", "SHA256:\n SHA256 20 main/a.gz\n" },
        { "srv/repodata/repomd.xml", "<checksum type=\"sha256\">SHA256</checksum>" },
        { "srv/charts/index.yaml", "    digest: SHA256\n" },
        { "srv/notes", "SHA256 a.gz\n" },
        { "etc/app/settings.toml", "[model]\nhash = \"SHA256\"\n" },
        { "srv/SHA1SUMS.txt", "SHA1  a.gz\n" },
        { "srv/checksums.txt", "SHA256 (BSD) = SHA256\n" },
        { "srv/myapp_1.0_checksums.txt", "SHA384  a.gz\n" },
        { "var/lib/dpkg/info/a.md5sums", "MD5  srv/a.gz\n" },
        { "var/lib/dpkg/info/libc6:amd64.md5sums", "MD5  srv/a.gz\n" },
        { "var/lib/dpkg/status", "Conffiles:\n /srv/a.gz MD5\n" },
        { "lib/apk/db/installed", "F:srv\nR:a.gz\nZ:Q1base64SHA1\n" },
        { "usr/lib/python3/site-packages/a-1.dist-info/RECORD", "a/a.gz,sha256=urlSHA256,20\n" },
        { "srv/package-lock.json", "{\"integrity\": \"sha512-base64SHA512\"}" },
        { "srv/node_modules/.package-lock.json", "{\"integrity\": \"sha512-base64SHA512\"}" },
        { "srv/yarn.lock", "  integrity sha512-base64SHA512\n" },
        { "srv/pnpm-lock.yaml", "    resolution: {integrity: sha512-base64SHA512}\n" },
        { "srv/Cargo.lock", "checksum = \"SHA256\"\n" },
        { "srv/requirements.txt", "a==1 --hash=sha256:SHA256\n" },
        { "srv/poetry.lock", "{file = \"a.gz\", hash = \"sha256:SHA256\"}\n" },
        { "srv/packages.lock.json", "\"contentHash\": \"base64SHA512\"" },
        { "opt/conda/conda-meta/a-1.json", "{\"_path\": \"a.gz\", \"sha256_in_prefix\": \"SHA256\"}" },
        { "srv/gradle/verification-metadata.xml", "<sha256 value=\"SHA256\"/>" },
    };

    [Theory]
    [MemberData(nameof(Forms))]
    public void WhoHasAChecksumOfAFileVouchesForIt(string path, string text)
    {
        Write(path, Filled(text));
        Assert.Equal("/" + path, Find("srv/a.gz", s_file));
        Assert.Null(Find("srv/a.gz", [.. s_file, 0]));
    }

    // Of kinds that are not computed the name counts.
    [Theory]
    [InlineData("srv/SHA224SUMS", 56, "{0}  a.gz\n")]
    [InlineData("srv/B2SUMS", 128, "x\n{0} *main/a.gz\n")]
    [InlineData("srv/list", 128, "{0}  a.gz\r\n")]
    [InlineData("srv/list", 64, "BLAKE2b-256 (/srv/a.gz) = {0}\n")]
    [InlineData("srv/all.b3sums", 64, "{0}  a.gz\n")]
    public void WhoHasAChecksumOfAnotherKindVouchesForTheName(string path, int digits, string text)
    {
        Write(path, string.Format(System.Globalization.CultureInfo.InvariantCulture, text, new string('0', digits)));
        Assert.Equal("/" + path, Find("srv/a.gz", s_file));
        Assert.Null(Find("srv/b.gz", s_file));
    }

    // What is no text takes nothing from what texts may have, and directories come in the order of their names.
    [Fact]
    public void ManyFilesThatAreNoTextsHideNoList()
    {
        for (int i = 0; i < 40; i++)
            Write($"a/{i}", "\0".PadRight(1_000_000));
        for (int i = 0; i < 40; i++)
            Write($"z/{i}", "text".PadRight(1_000_000));
        Write("srv/list", Filled("SHA256  a.gz\n"));
        Assert.Equal("/srv/list", Find("srv/a.gz", s_file));
    }

    // Each of 330 files, in values that are longer than a page and lie in pages between others.
    [Fact]
    public void WhatTheDatabaseOfRpmHasIsVouchedFor()
    {
        Directory.CreateDirectory(_directory.At("var/lib/rpm"));
        File.Copy(Path.Combine(Repository.Root, "tests/vectors/rpm/rpmdb.sqlite"), _directory.At("var/lib/rpm/rpmdb.sqlite"));
        using var vouchers = new Vouchers([new StepFiles(_directory.At(""))], "");
        for (int i = 0; i <= 330; i++)
            Assert.Equal("/var/lib/rpm/rpmdb.sqlite", vouchers.Find("srv/a", LayerContent.Of(Encoding.ASCII.GetBytes($"file {i}"))));
        Assert.Null(vouchers.Find("srv/a", LayerContent.Of("file 331"u8.ToArray())));
    }

    // What has another name is read when it is small, whatever it is called.
    [Fact]
    public void ALargeTextThatHasNoNameOfAListIsNotRead()
    {
        Write("srv/notes", Filled("SHA256 a.gz\n").PadRight((1 << 20) + 1));
        Assert.Null(Find("srv/a.gz", s_file));
    }

    // Wherever the parts end in which it is read, and without the whole of it in memory.
    [Theory]
    [InlineData((1 << 20) - 30)]
    [InlineData((1 << 20) - 64)]
    [InlineData((2 << 20) - 230)]
    [InlineData(20 << 20)]
    public void ALongListIsReadInParts(int at)
    {
        Write("srv/SHA256SUMS", new string('\n', at) + Filled("SHA256  a.gz\n"));
        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Equal("/srv/SHA256SUMS", Find("srv/a.gz", s_file));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 64 << 20);
    }

    [Fact]
    public void AListThatIsLongerThanAnyIsReadSoFar()
    {
        Write("srv/x.checksums", new string('\n', 33 << 20) + Filled("SHA256  a.gz\n"));
        Assert.Null(Find("srv/a.gz", s_file));
    }

    [Fact]
    public void WhoEndsABuildNeedNotWaitForIt()
    {
        Write("srv/SHA256SUMS", "");
        using var vouchers = new Vouchers([new StepFiles(_directory.At(""))], "");
        Assert.Throws<OperationCanceledException>(() =>
            vouchers.Find("srv/a.gz", LayerContent.Of(s_file), new CancellationToken(canceled: true)));
        var normaliser = new Normaliser(StepTimes.Any(Tree.Epoch), isBootstrap: false, [])
        {
            Cancellation = new CancellationToken(canceled: true),
        };
        Assert.Throws<OperationCanceledException>(() => normaliser.Filter(Entry("srv/a.gz", s_file), LayerContent.Of(s_file)));
    }

    // Each of a page's cells claims a value of the file's length, in pages that name each other.
    [Fact]
    public void ADatabaseOfRpmOfWhichPagesGoInACircleIsNotReadForEachCell()
    {
        const int page = 65536, cells = 1500;
        byte[] file = new byte[3 * page];
        "SQLite format 3\0"u8.CopyTo(file);
        (file[16], file[17]) = (0, 1);
        var leaf = file.AsSpan(page, page);
        leaf[0] = 0x0D;
        System.Buffers.Binary.BinaryPrimitives.WriteUInt16BigEndian(leaf[3..], cells);
        for (int i = 0; i < cells; i++)
            System.Buffers.Binary.BinaryPrimitives.WriteUInt16BigEndian(leaf[(8 + (i * 2))..], 8000);
        // 48 MiB, of row 1, and on in page 3 after what stands here; which goes on in itself.
        ((byte[])[0x98, 0x80, 0x80, 0x00, 1]).CopyTo(leaf[8000..]);
        for (int at = 8005; at + 4 <= page; at += 4)
            leaf[at + 3] = 3;
        file[(2 * page) + 3] = 3;
        long before = GC.GetAllocatedBytesForCurrentThread();
        RpmDigests.Read(file);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 64 << 20);
    }

    [Fact]
    public void ADamagedDatabaseOfRpmIsNoReasonToFail()
    {
        byte[] whole = File.ReadAllBytes(Path.Combine(Repository.Root, "tests/vectors/rpm/rpmdb.sqlite"));
        foreach (int length in (int[])[0, 16, 99, 100, 1000, 1024, 1025, 5000, whole.Length - 1])
            RpmDigests.Read(whole[..length]);
        var random = new Random(7);
        for (int i = 0; i < 300; i++)
        {
            byte[] changed = [.. whole];
            for (int change = 0; change < 20; change++)
                changed[random.Next(i % 2 == 0 ? changed.Length : 2048)] = (byte)random.Next(256);
            RpmDigests.Read(changed);
        }
    }

    [Theory]
    [InlineData("a.gz.asc")]
    [InlineData("a.gz.sig")]
    [InlineData("a.gz.minisig")]
    [InlineData("a.gz.sigstore.json")]
    [InlineData("a.gz.b2")]
    [InlineData("a.gz.gpg")]
    [InlineData("a.gz.pgp")]
    [InlineData("a.gz.prov")]
    [InlineData("a.gz.bundle")]
    public void ASignatureBesideAFileVouchesForIt(string name)
    {
        Write("srv/" + name, "-----BEGIN PGP SIGNATURE-----\n");
        Assert.Equal("/srv/" + name, Find("srv/a.gz", s_file));
        Assert.Null(Find("a.gz", s_file));
        Assert.Null(Find("srv/b.gz", s_file));
    }

    [Theory]
    [InlineData("srv/notes.bin", "\u0001\0SHA256 a.gz\n")]
    [InlineData("srv/SHA256SUMS", "xSHA256 a.gz\n")]
    [InlineData("srv/SHA256SUMS", "SHA256f a.gz\n")]
    [InlineData("srv/a.gz.sha256", "not a checksum\n")]
    [InlineData("srv/a.gz.sha256", "")]
    public void WhatIsNoChecksumOfItVouchesForNothing(string path, string text)
    {
        Write(path, Filled(text));
        Assert.Null(Find("srv/a.gz", s_file));
    }

    [Fact]
    public void TheStepItselfMayVouch() =>
        Assert.Equal("the instruction", Find("srv/a.gz", s_file, Filled("RUN curl -O a.gz && echo 'SHA256  a.gz' | sha256sum -c")));

    // Links of an image lead anywhere on the host, and pipes end nothing.
    [Fact]
    public void LinksAndPipesAreNotRead()
    {
        Write("elsewhere", Filled("SHA256 a.gz\n"));
        string root = Directory.CreateDirectory(_directory.At("root")).FullName;
        File.CreateSymbolicLink(Path.Combine(root, "SHA256SUMS"), _directory.At("elsewhere"));
        File.CreateSymbolicLink(Path.Combine(root, "a.gz.asc"), _directory.At("elsewhere"));
        Directory.CreateSymbolicLink(Path.Combine(root, "out"), "/");
        using var vouchers = new Vouchers([new StepFiles(root)], "");
        Assert.Null(vouchers.Find("a.gz", LayerContent.Of(s_file)));
    }

    [Fact]
    public void NoRuleTouchesWhatIsVouchedForAndEachSaysSo()
    {
        Write("srv/SHA256SUMS", Filled("SHA256  a.gz\n"));
        Write("opt/gem/SHA256SUMS", $"{Hex(SHA256.HashData("a log"u8))}  mkmf.log\n");
        using var vouchers = new Vouchers([new StepFiles(_directory.At(""))], "");
        var normaliser = new Normaliser(StepTimes.Any(Tree.Epoch), isBootstrap: false, [], vouchers: vouchers);
        Assert.Same(FilterResult.Keep, normaliser.Filter(Entry("srv/a.gz", s_file), LayerContent.Of(s_file)));
        Assert.Same(FilterResult.Keep,
            normaliser.Filter(Entry("opt/gem/mkmf.log", "a log"u8.ToArray()), LayerContent.Of("a log"u8.ToArray())));
        Assert.Same(FilterResult.Drop, normaliser.Filter(Entry("opt/gem/gem_make.out", "x"u8.ToArray()), LayerContent.Of("x"u8.ToArray())));
        byte[] other = [.. s_file[..^1], 1];
        Assert.IsType<FilterResult.Patched>(normaliser.Filter(Entry("srv/b.gz", other), LayerContent.Of(other)));
        Assert.Equal(["gem-logs@1", "gzip-times@3"], normaliser.Applied);
        Assert.Equal(
            [
                "the rule 'gem-logs@1' left out /opt/gem/gem_make.out",
                "the rule 'gem-logs@1' did not touch what something has a checksum or a signature of: "
                    + "/opt/gem/mkmf.log (of /opt/gem/SHA256SUMS)",
                "the rule 'gzip-times@3' did not touch what something has a checksum or a signature of: /srv/a.gz (of /srv/SHA256SUMS)",
            ],
            normaliser.Notes);
    }

    // They hold what checks themselves.
    [Fact]
    public void CachesAreLeftOutAsAWhole()
    {
        Write("root/.npm/_cacache/index.sha256", Filled("SHA256"));
        using var vouchers = new Vouchers([new StepFiles(_directory.At(""))], "");
        var normaliser = new Normaliser(StepTimes.Any(Tree.Epoch), isBootstrap: false, [], vouchers: vouchers);
        for (int i = 0; i < 9; i++)
            Assert.Same(FilterResult.Drop, normaliser.Filter(Entry($"root/.npm/_cacache/{i}", s_file), LayerContent.Of(s_file)));
        string note = Assert.Single(normaliser.Notes);
        Assert.Equal(
            "the rule 'npm-cache@2' left out /root/.npm/_cacache/0, /root/.npm/_cacache/1, /root/.npm/_cacache/2, /root/.npm/_cacache/3, "
                + "/root/.npm/_cacache/4 and 4 more",
            note);
    }

    private static TarEntry Entry(string path, byte[] content) => new() { Path = path, Type = TarEntryType.File, Size = content.Length };

    private string? Find(string path, byte[] content, string step = "")
    {
        using var vouchers = new Vouchers([new StepFiles(_directory.At(""))], step);
        return vouchers.Find(path, LayerContent.Of(content));
    }

    private void Write(string path, string text)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(_directory.At(path))!);
        File.WriteAllText(_directory.At(path), text);
    }

    private static string Filled(string text) => new StringBuilder(text)
        .Replace("urlSHA256", Convert.ToBase64String(SHA256.HashData(s_file)).TrimEnd('=').Replace('+', '-').Replace('/', '_'))
        .Replace("base64SHA512", Convert.ToBase64String(SHA512.HashData(s_file)))
        .Replace("base64SHA1", Convert.ToBase64String(Sha1))
        .Replace("SHA256SUMS", "\0").Replace("SHA256 (BSD)", "\u0001").Replace("sha256sum", "\u0002")
        .Replace("SHA256", Hex(SHA256.HashData(s_file))).Replace("SHA384", Hex(SHA384.HashData(s_file))).Replace("SHA512",
            Hex(SHA512.HashData(s_file)))
        .Replace("SHA1", Hex(Sha1)).Replace("MD5", Hex(Md5))
        .Replace("\0", "SHA256SUMS").Replace("\u0001", "SHA256 (a.gz)").Replace("\u0002", "sha256sum").ToString();

    private static string Hex(byte[] bytes) => Convert.ToHexStringLower(bytes);

    // As those write them who vouch.
#pragma warning disable RS0030, CA5350, CA5351
    private static byte[] Sha1 => SHA1.HashData(s_file);

    private static byte[] Md5 => MD5.HashData(s_file);
#pragma warning restore RS0030, CA5350, CA5351
}

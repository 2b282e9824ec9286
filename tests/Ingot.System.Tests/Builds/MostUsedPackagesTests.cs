using Ingot.Testing;

namespace Ingot.SystemTests.Builds;

/// <summary>The packages that images have most, installed upon a bootstrapped base that leaves out documentation; what dpkg then says of
/// their files; and what their programs make.</summary>
[Collection("builds of commands")]
public sealed class MostUsedPackagesTests(BuildFixture fixture)
{
    private const int AtATime = 70;

    // Archives, libraries and logs with times of their own; none within another.
    private const string Programs = """
        RUN mkdir -p /out/c && cd /out/c && printf 'cmake_minimum_required(VERSION 3.13)\nproject(a C)\nadd_library(a STATIC a.c)\n' > CMakeLists.txt \
         && echo 'int a(void) { return 1; }' > a.c && cmake -S . -B build && cmake --build build \
         && cd /out && echo 'class A {}' > A.java && javac A.java && jar cf a.jar A.class && zip -r a.zip A.java && tar czf a.tar.gz A.java && tar cf a.tar A.java \
         && tar --format=pax -cf pax.tar A.class && tar czf b.tgz c/a.c && echo 'print(1)' > p.py && python3 -m compileall -q p.py && ar rcU u.a c/build/CMakeFiles/a.dir/a.c.o
        """;

    // A checksum of its own for each, and a signature that is in the file.
    private const string Checks = """
        RUN cd /out && keytool -genkeypair -keyalg RSA -alias k -dname CN=k -storepass changeit -keystore /k.p12 && cp a.jar s.jar && jarsigner -keystore /k.p12 -storepass changeit s.jar k \
         && rm -f /k.p12 && touch A.java && tar czf v.tar.gz A.java && sha256sum v.tar.gz s.jar > SHA256SUMS
        RUN cd /out && sha256sum -c SHA256SUMS && jarsigner -verify s.jar && jar tf a.jar && unzip -tq a.zip && tar tzf a.tar.gz && tar tf pax.tar && java -cp a.jar -version
        """;

    [Fact]
    public async Task TheyInstallAreAsDpkgSaysAndMakeTheSameTwice()
    {
        Assert.SkipUnless(BuildFixture.Missing is null, BuildFixture.Missing ?? "");
        string[] packages = [.. (await File.ReadAllLinesAsync(Path.Combine(Repository.Root, "tests/vectors/bootstrap/most-used.txt")))
            .Where(l => l.Length > 0 && l[0] != '#')];
        Assert.Equal(200, packages.Length);
        string install = "FROM base\nENV DEBIAN_FRONTEND=noninteractive\nRUN apt-get update\n"
            + string.Concat(packages.Chunk(AtATime).Select(some => "RUN apt-get install -y --no-install-recommends -o "
                + $"Dpkg::Options::=--force-unsafe-io {string.Join(' ', some)} && apt-get clean\n"))
            + "RUN dpkg -V > /dpkg-verified || true\nRUN grep -vE ' /usr/share/(doc|man|info|locale|lintian)/' /dpkg-verified | sed "
            + "'s/^/differs: /'; true\n";
        var first = await fixture.BuildAsync($"{install}ARG N=1\n{Programs}\n");
        Assert.Equal([], first.Progress.Lines.Where(l => l.StartsWith("differs: ", StringComparison.Ordinal)));

        var second = await fixture.BuildAsync($"{install}ARG N=2\n{Programs}\n");
        var (made, again) = (first.Image.Config.RootFs.DiffIds[^1], second.Image.Config.RootFs.DiffIds[^1]);
        if (made != again)
            Assert.Equal(await first.ContentsAsync(0), await second.ContentsAsync(0));
        Assert.Equal(made, again);
        await fixture.BuildAsync($"{install}ARG N=1\n{Programs}\n{Checks}\n");
    }
}

using System.Text;
using Ingot.Diagnostics;

namespace Ingot.SystemTests.Builds;

/// <summary>Names of an image, a Dockerfile and a home that a shell would take for commands,
/// were there one between us and a program.</summary>
[Collection("builds of commands")]
public sealed class HostShellTests(BuildFixture fixture) : IDisposable
{
    private readonly string _canary = $"/tmp/ingot-canary-{Environment.ProcessId}-{Guid.NewGuid():N}";

    // A name holds no slash: each leads through directories, and is one path nevertheless.
    private string[] Names =>
    [
        $"x;>{_canary};y", $"x&>{_canary}&y", $"x|>{_canary}|y", $"x`>{_canary}`y", $"x$(>{_canary})y", $"x(>{_canary})y",
        $"x\n>{_canary}\ny", $"x>{_canary}", $"x'>{_canary}'y",
        $"x' >{_canary} 'y", $"x\">{_canary}\"y", $"x\\;>{_canary}\\;y", "x*?[a-z]~#!{a,b}", "-rf", "--", "-t", "x:y,z=w",
        "x,upperdir=/etc", "x\\", "x y\tz", "%s%n",
    ];

    public void Dispose() => File.Delete(_canary);

    [Fact]
    public async Task NoNameInABaseIsACommandOnTheHost()
    {
        Skip();
        string[] names = Names;
        var make = new StringBuilder();
        var mounts = new StringBuilder();
        var reads = new StringBuilder();
        for (int i = 0; i < names.Length; i++)
        {
            make.Append($"mkdir -p -- {Quote("/d/" + names[i])} && echo {i} > {Quote($"/d/{names[i]}/f")} && ln -s -- "
                + $"{Quote("./" + names[i])} /d/link{i}\n");
            mounts.Append($"--mount=type=cache,id={Guid.NewGuid():N},from=odd,source=/d/link{i},target=/c{i} "
                + $"--mount=type=bind,from=odd,source=/d/link{i},target=/b{i} ");
            reads.Append($" /c{i}/f /b{i}/f");
        }

        var built = await fixture.BuildAsync($"FROM base AS odd\nRUN <<'EOF'\n{make}EOF\nFROM base\nRUN {mounts}cat{reads}\n");

        Assert.False(File.Exists(_canary), "a name was run on the host");
        Assert.Equal(Enumerable.Range(0, names.Length).SelectMany(i => new[] { $"{i}", $"{i}" }), built.Progress.Lines);
    }

    [Theory]
    [InlineData("RUN --mount=type=cache,id=U,from=odd,source=/d/§,target=/c cat /c/f")]
    [InlineData("RUN --mount=type=bind,from=odd,source=/d/§,target=/c cat /c/f")]
    [InlineData("RUN --mount=type=bind,from=odd,source=/d,target=/t/§ cat /t/*/tmp/*/f /t/*/tmp/*/*/tmp/*/f 2>/dev/null; echo found")]
    [InlineData("RUN --mount=type=cache,id=§,target=/c echo found")]
    [InlineData("RUN --mount=type=cache,id=U,target=/t/§ echo found")]
    [InlineData("RUN --mount=type=tmpfs,target=/t/§ echo found")]
    [InlineData("RUN --mount=type=secret,id=§,target=/s cat /s")]
    [InlineData("RUN --mount=type=secret,id=known,target=/s/§ cat /s/*/tmp/*")]
    [InlineData("WORKDIR /w/§\nRUN echo found")]
    [InlineData("COPY --from=odd /d/§ /copied/§\nRUN cat /copied/*/tmp/*/f")]
    [InlineData("ENV X=§\nRUN echo found")]
    [InlineData("LABEL x=§\nRUN echo found")]
    [InlineData("RUN [\"/bin/echo\", \"found\", \"§\"]")]
    [InlineData("COPY <<§ /file\nx\n§\nRUN echo found")]
    public async Task NoNameInADockerfileIsACommandOnTheHost(string lines)
    {
        Skip();
        string name = $"x;>{_canary};y";
        string dockerfile = lines.Replace("§", name, StringComparison.Ordinal).Replace("=U,", $"={Guid.NewGuid():N},",
            StringComparison.Ordinal);
        byte[] secret = Encoding.UTF8.GetBytes("found");
        try
        {
            await fixture.BuildAsync(
                $"FROM base AS odd\nRUN mkdir -p '/d/{name}' && echo found > '/d/{name}/f'\nFROM base\n{dockerfile}\n",
                settings => settings with
                {
                    Access = new() { Secrets = new Dictionary<string, ReadOnlyMemory<byte>> { [name] = secret, ["known"] = secret } },
                },
                TestContext.Current.CancellationToken);
        }
        catch (Exception e) when (e is IngotException or InvalidInputException)
        {
            // A name may be refused; it may not be run.
        }

        Assert.False(File.Exists(_canary), "a name was run on the host");
    }

    [Fact]
    public async Task AHomeMayHaveAnyNameThatTheRuntimeTakes()
    {
        Skip();
        string work = Path.Combine(fixture.Directory, "w o'r\"k;>`x`$(y)&|(z)", "-w");
        byte[] secret = Encoding.UTF8.GetBytes("the secret of the home");

        var built = await fixture.BuildAsync(
            "FROM base\nRUN --mount=type=secret,id=s,uid=7,mode=0440 stat -c '%u %g %a %s' /run/secrets/s && ls -A /run/secrets && cat "
                + $"/proc/net/dev | grep -c tap0; : {Guid.NewGuid()}\n",
            settings => settings with
            {
                WorkDirectory = work,
                Access = new() { Secrets = new Dictionary<string, ReadOnlyMemory<byte>> { ["s"] = secret } },
            },
            TestContext.Current.CancellationToken);

        Assert.Equal([$"7 0 440 {secret.Length}", "s", "1"], built.Progress.Lines);
    }

    private static string Quote(string word) => $"'{word.Replace("'", "'\\''", StringComparison.Ordinal)}'";

    private static void Skip() => Assert.SkipUnless(BuildFixture.Missing is null, BuildFixture.Missing ?? "");
}

using System.Net;
using Ingot.Builds.Reproduction;
using Ingot.Oci.Images;

namespace Ingot.SystemTests.Builds;

/// <summary>Every cure that <c>ingot reproduce</c> names, applied to a build that differs: after it the build is the same twice.</summary>
[Collection("builds of commands")]
public sealed class CureTests(BuildFixture fixture)
{
    // What is built twice and differs, and what the cure makes of it.
    private static readonly (string Cure, string Differs, string Cured)[] s_cases =
    [
        ("time", "RUN sleep 1; date '+built %F %T' > /when", "RUN date -d @$SOURCE_DATE_EPOCH '+built %F %T' > /when"),
        ("archive", "RUN sleep 1; mkdir /in && cp /etc/passwd /in && tar c /in | gzip -n > /in.tar.packed",
            "RUN sleep 1; mkdir /in && cp /etc/passwd /in && find /in -exec touch -hd @$SOURCE_DATE_EPOCH {} + && tar c /in | gzip -n "
                + "> /in.tar.packed"),
        ("path", "RUN d=$(mktemp -d) && echo \"made in $d/a\" > /where && rmdir $d",
            "RUN mkdir /tmp/work && echo \"made in /tmp/work/a\" > /where && rmdir /tmp/work"),
        ("order", "RUN seq 1000 | shuf > /list", "RUN seq 1000 | shuf | sort > /list"),
        ("start", "RUN head -c 32 /dev/urandom | base64 > /etc/app.key",
            "CMD [\"sh\", \"-c\", \"head -c 32 /dev/urandom | base64 > /run/app.key; exec app\"]"),
        ("start", "RUN cat /proc/sys/kernel/random/uuid > /etc/app-id",
            "CMD [\"sh\", \"-c\", \"cat /proc/sys/kernel/random/uuid > /run/app-id; exec app\"]"),
        ("start", "RUN mkdir -p /var/lib/mysql && echo \"server-uuid=$(cat /proc/sys/kernel/random/uuid)\" > /var/lib/mysql/auto.cnf",
            "CMD [\"sh\", \"-c\", \"echo server-uuid=$(cat /proc/sys/kernel/random/uuid) > /var/lib/mysql/auto.cnf; exec app\"]"),
        ("password", "RUN useradd web && echo web:secret | chpasswd", "RUN useradd web && echo "
            + "'web:$6$ingot$B3nkNRi6dTnvyqMk3CWtNPW0qyVUbKcNRxYAXvH5mMvJGWMiCsFTRpzSLFLUvBGbGYSlhsRqPTAqNrKLQZRyr1' | chpasswd -e"),
        ("delete", "RUN sleep 1; date > /opt/setup.log", "RUN sleep 1; date > /opt/setup.log && rm /opt/setup.log"),
        ("delete", "RUN mkdir -p /run/app && sh -c 'date +%N > /run/app/app.pid'",
            "RUN mkdir -p /run/app && sh -c 'date +%N > /run/app/app.pid' && rm /run/app/app.pid"),
        ("delete", "RUN date +%N > /var/lib/apt/lists/mirror_Packages",
            "RUN date +%N > /var/lib/apt/lists/mirror_Packages && rm /var/lib/apt/lists/mirror_Packages"),
        ("cache", "RUN mkdir -p /root/.cache/app && date +%N > /root/.cache/app/used",
            "RUN mkdir -p /root/.cache/app && date +%N > /root/.cache/app/used && rm /root/.cache/app/used"),
        ("cache", "RUN mkdir -p /root/.cache/app && date +%N > /root/.cache/app/used",
            "RUN --mount=type=cache,target=/root/.cache/app date +%N > /root/.cache/app/used"),
        ("download", "ADD http://files.example/tool /tool", "COPY tool /tool"),
    ];

    public static TheoryData<string, string, string> Cases => [.. s_cases];

    [Fact]
    public void EveryCureHasACase() => Assert.Equal(Cure.All.Select(c => c.Name).Order(StringComparer.Ordinal),
        s_cases.Select(c => c.Cure).Distinct().Order(StringComparer.Ordinal));

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task ACureThatIsNamedCures(string cure, string differs, string cured)
    {
        Assert.SkipUnless(BuildFixture.Missing is null, BuildFixture.Missing ?? "");
        var difference = Assert.Single((await TwiceAsync(differs)).Differences, d => d.What is not "metadata");
        Assert.Equal(Cure.All.Single(c => c.Name == cure).Text, difference.Cure);
        var comparison = await TwiceAsync(cured);
        Assert.True(comparison.IsEqual, string.Join('\n', comparison.Differences));
    }

    private async Task<ImageComparison> TwiceAsync(string instruction)
    {
        using var http = new HttpClient(new ChangingServer());
        async Task<Image> BuildAsync()
        {
            var built = await fixture.BuildOnBaseAsync(
                $"FROM base\n{instruction}\n", settings => settings with { NoCache = true, Http = http },
                TestContext.Current.CancellationToken, ("tool", "of the repository\n"));
            return await Image.LoadAsync(fixture.Store, built.Image.Digest);
        }

        var (first, second) = (await BuildAsync(), await BuildAsync());
        return await ImageComparer.CompareAsync(fixture.Store, first, fixture.Store, second);
    }

    /// <summary>A server of which no answer is like another.</summary>
    private sealed class ChangingServer : HttpMessageHandler
    {
        private int _asked;

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
            Task.FromResult(new HttpResponseMessage(HttpStatusCode.OK)
            {
                Content = new ByteArrayContent([(byte)'v', (byte)('0' + (++_asked))]),
                RequestMessage = request,
            });
    }
}

using System.Globalization;
using Ingot.Evidence.Claims;
using Ingot.Oci.Images;
using Ingot.Testing;
using Ingot.Tools;

namespace Ingot.SystemTests.Evidence;

/// <summary>Whom runtimes take a <c>User</c> for, asked of them, and whom Ingot takes it for.</summary>
public sealed class AccountPeerTests
{
    private const string Passwd =
        "root:x:0:0:root:/root:/bin/sh\nweb:x:1000:1000:web:/home/web:/bin/sh\nbare\npass:x\nempty::\nletters:x:abc:1::/:\nspace:x: "
        + "5:1::/:\nhex:x:0x5:1::/:\n" +
        "below:x:-4294967296:1::/:\nwide:x:4294967296:1::/:\nhuge:x:99999999999999999999:1::/:\n  lead:x:5:5::/:\ncr:x:6:6::/:\r\n"
        + "short:x:7\nplus:x:+8:8::/:\nzeros:x:0009:9::/:\n" +
        "twice:x:10:10::/:\ntwice:x:0:0::/:\n0:x:11:11::/:\n12:x:0:0::/:\n#hash:x:13:13::/:\n+nis:x:14:14::/:\ntab\t:x:15:15::/:\n"
        + "\u00a0blank:x:16:16::/:\nunder:x:1_0:1::/:\nlast:x:17:17::/:";

    private const string Group = "root:x:0:\nmedia:x:44:web,other\n#c:x:45:web\n  lead:x:46:web\nodd\nbig:x:4294967296:\n"
        + "letters:x:abc:web\nspaced:x:47:other, web\nplus:x:+48:web\n";

    private static readonly string[] s_users =
    [
        "", "root", "web", "bare", "pass", "empty", "letters", "space", "hex", "below", "wide", "huge", "lead", "cr", "short", "plus",
        "zeros", "twice", "0", "12", "1000", "+1000", "01000",
        "-0", "-1", "2147483647", "2147483648", "4294967296", "hash", "#hash", "+nis", "nis", "tab", "tab\t", "blank", "under", "last",
        "nobody", " web", "web ", "web:media", "web:44", "web:odd",
        "web:big", "web:", "web:nobody", "web:-1", ":44", "web:media:x", "99999999999999999999",
    ];

    [Theory]
    [InlineData("docker")]
    [InlineData("podman")]
    public async Task ARuntimeRunsAsWhomIngotSaysAndWhoIsProvedToBeNoRootIsNone(string runtime)
    {
        Assert.SkipUnless(Environment.UserName == "root", "needs root");
        Assert.SkipUnless(
            (await CommandRunner.TryRunAsync(new Command(runtime, "info"), onLine: null, CancellationToken.None)).ExitCode == 0,
            $"needs {runtime}");
        using var root = await BusyboxRoot.CreateAsync();
        Assert.SkipWhen(root is null, "busybox-static cannot be had");
        File.WriteAllText(Path.Combine(root.Location, "etc/passwd"), Passwd);
        File.WriteAllText(Path.Combine(root.Location, "etc/group"), Group);
        using var directory = new TemporaryDirectory();
        string image = $"ingot-accounts-{Environment.ProcessId}";
        await CommandRunner.RunAsync(new Command("tar", "-C", root.Location, "-cf", directory.At("root.tar"), "."));
        await CommandRunner.RunAsync(new Command(runtime, "import", directory.At("root.tar"), image));
        try
        {
            Assert.SkipWhen(await AskAsync(runtime, image, "root") is null, $"{runtime} cannot run a container here");
            List<string> wrong = [];
            foreach (var user in s_users)
                wrong.AddRange(Faults(root, runtime, user, await AskAsync(runtime, image, user)));
            Assert.Equal([], wrong);
        }
        finally
        {
            await CommandRunner.RunAsync(new Command(runtime, "rmi", "-f", image));
        }
    }

    // Docker is what instances run in, so that its answer is ours; of others only that nobody proved to be somebody else is root.
    private static IEnumerable<string> Faults(BusyboxRoot root, string runtime, string user, string? answer)
    {
        string? ours = Text(root.Root.ReadAccounts().Resolve(user, out _));
        // What no system call takes is refused by the runtime later; what has a third part is refused by Ingot.
        bool isRefused = user == "web:media:x" || ours?.StartsWith("4294967295 ", StringComparison.Ordinal) == true;
        if (runtime == "docker" && answer != ours && !isRefused)
            yield return $"'{user}': {runtime} says '{answer ?? "nobody"}', ingot '{ours ?? "nobody"}'";
        var claim = ClaimChecker.Check(root.Root, new ContainerConfig { User = user }, ["non-root"]).Results[0];
        if (claim.Holds && (answer is null || answer.StartsWith("0 ", StringComparison.Ordinal)))
            yield return $"'{user}': {runtime} says '{answer ?? "nobody"}', and it is claimed that {claim.Reason}";
    }

    private static async Task<string?> AskAsync(string runtime, string image, string user)
    {
        var command = new Command(runtime, "run", "--rm", "--network", "none", "--user", user, image, "/bin/cat", "/proc/self/status");
        var outcome = await CommandRunner.TryRunAsync(command, onLine: null, TestContext.Current.CancellationToken);
        return outcome.ExitCode == 0 ? Text(outcome.Output) : null;
    }

    // The kernel's word: "Uid:" and "Gid:" have four numbers each, the first is the real one; "Groups:" has all others,
    // with the first or without.
    private static string Text(string status)
    {
        string group = Numbers(status, "Gid:")[0];
        var further = Numbers(status, "Groups:").Where(g => g != group)
            .Select(g => uint.Parse(g, CultureInfo.InvariantCulture)).Distinct().Order();
        return $"{Numbers(status, "Uid:")[0]} "
            + $"{string.Join(' ', further.Select(g => g.ToString(CultureInfo.InvariantCulture)).Prepend(group))}";
    }

    private static string[] Numbers(string status, string name) =>
        status.Split('\n')
            .Single(line => line.StartsWith(name, StringComparison.Ordinal))[name.Length..]
            .Split(['\t', ' '], StringSplitOptions.RemoveEmptyEntries);

    private static string? Text(ProcessIdentity? identity) => identity is null
        ? null
        : $"{identity.UserId} {string.Join(' ', identity.FurtherGroupIds.Prepend(identity.GroupId))}";
}

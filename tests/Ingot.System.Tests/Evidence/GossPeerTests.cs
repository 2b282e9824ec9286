using System.Text.Json;
using Ingot.Diagnostics;
using Ingot.Evidence;
using Ingot.Evidence.Tests;
using Ingot.Oci.Images;
using Ingot.Testing;

namespace Ingot.SystemTests.Evidence;

/// <summary>goss itself, run in a root filesystem, and we, looking at it from outside, must answer alike.</summary>
public sealed class GossPeerTests
{
    // Each check stands once right and once wrong, and in the forms that goss files use.
    private const string Checks = """
        file:
          /etc/passwd: {exists: true, mode: "0644", owner: root, uid: 0, group: root, gid: 0, filetype: file, size: {gt: 10}, contents: ["/^root:x:0:0/", "!nobody-else"]}
          passwd as wrong: {path: /etc/passwd, exists: true, mode: "0600", owner: daemon, uid: 1, filetype: directory, size: {lt: 10}, contents: [nobody-else]}
          passwd negated: {path: /etc/passwd, exists: true, mode: {not: "0600"}, contents: {and: [{contain-substring: root}, {match-regexp: "(?m)^root"}, {not: {contain-element: x}}]}}
          passwd numbers: {path: /etc/passwd, exists: true, size: {and: [{gt: 1}, {le: 100000}]}, uid: {or: [5, 0]}}
          passwd text: {path: /etc/passwd, exists: true, contents: {have-prefix: "root:x"}}
          passwd length: {path: /etc/passwd, exists: true, contents: {not: {have-len: 3}}}
          /etc/nothing: {exists: false, mode: "0644", contents: [x]}
          nothing as wrong: {path: /etc/nothing, exists: true, mode: "0644"}
          /etc/os-release: {exists: true, filetype: symlink, linked-to: ../usr/lib/os-release, contents: ['ID=debian', 'VERSION_ID="13"']}
          os-release as wrong: {path: /etc/os-release, exists: true, linked-to: /usr/lib/os-release, contents: ["!debian"]}
          /usr/bin/passwd: {exists: true, mode: {match-regexp: "^[46]"}}
          /etc: {exists: true, filetype: directory, linked-to: x, contents: [x]}
          /etc/shadow: {exists: true, group: shadow, contents: ["/^root:/"]}
          patterns: {path: /etc/os-release, exists: true, contents: ["PRETTY", '\!PRETTY', "!/nope/", "/^ID=deb.*$/", "/id=deb/"]}
          empty list: {path: /etc/passwd, exists: true, contents: []}
          empty text: {path: /etc/passwd, exists: true, contents: ""}
          ~root/.profile: {exists: true}
          skipped: {path: /etc/passwd, exists: false, skip: true}
          sums: {path: /etc/debian_version, exists: true, md5: 0, sha256: {have-len: 64}, sha512: {have-len: 128}}
        package:
          bash: {installed: true, versions: {contain-element: {have-prefix: "5."}}}
          cosign: {installed: true, versions: ["0"]}
          nginx: {installed: false}
          nginx as wrong: {name: nginx, installed: true, versions: ["1"]}
          dpkg: {installed: {not: false}, versions: {have-len: 1}}
        user:
          root: {exists: true, uid: 0, gid: 0, home: /root, shell: /bin/bash, groups: [root]}
          daemon: {exists: true, uid: "1", groups: {consist-of: [daemon]}, shell: {have-suffix: nologin}}
          root as wrong: {username: root, exists: true, uid: 1, home: /, shell: /bin/sh, groups: [wheel]}
          ghost: {exists: false, uid: 1}
          ghost as wrong: {username: ghost, exists: true}
        group:
          root: {exists: true, gid: 0}
          shadow: {exists: true, gid: {gt: 0}}
          ghost: {exists: false}
          root as wrong: {groupname: root, exists: true, gid: 7}
        """;

    [Fact]
    public async Task WeAnswerAsGossDoes()
    {
        string peers = await BootstrappedRoot.PeersAsync();
        string file = $"/tmp/{Guid.NewGuid():N}.yaml";
        await File.WriteAllTextAsync(peers + file, Checks, TestContext.Current.CancellationToken);
        try
        {
            var theirs =
                Read((await BootstrappedRoot.RunAsync(peers, "sh", "-c", $"goss -g {file} validate --format json 2>/dev/null")).Output);
            Assert.True(theirs.Count > 80);
            Assert.Equal(theirs.Order(StringComparer.Ordinal), (await OursAsync(peers)).Order(StringComparer.Ordinal));
        }
        finally
        {
            File.Delete(peers + file);
        }
    }

    // goss's 'matching' holds any value against any matcher: the vectors of ours are facts about it.
    [Fact]
    public async Task OurMatcherVectorsHoldForGoss()
    {
        string peers = await BootstrappedRoot.PeersAsync();
        var vectors = File.ReadAllLines(Repository.Vector("goss", "match.txt")).Where(l => !l.StartsWith('#')).Select(l => l.Split('\t'))
            .Where(v => v.Length == 3).ToList();
        string file = $"/tmp/{Guid.NewGuid():N}.yaml";
        await File.WriteAllLinesAsync(
            peers + file,
            ["matching:", .. vectors.Select((v, i) => $"  case{i}: {{content: {v[0]}, matches: {v[1]}}}")],
            TestContext.Current.CancellationToken);
        try
        {
            var results = JsonElement.Parse((await BootstrappedRoot.RunAsync(peers, "sh", "-c",
                $"goss -g {file} validate --format json 2>/dev/null")).Output).GetProperty("results").EnumerateArray()
                .ToDictionary(r => r.GetProperty("resource-id").GetString()!, r => r.GetProperty("result").GetInt32());
            Assert.Equal(vectors.Count, results.Count);
            Assert.Equal([], vectors.Where((v, i) => (v[2] == "pass") != (results[$"case{i}"] == 0)).Select(v => string.Join(" ; ", v)));
        }
        finally
        {
            File.Delete(peers + file);
        }
    }

    private static List<string> Read(string json) => [.. JsonElement.Parse(json).GetProperty("results").EnumerateArray()
        .Select(r => Line(r.GetProperty("resource-type").GetString()!, r.GetProperty("resource-id").GetString()!,
            r.GetProperty("property").GetString()!, r.GetProperty("result").GetInt32()))];

    private static async Task<List<string>> OursAsync(string root)
    {
        var diagnostics = new DiagnosticBag();
        var goss = GossFile.Parse(new SourceText("goss.yaml", Checks), diagnostics);
        Assert.False(diagnostics.HasErrors, string.Join('\n', diagnostics));
        using var image = new ImageRoot(root);
        var report = await GossRunner.RunAsync(image, new ContainerConfig(), [goss],
            new SandboxOptions("/nonexistent", TimeProvider.System), TestContext.Current.CancellationToken);
        return [.. report.Results.Select(r => Line(r.ResourceType.ToString(), r.ResourceId, r.Property, (int)r.Outcome))];
    }

    // goss puts the name behind the key where they differ, and has two properties of its own spelling.
    private static string Line(string type, string id, string property, int result)
    {
        int colon = id.IndexOf(": ", StringComparison.Ordinal);
        string outcome = result switch { 0 => "pass", 1 => "fail", 2 => "skip", _ => "unknown" };
        string asked = property.Replace("linkedto", "linked-to", StringComparison.Ordinal)
            .Replace("versions", "version", StringComparison.Ordinal);
        return $"{type.ToLowerInvariant()} {(colon < 0 ? id : id[..colon])} {asked} {outcome}";
    }
}

using System.Text;
using Ingot.Tools;

namespace Ingot.Tests.Tools;

public sealed class CommandTextTests
{
    [Fact]
    public void AnOverlayIsSelfContained() => Assert.Equal(
        "lowerdir=l0:l1:points,index=off,metacopy=off,redirect_dir=off,upperdir=upper,workdir=work",
        Mounts.OptionsOf(new OverlayMount(["l0", "l1", "points"], "upper", "work", "root")));

    [Theory]
    [InlineData("l0:/etc", "u", "w")]
    [InlineData("l0,upperdir=/etc", "u", "w")]
    [InlineData("l0\\", "u", "w")]
    [InlineData("l0", "u,workdir=/etc", "w")]
    [InlineData("l0", "u", "w,index=on")]
    public void APathThatWouldSayMoreThanAPathIsNoneOfAnOverlay(string lower, string upper, string work) =>
        Assert.Throws<ToolException>(() => Mounts.OptionsOf(new OverlayMount(["l", lower], upper, work, "root")));

    [Fact]
    public void MoreThanThePageTheKernelTakesIsRefusedInWords() =>
        Assert.Throws<ToolException>(() =>
            Mounts.OptionsOf(new OverlayMount([.. Enumerable.Range(0, 2000).Select(i => $"l{i}")], "u", "w", "root")));

    [Fact]
    public void ASecretIsNoTextOfWhatIsMadeReady() =>
        Assert.DoesNotContain("hunter2", new NewFile("secrets/0", Encoding.UTF8.GetBytes("hunter2"), 256).ToString(),
            StringComparison.Ordinal);

    [Fact]
    public void ATiedCommandIsTheFirstProcessOfItsNamespace() => Assert.Equal(
        "setpriv --pdeathsig KILL -- unshare --pid --mount --fork --kill-child=KILL --mount-proc -- sleep 10",
        Tether.Tie(new Command("sleep", "10")).ToString());

    [Fact]
    public void RuncKeepsItsStateApart() =>
        Assert.Equal("runc --root /w/runc run --bundle /w/b id", new Runc("/w/runc").Run("/w/b", "id").ToString());

    [Fact]
    public void ABootstrapNamesEverythingThatCouldVary()
    {
        var command = Mmdebstrap.Bootstrap("bookworm", ["curl", "tzdata"], "http://mirror/debian", "/w/root", 315532800);
        Assert.Equal("315532800", command.Environment["SOURCE_DATE_EPOCH"]);
        Assert.StartsWith("mmdebstrap --mode=root --variant=minbase --format=directory --skip=output/dev --include=curl,tzdata ",
            command.ToString(), StringComparison.Ordinal);
        Assert.EndsWith(" bookworm /w/root http://mirror/debian", command.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("--include", Mmdebstrap.Bootstrap("bookworm", [], null, "/w/root", 0).ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void MountsBelowADirectoryComeDeepestFirst()
    {
        string[] info =
        [
            "22 1 8:1 / / rw - ext4 /dev/vda rw",
            "30 22 0:5 / /work/a rw - overlay overlay rw",
            "31 30 0:6 / /work/a/with\\040blank\\134 rw - tmpfs tmpfs rw",
            "32 22 0:7 / /work/ab rw - tmpfs tmpfs rw",
        ];
        Assert.Equal(["/work/a/with blank\\", "/work/a"], Mounts.Below(info, "/work/a"));
    }

    [Fact]
    public void AContainerHasDockersCapabilitiesAndNoLimitsOfItsOwn()
    {
        var spec = RuntimeSpec.Container("root", new RuntimeProcess { Arguments = ["true"], Environment = [] }, hostNetwork: true);
        string json = Encoding.UTF8.GetString(spec.ToJson());
        Assert.DoesNotContain("rlimits", json, StringComparison.Ordinal);
        Assert.DoesNotContain("\"network\"", json, StringComparison.Ordinal);
        Assert.DoesNotContain("ambient", json, StringComparison.Ordinal);
        Assert.DoesNotContain("CAP_SYS_ADMIN", json, StringComparison.Ordinal);
        Assert.Equal(14, spec.Process.Capabilities.Bounding.Count);
        Assert.Contains("\"hostname\": \"ingot\"", json, StringComparison.Ordinal);
        Assert.Contains("\"network\"", Encoding.UTF8.GetString(RuntimeSpec.Container("root", spec.Process, hostNetwork: false).ToJson()),
            StringComparison.Ordinal);
    }
}

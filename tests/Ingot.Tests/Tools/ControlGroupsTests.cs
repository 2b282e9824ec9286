using Ingot.Tools;

namespace Ingot.Tests.Tools;

public sealed class ControlGroupsTests
{
    [Fact]
    public void GroupsLieBelowOnesOwnInEachHierarchyAndBesideItInVersion2()
    {
        string[] mounts =
        [
            "25 20 0:22 / /proc rw - proc proc rw",
            "30 25 0:26 / /sys/fs/cgroup ro,nosuid - tmpfs tmpfs ro,mode=755",
            "31 30 0:27 / /sys/fs/cgroup/unified rw shared:9 - cgroup2 cgroup2 rw,nsdelegate",
            "32 30 0:28 / /sys/fs/cgroup/pids rw shared:10 - cgroup cgroup rw,pids",
            "33 30 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct",
            "34 30 0:30 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd",
            "35 30 0:31 / /sys/fs/cgroup/freezer rw - cgroup cgroup rw,freezer",
        ];
        string[] own =
            ["5:cpu,cpuacct:/user.slice", "4:pids:/", "1:name=systemd:/user.slice/session-1.scope", "0::/user.slice/session-1.scope"];

        Assert.Equal(
            ["/sys/fs/cgroup/unified/user.slice/session-1.scope", "/sys/fs/cgroup/unified/user.slice", "/sys/fs/cgroup/pids",
                "/sys/fs/cgroup/cpu,cpuacct/user.slice", "/sys/fs/cgroup/systemd/user.slice/session-1.scope"],
            ControlGroups.Places(mounts, own));
    }

    [Theory]
    [InlineData("")]
    [InlineData("nothing of sense")]
    [InlineData("31 30 0:27 / /sys/fs/cgroup rw -")]
    [InlineData("31 30 0:27 / /sys/fs/cgroup rw - cgroup2")]
    [InlineData("31 30 0:27 / /sys/fs/cgroup rw - cgroup cgroup rw,unknown")]
    public void LinesThatSayNothingLeadNowhere(string line) => Assert.Empty(ControlGroups.Places([line], ["broken", "4:pids:/"]));
}

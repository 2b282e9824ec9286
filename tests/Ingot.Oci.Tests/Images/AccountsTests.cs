using System.Text;
using Ingot.Oci.Images;

namespace Ingot.Oci.Tests.Images;

public sealed class AccountsTests
{
    private const string Passwd =
        "root:x:0:0:root:/root:/bin/bash\nweb:x:10001:20001:web:/home/web:/bin/sh\n7:x:1007:1007::/seven:\n# comment\nbroken:x\n";
    private const string Group = "root:x:0:\nweb:x:20001:\naudio:x:29:web,other\nvideo:x:44:other,web\nodd\n#web:x:99:web\n";

    [Theory]
    [InlineData("", "0:0  /root")]
    [InlineData("root", "0:0  /root")]
    [InlineData("web", "10001:20001 29,44 /home/web")]
    [InlineData("10001", "10001:20001 29,44 /home/web")]
    [InlineData("+10001", "10001:20001 29,44 /home/web")]
    [InlineData("0010001", "10001:20001 29,44 /home/web")]
    [InlineData("web:", "10001:20001 29,44 /home/web")]
    [InlineData("web:audio", "10001:29  /home/web")]
    [InlineData("web:odd", "10001:0  /home/web")]
    [InlineData("web:5", "10001:5  /home/web")]
    [InlineData(":5", "0:5  /root")]
    [InlineData("12345", "12345:0  /")]
    [InlineData("12345:web", "12345:20001  /")]
    [InlineData("12345:6", "12345:6  /")]
    [InlineData("7", "7:0  /")]
    [InlineData("-0", "0:0  /root")]
    [InlineData("broken", "0:0  /")]
    [InlineData("# comment", "0:0  /")]
    public void NamesAndNumbersAreTheImages(string user, string expected) => Assert.Equal(expected, Text(Passwd, Group, user));

    [Theory]
    [InlineData("nobody", "user 'nobody'")]
    [InlineData("web:nobody", "group 'nobody'")]
    [InlineData(" web", "user ' web'")]
    [InlineData("-1", "user '-1'")]
    [InlineData("2147483648", "user '2147483648'")]
    [InlineData("4294967295", "user '4294967295'")]
    [InlineData("99999999999999999999", "user '99999999999999999999'")]
    [InlineData("0:4294967295", "group '4294967295'")]
    [InlineData("web:audio:x", "group 'audio:x'")]
    [InlineData("1 0", "user '1 0'")]
    [InlineData("1\0", "user '1\0'")]
    public void WhatIsNotThereIsNamed(string user, string unknown)
    {
        Assert.Null(Parse(Passwd, Group).Resolve(user, out var said));
        Assert.Equal(unknown, said);
    }

    [Theory]
    [InlineData("web", "0")]
    [InlineData("web:x", "0")]
    [InlineData("web::", "0")]
    [InlineData("web:x:abc:1::/:", "0")]
    [InlineData("web:x: 5:1::/:", "0")]
    [InlineData("web:x:5 :1::/:", "0")]
    [InlineData("web:x:0x5:1::/:", "0")]
    [InlineData("web:x:1_000:1::/:", "0")]
    [InlineData("web:x:5\0:1::/:", "0")]
    [InlineData("web:x:-0:1::/:", "0")]
    [InlineData("web:x:4294967296:1::/:", "0")]
    [InlineData("web:x:-4294967296:1::/:", "0")]
    [InlineData("web:x:99999999999999999999:1::/:", "4294967295")]
    [InlineData("web:x:-99999999999999999999:1::/:", "0")]
    [InlineData("  \tweb:x:5:1::/:  ", "5")]
    [InlineData("\u00a0web:x:5:1::/:", "5")]
    [InlineData("web:x:5:1::/:\r", "5")]
    [InlineData("web:x:5\r", "5")]
    [InlineData("web:x:5\r:1", "0")]
    [InlineData("web:x:5", "5")]
    [InlineData("web:x:+5:1::/:", "5")]
    [InlineData("web:x:0005:1::/:", "5")]
    [InlineData("web:x:7:1::/:\nweb:x:0:0::/:", "7")]
    [InlineData("web:x:0:0::/:\nweb:x:7:1::/:", "0")]
    [InlineData("#web:x:0:0::/:\nweb:x:7:1::/:", "7")]
    [InlineData("+web:x:7:1::/:", null)]
    [InlineData("web :x:7:1::/:", null)]
    [InlineData("Web:x:7:1::/:", null)]
    [InlineData("web\u0000:x:7:1::/:", null)]
    public void ALineIsReadAsTheRuntimesReadIt(string line, string? userId) =>
        Assert.Equal(userId, Parse(line, "").Resolve("web", out _)?.UserId.ToString(System.Globalization.CultureInfo.InvariantCulture));

    [Fact]
    public void WithALineThatTheRuntimesGiveUpAtNobodyIsAnybody()
    {
        string passwd = "web:x:5:5::/:\nlong:x:6:6:" + new string('x', 64 << 10) + ":/:\n";
        Assert.Null(Parse(passwd, "").Resolve("web", out _));
        Assert.Null(Parse(passwd, "").Resolve("5", out _));
    }

    [Fact]
    public void NamesThatAreNoTextAreNotTakenForEachOther()
    {
        byte[] passwd = [.. "w"u8, 0xff, .. ":x:0:0::/:\nw"u8, 0xfe, .. ":x:5:5::/:\n"u8];
        Assert.Null(Accounts.Parse(passwd, default).Resolve("w\ufffd", out _));
    }

    [Fact]
    public void AnImageWithoutAccountsHasNumbersAndRoot()
    {
        Assert.Equal(0u, Accounts.None.Resolve("", out _)!.UserId);
        Assert.Equal(10u, Accounts.None.Resolve("10:20", out _)!.UserId);
        Assert.Null(Accounts.None.Resolve("root", out _));
    }

    [Theory]
    [InlineData("5", "5:5")]
    [InlineData("web", "10001:20001")]
    [InlineData("web:", "10001:0")]
    [InlineData("web:audio", "10001:29")]
    [InlineData(":audio", "0:29")]
    [InlineData("nobody", "user 'nobody'")]
    [InlineData("web:nobody", "group 'nobody'")]
    public void AnOwnerThatIsANumberIsInTheGroupOfThatNumber(string text, string expected)
    {
        var owner = Parse(Passwd, Group).FindOwner(text, out var unknown);
        Assert.Equal(expected, owner is { } found ? $"{found.UserId}:{found.GroupId}" : unknown);
    }

    private static Accounts Parse(string passwd, string group) =>
        Accounts.Parse(Encoding.UTF8.GetBytes(passwd), Encoding.UTF8.GetBytes(group));

    private static string Text(string passwd, string group, string user)
    {
        var identity = Parse(passwd, group).Resolve(user, out _)!;
        return $"{identity.UserId}:{identity.GroupId} {string.Join(',', identity.FurtherGroupIds)} {identity.Home}";
    }
}

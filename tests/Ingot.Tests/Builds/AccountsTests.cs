using Ingot.Builds;

namespace Ingot.Tests.Builds;

public sealed class AccountsTests
{
    private const string Passwd = "root:x:0:0:root:/root:/bin/bash\nweb:x:10001:20001:web:/home/web:/bin/sh\n7:x:1007:1007::/seven:\n# comment\nbroken:x\n";
    private const string Group = "root:x:0:\nweb:x:20001:\naudio:x:29:web,other\nvideo:x:44:other,web\nodd\n";

    [Theory]
    [InlineData("", "0:0  /root")]
    [InlineData("root", "0:0  /root")]
    [InlineData("web", "10001:20001 29,44 /home/web")]
    [InlineData("10001", "10001:20001 29,44 /home/web")]
    [InlineData("web:audio", "10001:29  /home/web")]
    [InlineData("web:5", "10001:5  /home/web")]
    [InlineData("12345", "12345:0  /")]
    [InlineData("12345:web", "12345:20001  /")]
    [InlineData("12345:6", "12345:6  /")]
    [InlineData("7", "1007:1007  /seven")]
    public void NamesAndNumbersAreTheImages(string user, string expected)
    {
        var account = new Accounts(Passwd, Group).Find(user, out _)!;
        Assert.Equal(expected, $"{account.UserId}:{account.GroupId} {string.Join(',', account.OtherGroups)} {account.Home}");
    }

    [Theory]
    [InlineData("nobody", "user 'nobody'")]
    [InlineData("web:nobody", "group 'nobody'")]
    [InlineData("broken", "user 'broken'")]
    [InlineData("-1", "user '-1'")]
    [InlineData("4294967295", "user '4294967295'")]
    [InlineData("99999999999", "user '99999999999'")]
    [InlineData("0:4294967295", "group '4294967295'")]
    [InlineData("web:audio:x", "group 'audio:x'")]
    public void WhatIsNotThereIsNamed(string user, string unknown)
    {
        Assert.Null(new Accounts(Passwd, Group).Find(user, out var said));
        Assert.Equal(unknown, said);
    }

    [Fact]
    public void AnImageWithoutAccountsHasNumbersAndRoot()
    {
        var accounts = new Accounts("", "");
        Assert.Equal(0u, accounts.Find("", out _)!.UserId);
        Assert.Equal(10u, accounts.Find("10:20", out _)!.UserId);
        Assert.Null(accounts.Find("root", out _));
    }
}

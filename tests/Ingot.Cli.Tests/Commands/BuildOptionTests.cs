using Ingot.Cli.Commands;
using Ingot.Cli.Pipeline;
using Ingot.Diagnostics;
using Ingot.Plans;
using Ingot.Projects;

namespace Ingot.Cli.Tests.Commands;

public sealed class BuildOptionTests
{
    [Theory]
    [InlineData("./lib", "/home/ann/shop/web/lib")]
    [InlineData("../lib", "/home/ann/shop/lib")]
    [InlineData("/srv/lib", "/srv/lib")]
    [InlineData("oci-layout://lib", "oci-layout:///home/ann/shop/web/lib")]
    [InlineData("docker-image://debian:12", "docker-image://debian:12")]
    [InlineData("https://git.example/lib.git", "https://git.example/lib.git")]
    public void ANamedContextIsMeantWhereItWasSaidAndNotWhereTheProjectIs(string said, string expected)
    {
        var options = new BuildOptions { Plan = new PlanOptions { Contexts = new Dictionary<string, string> { ["lib"] = said } } };
        Assert.Equal(expected, BuildSubject.Resolved(options, "/home/ann/shop/web", "/home/ann/shop").Plan.Contexts["LIB"]);
        Assert.Same(options, BuildSubject.Resolved(options, "/home/ann/shop", "/home/ann/shop"));
    }

    [Theory]
    [InlineData("'Web' is not a name for an image", "build", "-t", "Web")]
    [InlineData("is not a name for an image", "build", "-t", "web@sha256:0000000000000000000000000000000000000000000000000000000000000000")]
    [InlineData("is not a name for an image", "build", "-t", "")]
    [InlineData("'plan' is not a way to show progress", "build", "--progress", "plan")]
    [InlineData("'--progress tty' needs a terminal", "build", "--progress", "tty")]
    [InlineData("'hots' is not a network", "build", "--network", "hots")]
    [InlineData("'x' is not a name with an address", "build", "--add-host", "x")]
    [InlineData("is not a name with an address", "build", "--add-host", "x:1.2.3.4\n6.6.6.6 registry")]
    [InlineData("is not a name with an address", "build", "--add-host", "x y:1.2.3.4")]
    [InlineData("is not a name with an address", "build", "--add-host", "x:fe80::1%eth0")]
    [InlineData("steps do not reach the host", "build", "--add-host", "x:host-gateway")]
    [InlineData("'much' is not a size", "build", "--shm-size", "much")]
    [InlineData("'0' is not a size", "build", "--shm-size", "0")]
    [InlineData("is not a size", "build", "--shm-size", "9999999999g")]
    [InlineData("'files=1' is not a limit", "build", "--ulimit", "files=1")]
    [InlineData("'nofile=2:1' is not a limit", "build", "--ulimit", "nofile=2:1")]
    [InlineData("'nofile=-2' is not a limit", "build", "--ulimit", "nofile=-2")]
    [InlineData("'x/' is not a platform", "build", "--platform", "linux/amd64,x/")]
    [InlineData("'x' is not an annotation", "build", "--annotation", "x")]
    [InlineData("'--locked' and '--pull' contradict", "build", "--locked", "--pull")]
    [InlineData("runs images for one platform", "up", "--platform", "linux/amd64,linux/arm64")]
    [InlineData("it is neither a way to print data nor a form of an image", "build", "--output", "jsn")]
    [InlineData("it has no destination", "build", "--output", "type=tar")]
    [InlineData("it has no field 'dst'", "build", "--output", "type=tar,dst=x")]
    [InlineData("there is no type 'registry'", "build", "--output", "type=registry,dest=x")]
    [InlineData("a directory cannot be written to standard output", "build", "--output", "type=local,dest=-")]
    [InlineData("two archives cannot both", "build", "--output", "-", "--output", "type=oci,dest=-")]
    [InlineData("standard output cannot take an archive and JSON", "build", "--output", "-", "--output", "json")]
    [InlineData("does not say whether it is exempt", "build", "--secret", "id=HOME,env=HOME,exempt=maybe")]
    public async Task WhatCannotBeMeantIsSaid(string said, params string[] arguments)
    {
        var run = await ProgramRun.Of(arguments);
        Assert.Equal(2, run.ExitCode);
        Assert.Contains(said, run.Error + run.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("type=local,dest=out", "local", "/work/out")]
    [InlineData("dest=/x/y.tar,type=docker", "docker", "/x/y.tar")]
    [InlineData("-", "tar", "-")]
    [InlineData("type=oci,dest=-", "oci", "-")]
    [InlineData("./out", "local", "/work/out")]
    [InlineData(".", "local", "/work")]
    public void AnOutputIsAFormAndAPlace(string text, string type, string destination) =>
        Assert.Equal(new BuildExport(type, destination), BuildExport.Parse(text, "/work"));

    [Fact]
    public void OnlyTheSecretsThatAreSaidToBeAreExempt()
    {
        string[] options = ["id=a,env=HOME,exempt", "id=b,env=HOME", "id=c,env=HOME,exempt=true", "id=d,exempt=false,env=HOME", "exempt"];
        Assert.Equal(["a", "c"], BuildSecrets.ReadExempt(options));
    }

    [Theory]
    [InlineData("id=a,exempt,exempt=true")]
    [InlineData("id=a,exemt=true")]
    public void AnExemptionThatIsNoneIsSaid(string option) => Assert.Throws<InvalidInputException>(() => BuildSecrets.ReadExempt([option]));
}

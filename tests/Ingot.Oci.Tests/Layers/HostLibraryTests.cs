using Ingot.Oci.Content;
using Ingot.Oci.Layers.Compression;

namespace Ingot.Oci.Tests.Layers;

public sealed class HostLibraryTests
{
    [Fact]
    public void AMissingLibraryIsNamedWithTheCommandThatInstallsIt()
    {
        var e = Assert.Throws<LayerException>(() => HostLibrary.Use<int>("libzstd1", () => throw new DllNotFoundException("libzstd.so.1")));
        Assert.Equal("the library of the package 'libzstd1' is missing: install it with 'apt-get install libzstd1'", e.Message);
        Assert.IsType<DllNotFoundException>(e.InnerException);
    }

    [Fact]
    public void WhatElseFailsStaysWhatItIs() =>
        Assert.Throws<InvalidOperationException>(() => HostLibrary.Use<int>("libzstd1", () => throw new InvalidOperationException()));
}

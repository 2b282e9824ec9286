using FsCheck;
using FsCheck.Fluent;
using Ingot.Builds.Normalisation.Formats;
using Ingot.Oci.Layers;
using Ingot.Testing;
using Ingot.Tools;

namespace Ingot.Tests.Builds.Normalisation.Formats;

public sealed class BytecodeReferencesTests
{
    // Python 3.11's number, and then: a tuple of a marked string that is never referred to, a marked one that is, and the reference.
    private static readonly byte[] s_module = [0xA7, 0x0D, 0x0D, 0x0A, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, (byte)')', 3, 0xFA, 1, (byte)'a',
        0xFA, 1, (byte)'b', (byte)'r', 1, 0, 0, 0];

    [Fact]
    public void AMarkThatNothingRefersToIsTakenAwayAndTheOthersAreNumberedAnew()
    {
        byte[] after = Apply(s_module);
        Assert.Equal([(byte)')', 3, 0x7A, 1, (byte)'a', 0xFA, 1, (byte)'b', (byte)'r', 0, 0, 0, 0], after[16..]);
        Assert.Empty(BytecodeReferences.Find(LayerContent.Of(after)));
    }

    [Theory]
    [InlineData(0x0A, 0x0D)] // Python 3.1
    [InlineData(0xFF, 0x0F)] // one of the future
    public void AnotherVersionStays(byte low, byte high) =>
        Assert.Empty(BytecodeReferences.Find(LayerContent.Of([low, high, .. s_module[2..]])));

    [Fact]
    public void AReferenceToWhatIsNotThereYetIsNoModule()
    {
        byte[] broken = [.. s_module];
        broken[25] = 2;
        Assert.Empty(BytecodeReferences.Find(LayerContent.Of(broken)));
    }

    [Fact]
    public void TuplesInTuplesWithoutEndAreNoReasonToFail() =>
        Assert.Empty(BytecodeReferences.Find(
            LayerContent.Of([.. s_module[..16], .. Enumerable.Repeat(new[] { (byte)')', (byte)1 }, 200_000).SelectMany(b => b)])));

    [Fact]
    public void AnyBytesAreNoReasonToFail() => Prop.ForAll(ArbMap.Default.ArbFor<byte[]>(), bytes =>
    {
        byte[] module = [.. s_module[..16], .. bytes ?? []];
        Assert.All(BytecodeReferences.Find(LayerContent.Of(module)), p => Assert.InRange(p.Offset, 16, module.Length - p.Bytes.Length));
    }).Holds();

    [Fact]
    public async Task ModulesWhoseObjectsSomethingElseReferredToBecomeOneAndStillRun()
    {
        Assert.SkipUnless(File.Exists("/usr/bin/python3"), "needs python3: apt-get install python3-minimal");
        using var directory = new TemporaryDirectory();
        string source = directory.At("module.py");
        await File.WriteAllTextAsync(source, "def f(first, second=('x', 'unheard_of', 2.5, 1 << 70)):\n    unheard_of = {'second': first, "
            + "'k': [second, b'bytes', 3j]}\n    return unheard_of\n\ndef g(a):\n    return a.only_here\n\nclass C:\n"
            + "    unheard_of = frozenset({'p', 'q'})\n");
        byte[] first = await CompileAsync(source, directory.At("1.pyc"), "held = []");
        byte[] second = await CompileAsync(source, directory.At("2.pyc"),
            "held = [c for c in code.co_consts] + [list(getattr(c, 'co_consts', ())) for c in code.co_consts]");
        Assert.NotEqual(first, second);
        Assert.Equal(Apply(first), Apply(second));

        await File.WriteAllBytesAsync(directory.At("3.pyc"), Apply(second));
        var run = await CommandRunner.RunAsync(new Command("/usr/bin/python3", "-c",
            $"import importlib.util as u; s = u.spec_from_file_location('m', '{directory.At("3.pyc")}'); m = u.module_from_spec(s); "
                + "s.loader.exec_module(m); print(m.f(1), sorted(m.C.unheard_of))"));
        Assert.Equal("{'second': 1, 'k': [('x', 'unheard_of', 2.5, 1180591620717411303424), b'bytes', 3j]} ['p', 'q']\n", run);
    }

    private static async Task<byte[]> CompileAsync(string source, string target, string between)
    {
        string program = $"""
            import marshal, importlib.util
            code = compile(open('{source}').read(), 'module.py', 'exec')
            {between}
            open('{target}', 'wb').write(importlib.util.MAGIC_NUMBER + bytes(12) + marshal.dumps(code))
            """;
        await CommandRunner.RunAsync(new Command("/usr/bin/python3", "-c", program)
        {
            Environment = new Dictionary<string, string> { ["PYTHONHASHSEED"] = "0" },
        });
        return await File.ReadAllBytesAsync(target);
    }

    private static byte[] Apply(byte[] module)
    {
        byte[] patched = [.. module];
        foreach (var patch in BytecodeReferences.Find(LayerContent.Of(module)))
            patch.Bytes.CopyTo(patched, patch.Offset);
        return patched;
    }
}

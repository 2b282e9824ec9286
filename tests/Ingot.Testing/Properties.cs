using System.Globalization;
using FsCheck;
using FsCheck.Fluent;

namespace Ingot.Testing;

/// <summary>How properties are checked. In the gate on the same values every time, so that it fails for a change and for nothing else;
/// with <c>INGOT_PROPERTIES=N</c> on new ones, N times as many.</summary>
public static class Properties
{
    private const ulong Seed = 11_400_714_819_323_198_485;
    private const ulong Gamma = 13_787_848_793_156_543_929;

    private static readonly int s_times = int.Parse(Environment.GetEnvironmentVariable("INGOT_PROPERTIES") ?? "0",
        CultureInfo.InvariantCulture);

    /// <summary>Whether values are new in every run.</summary>
    public static bool AreNew => s_times > 0;

    /// <summary>Fails with the values for which <paramref name="property"/> is false, and with what replays them.</summary>
    /// <param name="property">What is to be true.</param>
    /// <param name="tests">For how many values.</param>
    public static void Holds(this Property property, int tests = 100)
    {
        var config = Config.QuickThrowOnFailure.WithMaxTest(AreNew ? tests * s_times : tests);
        property.Check(AreNew ? config : config.WithReplay(Seed, Gamma));
    }
}

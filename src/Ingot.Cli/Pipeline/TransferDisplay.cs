using System.Diagnostics;
using Ingot.Cli.Output;
using Ingot.Oci.Content;
using Ingot.Oci.Registries;
using Ingot.Projects;

namespace Ingot.Cli.Pipeline;

/// <summary>Shows how an image is moved: on a terminal bytes and rate while it goes, and one line at the end.</summary>
internal sealed class TransferDisplay : ITransferWatch
{
    private static readonly TimeSpan s_pace = TimeSpan.FromMilliseconds(250);

    private readonly Terminal _terminal;
    private readonly string _verb;
    private readonly string _name;
    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private readonly Timer _timer;
    private long _bytes;
    private int _moved;
    private int _known;
    private bool _ended;

    public TransferDisplay(Terminal terminal, string verb, string name)
    {
        _terminal = terminal;
        _verb = verb;
        _name = name;
        _timer = new Timer(_ => Refresh(), null, s_pace, s_pace);
    }

    /// <summary>The options by which a transfer tells this.</summary>
    public TransferOptions Options => new() { Progress = this, Bytes = this };

    /// <summary>Bytes that went over the network.</summary>
    public long Bytes => Interlocked.Read(ref _bytes);

    /// <summary>Blobs and manifests that were moved.</summary>
    public int Moved => _moved;

    /// <summary>Blobs and manifests that the other side had.</summary>
    public int Known => _known;

    public double Seconds => Math.Round(_clock.Elapsed.TotalSeconds, 3);

    public void Report(int value) => Interlocked.Add(ref _bytes, value);

    public void Report(TransferProgress value) => Interlocked.Increment(ref value.Moved ? ref _moved : ref _known);

    public void Dispose()
    {
        if (_ended)
            return;

        _ended = true;
        _timer.Dispose();
        _terminal.Status(null);
        if (_moved + _known > 0)
            _terminal.Progress($"{_verb,-8} {_name}: {BuildDisplay.Bytes(Bytes)} in {_clock.Elapsed.TotalSeconds:0.0} s, "
                + $"{_moved} of {_moved + _known} parts moved");
    }

    private void Refresh()
    {
        double seconds = Math.Max(0.001, _clock.Elapsed.TotalSeconds);
        _terminal.Status($"{_verb} {_name} {BuildDisplay.Bytes(Bytes)}, {BuildDisplay.Bytes((long)(Bytes / seconds))}/s");
    }
}

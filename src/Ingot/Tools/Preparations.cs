using Ingot.Oci.Linux;

namespace Ingot.Tools;

/// <summary>What was made ready for one program, on its thread: see <see cref="Preparation"/>.</summary>
internal sealed class Preparations : IDisposable
{
    private readonly List<SlirpProcess> _carriers = [];

    private Preparations()
    {
    }

    /// <summary>Makes all, in order, on the calling thread, which must end when its work is done: it gets mounts and a working directory of
    /// its own, which the programs it starts have too.</summary>
    public static Preparations Make(IReadOnlyList<Preparation> all, string directory, CancellationToken cancellationToken)
    {
        var made = new Preparations();
        try
        {
            if (all.Count > 0)
                Mounts.Seclude(directory);
            foreach (var preparation in all)
                made.Make(preparation);
            foreach (var carrier in made._carriers)
                carrier.Await(cancellationToken);
            return made;
        }
        catch
        {
            made.Dispose();
            throw;
        }
    }

    /// <summary>Ends what runs beside the program.</summary>
    public void Dispose()
    {
        foreach (var carrier in _carriers)
            carrier.Dispose();
    }

    private void Make(Preparation preparation)
    {
        switch (preparation)
        {
            case ImageMount image:
                Mounts.Erofs(image.Image, image.Devices, image.Target);
                break;
            case OverlayMount overlay:
                Mounts.Overlay(overlay);
                break;
            case MemoryMount memory:
                Mounts.Memory(memory);
                break;
            case NewFile file:
                Write(file);
                break;
            case AgentSocket socket:
                socket.Agent.Listen(socket.Path, socket.Mode, socket.UserId, socket.GroupId);
                break;
            case CarriedNetwork network:
                Mounts.NewNetwork(network.Target, network.Closed);
                _carriers.Add(SlirpProcess.Start(network.Target));
                break;
            default:
                throw new InvalidOperationException($"'{preparation}' is not made anywhere");
        }
    }

    private static void Write(NewFile file)
    {
        using (var handle = File.OpenHandle(file.Path, FileMode.CreateNew, FileAccess.Write))
            RandomAccess.Write(handle, file.Content.Span, 0);
        byte[] path = LinuxPath.Terminated(file.Path);
        // The owner first: a change of it takes set-id bits away.
        if (Libc.LChOwn(path, file.UserId, file.GroupId) != 0)
            throw LinuxError.Failed("set the owner of", file.Path);
        if (Libc.ChMod(path, (uint)file.Mode) != 0)
            throw LinuxError.Failed("set the mode of", file.Path);
    }
}

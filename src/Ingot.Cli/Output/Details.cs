using System.Diagnostics;
using System.Globalization;
using Ingot.Tools;

namespace Ingot.Cli.Output;

/// <summary>Shows which programs run and which requests are made, with how each ended and how long it took, while this is open.</summary>
internal sealed class Details : IDisposable
{
    private const string Http = "System.Net.Http";

    private readonly ActivityListener _listener;

    public Details(Terminal terminal)
    {
        // That somebody looks here is nothing to tell a server.
        DistributedContextPropagator.Current = DistributedContextPropagator.CreateNoOutputPropagator();
        _listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name is CommandRunner.Activities or Http,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
            ActivityStopped = activity =>
            {
                if (Text(activity) is { } text)
                    terminal.Detail(text);
            },
        };
        ActivitySource.AddActivityListener(_listener);
    }

    public void Dispose() => _listener.Dispose();

    private static string? Text(Activity activity)
    {
        string seconds = activity.Duration.TotalSeconds.ToString("0.00", CultureInfo.InvariantCulture);
        if (activity.Source.Name == CommandRunner.Activities)
            return $"+ {activity.DisplayName} (exit code {activity.GetTagItem("process.exit.code") ?? "unknown"}, {seconds} s)";
        if (activity.GetTagItem("url.full") is not string address)
            return null;

        object answer = activity.GetTagItem("http.response.status_code") ?? activity.GetTagItem("error.type") ?? "no answer";
        return $"+ {activity.GetTagItem("http.request.method")} {Place(address)} ({answer}, {seconds} s)";
    }

    // Neither a password nor a query, which may hold a signature.
    private static string Place(string address) => Uri.TryCreate(address, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https"
        ? $"{uri.Scheme}://{uri.Authority}{uri.AbsolutePath}"
        : "?";
}

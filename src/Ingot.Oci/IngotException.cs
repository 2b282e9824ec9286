using System.ComponentModel;
using System.Globalization;
using System.Net.Http;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Text.Json;

namespace Ingot;

/// <summary>The world or a peer failed. The message says what was attempted, with the values, and the cure where one is known.</summary>
public abstract class IngotException : Exception
{
    private const string NoHost = "there is no host of that name, or the name service does not answer";
    private const string UnknownIssuer = "the issuer of its certificate is unknown here";
    private const string Withdrawn = "its certificate was withdrawn by its issuer";
    private const string NoTls = "the TLS handshake failed: its certificate is not trusted, or it does not speak TLS";

    private static readonly (string Word, string Text)[] s_certificateFaults =
    [
        ("RemoteCertificateNotAvailable", "it shows no certificate"),
        ("RemoteCertificateNameMismatch", "its certificate is for another name"),
        ("NotTimeValid", "its certificate has expired or is not valid yet, or the clock here is wrong"),
        ("UntrustedRoot", UnknownIssuer),
        ("PartialChain", UnknownIssuer),
        (": Revoked", Withdrawn),
        (", Revoked", Withdrawn),
        ("RemoteCertificateChainErrors", "its certificate is not trusted"),
    ];

    /// <summary>Carries the sentence, and what caused it.</summary>
    protected IngotException(string message, Exception? inner = null)
        : base(message, inner)
    {
    }

    /// <summary>Why something failed, as the end of a sentence for people: what Ingot says as it is,
    /// what the platform says in plain words.</summary>
    public static string ReasonOf(Exception e) => e switch
    {
        IngotException => e.Message,
        HttpRequestException http => ReasonOf(http.HttpRequestError, http),
        HttpIOException http => ReasonOf(http.HttpRequestError, http),
        SocketException socket => ReasonOf(socket),
        AuthenticationException => ReasonOfTls(e),
        UnauthorizedAccessException or FileNotFoundException or DirectoryNotFoundException => ReasonOfFile(e),
        // What converters of ours say is said well.
        JsonException json when json.Message.Contains("LineNumber:", StringComparison.Ordinal) => ReasonOf(json),
        InvalidOperationException when e.Message.StartsWith("The requested operation requires an element", StringComparison.Ordinal) =>
            "a value is of another type than expected",
        CryptographicException => "it is damaged, or of another kind",
        FormatException when e.Message.Contains("Base-64", StringComparison.Ordinal) => "it is not Base64",
        ObjectDisposedException => "the connection was closed",
        Win32Exception native => Plain(Marshal.GetPInvokeErrorMessage(native.NativeErrorCode)),
        OperationCanceledException { InnerException: TimeoutException } => "it did not answer in time",
        IOException { InnerException: SocketException socket } => ReasonOf(socket),
        AggregateException { InnerException: { } inner } => ReasonOf(inner),
        _ when e.InnerException is { } inner && e.Message.Contains("inner exception", StringComparison.Ordinal) => ReasonOf(inner),
        _ => Plain(e.Message),
    };

    private static string ReasonOf(HttpRequestError error, Exception e) => error switch
    {
        HttpRequestError.NameResolutionError => NoHost,
        HttpRequestError.SecureConnectionError => ReasonOfTls(e),
        HttpRequestError.ResponseEnded => "it closed the connection before its answer was complete",
        HttpRequestError.InvalidResponse => "its answer is not HTTP",
        HttpRequestError.ProxyTunnelError => "the proxy did not connect to it",
        HttpRequestError.VersionNegotiationError or HttpRequestError.HttpProtocolError => "it broke the HTTP protocol",
        HttpRequestError.ConfigurationLimitExceeded => "its answer is larger than is accepted",
        _ when e.InnerException is { } inner => ReasonOf(inner),
        _ => Plain(e.Message),
    };

    // The platform names what is wrong with a certificate by X509ChainStatusFlags and SslPolicyErrors in its sentence, and nowhere else.
    private static string ReasonOfTls(Exception e)
    {
        string said = "";
        for (Exception? at = e; at is not null; at = at.InnerException)
            said += at.Message + "\n";
        var wrong = s_certificateFaults.Where(fault => said.Contains(fault.Word, StringComparison.Ordinal));
        string text = string.Join(", and ", wrong.Select(fault => fault.Text).Distinct());
        return text.Length == 0 ? NoTls : $"the TLS handshake failed: {text}";
    }

    private static string ReasonOf(SocketException e) => e.SocketErrorCode switch
    {
        SocketError.ConnectionRefused => "connection refused",
        SocketError.ConnectionReset or SocketError.Shutdown or SocketError.ConnectionAborted =>
            "the connection was closed by the other side",
        SocketError.HostNotFound or SocketError.NoData or SocketError.TryAgain => NoHost,
        SocketError.TimedOut => "it did not answer in time",
        SocketError.HostUnreachable or SocketError.NetworkUnreachable or SocketError.NetworkDown or SocketError.HostDown =>
            "there is no route to it",
        SocketError.AccessDenied => "permission denied",
        SocketError.AddressAlreadyInUse => "the address is in use",
        // Also a socket in a file that is not there.
        SocketError.AddressNotAvailable => "there is nothing at that address",
        // Without the address that the platform adds to it.
        _ => Plain(Marshal.GetPInvokeErrorMessage(e.NativeErrorCode)),
    };

    private static string ReasonOf(JsonException e)
    {
        string where = e.LineNumber is { } line
            ? string.Create(CultureInfo.InvariantCulture, $" at line {line + 1}, byte {e.BytePositionInLine + 1}")
            : "";
        string path = e.Path is null or "$" ? "" : $" ('{e.Path}')";
        return $"unexpected content{where}{path}";
    }

    // The platform's sentences about files have the path in quotes.
    private static string ReasonOfFile(Exception e)
    {
        int start = e.Message.IndexOf('\'', StringComparison.Ordinal);
        int end = e.Message.LastIndexOf('\'');
        string path = end > start ? $" '{e.Message[(start + 1)..end]}'" : "";
        return e is UnauthorizedAccessException
            ? $"permission denied{(path.Length == 0 ? "" : ":")}{path}"
            : $"there is no file{(e is DirectoryNotFoundException ? " or directory" : "")}{path}";
    }

    private static string Plain(string sentence)
    {
        string plain = sentence.Replace(" : '", ": '", StringComparison.Ordinal).TrimEnd('.');
        return plain.Length > 1 && char.IsLower(plain[1]) ? char.ToLowerInvariant(plain[0]) + plain[1..] : plain;
    }
}

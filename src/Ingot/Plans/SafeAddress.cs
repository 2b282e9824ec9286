using System.Text.RegularExpressions;

namespace Ingot.Plans;

/// <summary>Addresses as they may be shown, kept and hashed: without the user, password and query that may open a door.</summary>
public static partial class SafeAddress
{
    /// <summary>The address without user, password, query and fragment; a query that was there shows as <c>?…</c>.</summary>
    public static string Of(Uri address) =>
        address.GetComponents(UriComponents.SchemeAndServer | UriComponents.Path, UriFormat.UriEscaped)
            + (address.Query.Length > 1 ? "?…" : "");

    /// <summary>The address of a git repository as git is given it: without the password,
    /// and without a user unless it is for <c>ssh</c>.</summary>
    public static string WithoutCredentials(string repository)
    {
        if (!Uri.TryCreate(repository, UriKind.Absolute, out var address) || address.UserInfo.Length == 0)
            return repository;

        return new UriBuilder(address)
        {
            UserName = address.Scheme == "ssh" ? address.UserInfo.Split(':')[0] : "",
            Password = "",
        }.Uri.AbsoluteUri;
    }

    /// <summary>The address of a git repository, without what may open it. The user of <c>ssh</c> is no secret:
    /// every repository of a host has the same.</summary>
    public static string OfRepository(string repository)
    {
        if (!Uri.TryCreate(repository, UriKind.Absolute, out var address)
            || address.IsFile
            || !repository.Contains("://", StringComparison.Ordinal))
            return repository;

        string shown = Of(address);
        string user = address.UserInfo.Split(':')[0];
        return address.Scheme == "ssh" && user.Length > 0 ? shown.Replace("://", $"://{user}@", StringComparison.Ordinal) : shown;
    }

    /// <summary>A text without the users and passwords of the web addresses in it.</summary>
    public static string InText(string text) => UserInAddress().Replace(text, "$1");

    [GeneratedRegex(@"(\bhttps?://)[^/@\s]*@", RegexOptions.IgnoreCase)]
    private static partial Regex UserInAddress();
}

using System.Data.Common;
using Ingot.Oci.Content;
using Ingot.Server.Storage;

namespace Ingot.Server.Ledger;

/// <summary>The manifests that a home's server speaks of: published, promoted, asked for, running.</summary>
public static class LedgerRoots
{
    private const string Query = """
        SELECT digest FROM (SELECT digest FROM manifests UNION SELECT digest FROM tags UNION SELECT digest FROM promotions
        UNION SELECT digest FROM rollouts UNION SELECT digest FROM generations) WHERE digest <> ''
        """;

    /// <summary>Their digests; none when the home has no ledger. A ledger that cannot be read throws <see cref="LedgerException"/>: what it
    /// needs is then not known.</summary>
    public static IReadOnlySet<Digest> Read(ServerHome home) =>
        Rows(home, Query, r => Digest.Parse(r.Text(0))).ToHashSet();

    /// <summary>The manifests that the registry serves, each with a repository that it is in; none when the home has no ledger.</summary>
    public static IReadOnlyDictionary<Digest, string> Published(ServerHome home) =>
        Rows(home, "SELECT digest, min(repository) FROM manifests GROUP BY digest",
            r => (Digest: Digest.Parse(r.Text(0)), Repository: r.Text(1)))
            .ToDictionary(row => row.Digest, row => row.Repository);

    private static List<T> Rows<T>(ServerHome home, string sql, Func<Row, T> read)
    {
        var storage = home.Storage;
        if (!storage.IsThere)
            return [];

        try
        {
            using var database = storage.OpenReader();
            return database.Query(sql, read);
        }
        catch (Exception e) when (e is DbException or FormatException)
        {
            throw new LedgerException($"could not read what images '{home.Database}' speaks of: {IngotException.ReasonOf(e)}", e);
        }
    }
}

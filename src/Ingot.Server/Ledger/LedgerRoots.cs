using Ingot.Oci.Content;
using Ingot.Server.Storage;

namespace Ingot.Server.Ledger;

/// <summary>The manifests that a home's server speaks of: published, promoted, asked for, running.</summary>
public static class LedgerRoots
{
    private const string Query = """
        SELECT digest FROM manifests UNION SELECT digest FROM tags UNION SELECT digest FROM promotions
        UNION SELECT digest FROM rollouts UNION SELECT digest FROM generations
        """;

    /// <summary>Their digests; none when the home has no ledger. A ledger that cannot be read throws <see cref="LedgerException"/>: what it needs is then not known.</summary>
    public static IReadOnlySet<Digest> Read(ServerHome home)
    {
        if (!File.Exists(home.Database))
            return new HashSet<Digest>();

        try
        {
            using var database = SqliteDatabase.OpenReader(home.Database);
            return database.Query(Query, r => r.GetString(0)).Where(text => text.Length > 0).Select(Digest.Parse).ToHashSet();
        }
        catch (Exception e) when (e is Microsoft.Data.Sqlite.SqliteException or FormatException)
        {
            throw new LedgerException($"could not read what images '{home.Database}' speaks of: {e.Message}", e);
        }
    }
}

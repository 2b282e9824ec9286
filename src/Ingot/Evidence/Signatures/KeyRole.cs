namespace Ingot.Evidence.Signatures;

/// <summary>What a key may be trusted with: names people know for the predicate types a key may issue.</summary>
public static class KeyRole
{
    /// <summary>Everything, also what later versions know.</summary>
    public const string All = "all";

    private static readonly SortedDictionary<string, string[]> s_roles = new(StringComparer.Ordinal)
    {
        ["builder"] = [PredicateType.Signature, PredicateType.Provenance, PredicateType.CycloneDx],
        ["scanner"] = [PredicateType.CycloneDx, PredicateType.SecretScan, PredicateType.Claims],
        ["signer"] = [PredicateType.Signature],
        ["tester"] = [PredicateType.TestResult],
    };

    /// <summary>The roles, in alphabetical order.</summary>
    public static IReadOnlyList<string> Names { get; } = [All, .. s_roles.Keys];

    /// <summary>The predicate types of roles, each a name or a predicate type itself, sorted; null for all of them. What nobody knows
    /// throws <see cref="KeyException"/>.</summary>
    public static IReadOnlyList<string>? Predicates(IReadOnlyCollection<string> roles)
    {
        if (roles.Count == 0)
            throw new KeyException($"a key is trusted in a role: give one or more of {string.Join(", ", Names)}, or predicate types");
        if (roles.Contains(All, StringComparer.Ordinal))
            return null;

        return [.. roles.SelectMany(Predicates).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)];
    }

    /// <summary>The names for a set of predicate types: roles as far as they are in it whole, then what is left.</summary>
    public static IReadOnlyList<string> NamesOf(IReadOnlyCollection<string>? predicates)
    {
        if (predicates is null)
            return [All];

        var whole = s_roles.Where(role => role.Value.All(predicates.Contains)).ToList();
        // A role that lies inside another says nothing new.
        var said = whole.Where(role => !whole.Any(other => other.Key != role.Key && role.Value.All(other.Value.Contains))).ToList();
        return [.. said.Select(role => role.Key), .. predicates.Except(said.SelectMany(role => role.Value), StringComparer.Ordinal)];
    }

    private static IEnumerable<string> Predicates(string role)
    {
        if (s_roles.TryGetValue(role, out var types))
            return types;

        return EvidenceKinds.Of(role) is not null
            ? [role]
            : throw new KeyException($"'{role}' is not a key role: use {string.Join(", ", Names)}, or a predicate type that Ingot knows");
    }
}

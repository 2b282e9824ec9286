namespace Ingot.Plans;

/// <summary>The variables in scope at a place in a Dockerfile: the image's environment, and over it the arguments that were declared. The
/// later of two of one name is the one that counts.</summary>
/// <remarks>https://docs.docker.com/reference/dockerfile/#using-arg-variables</remarks>
internal sealed class Scope
{
    private readonly OrderedDictionary<string, string> _environment = [];
    private readonly OrderedDictionary<string, string> _variables = [];
    private readonly HashSet<string> _declared = [];

    public Scope(IEnumerable<string> environment)
    {
        foreach (var variable in environment)
        {
            int equals = variable.IndexOf('=', StringComparison.Ordinal);
            if (equals > 0)
                Set(variable[..equals], variable[(equals + 1)..]);
        }
    }

    /// <summary>A copy that a later stage starts with: arguments are inherited with the stage that declared them, but what the image sets
    /// of the same name counts again, as with BuildKit.</summary>
    public Scope(Scope parent)
    {
        _environment = new(parent._environment);
        _variables = new(parent._variables);
        _declared = [.. parent._declared];
        foreach (var (name, value) in _environment)
            _variables[name] = value;
    }

    /// <summary>The image's environment as <c>NAME=value</c>, in the order in which it was set.</summary>
    public IReadOnlyList<string> Environment => [.. _environment.Select(v => $"{v.Key}={v.Value}")];

    /// <summary>What a command sees: the environment, and the arguments that have a value.</summary>
    public IReadOnlyList<string> ForCommands => [.. _variables.Select(v => $"{v.Key}={v.Value}")];

    public IEnumerable<string> Names => _variables.Keys.Union(_declared);

    /// <summary>ENV.</summary>
    public void Set(string name, string value)
    {
        _environment[name] = value;
        _variables[name] = value;
    }

    /// <summary>ARG. Declaring one again without a value keeps the one it has.</summary>
    public void Declare(string name, string? value)
    {
        _declared.Add(name);
        if (value is not null)
            _variables[name] = value;
    }

    public bool Declares(string name) => _declared.Contains(name) || _variables.ContainsKey(name);

    public string? Find(string name) => _variables.TryGetValue(name, out var value) ? value : null;
}

namespace Ingot.Plans;

/// <summary>The variables in scope at a place in a Dockerfile. ENV wins over ARG, wherever either stands.</summary>
/// <remarks>https://docs.docker.com/reference/dockerfile/#using-arg-variables</remarks>
internal sealed class Scope
{
    private readonly OrderedDictionary<string, string> _environment = [];
    private readonly OrderedDictionary<string, string?> _arguments = [];

    public Scope(IEnumerable<string> environment)
    {
        foreach (var variable in environment)
        {
            int equals = variable.IndexOf('=', StringComparison.Ordinal);
            if (equals > 0)
                _environment[variable[..equals]] = variable[(equals + 1)..];
        }
    }

    /// <summary>A copy that a later stage starts with: arguments are inherited with the stage that declared them.</summary>
    public Scope(Scope parent)
    {
        _environment = new(parent._environment);
        _arguments = new(parent._arguments);
    }

    public IReadOnlyList<string> Environment => [.. _environment.Select(v => $"{v.Key}={v.Value}")];

    /// <summary>What a command sees: the environment, then the arguments that have a value and that it does not hide.</summary>
    public IReadOnlyList<string> ForCommands =>
    [
        .. Environment,
        .. _arguments.Where(a => a.Value is not null && !_environment.ContainsKey(a.Key)).Select(a => $"{a.Key}={a.Value}"),
    ];

    public IEnumerable<string> Names => _environment.Keys.Concat(_arguments.Keys);

    public void Set(string name, string value) => _environment[name] = value;

    /// <summary>Declares an argument; declaring it again without a value keeps the one it has.</summary>
    public void Declare(string name, string? value)
    {
        if (value is not null || !_arguments.ContainsKey(name))
            _arguments[name] = value;
    }

    public bool Declares(string name) => _environment.ContainsKey(name) || _arguments.ContainsKey(name);

    public string? Find(string name) =>
        _environment.TryGetValue(name, out var value) ? value : _arguments.TryGetValue(name, out var argument) ? argument : null;
}

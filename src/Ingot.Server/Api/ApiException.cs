namespace Ingot.Server.Api;

/// <summary>A call cannot be carried out, and whose fault that is: <c>not_found</c>, <c>invalid</c>,
/// <c>refused</c> or <c>forbidden</c>.</summary>
internal sealed class ApiException(string code, string message) : Exception(message)
{
    public string Code => code;
}

namespace Ingot.Server.Api;

/// <summary>A call cannot be carried out, and whose fault that is: <c>not_found</c>, <c>invalid</c> or <c>refused</c>.</summary>
internal sealed class ApiException(string code, string message) : Exception(message)
{
    public string Code => code;
}

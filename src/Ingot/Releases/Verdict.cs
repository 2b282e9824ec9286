using System.Text.Json.Serialization;

namespace Ingot.Releases;

/// <summary>What the judge says of a step.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "verdict")]
[JsonDerivedType(typeof(Worse), "worse")]
[JsonDerivedType(typeof(NotWorse), "not-worse")]
[JsonDerivedType(typeof(Insufficient), "insufficient")]
public abstract record Verdict
{
    private Verdict()
    {
    }

    /// <summary>The new generation fails more often than the old one, or has used up its harm budget.</summary>
    /// <param name="Reason">A sentence with the figures.</param>
    public sealed record Worse(string Reason) : Verdict;

    /// <summary>There was enough traffic to show a regression, and none showed.</summary>
    public sealed record NotWorse : Verdict;

    /// <summary>Too little traffic to say either.</summary>
    /// <param name="MissingRequests">About how many more requests are needed, over both generations, at the share they have now.</param>
    public sealed record Insufficient(long MissingRequests) : Verdict;
}

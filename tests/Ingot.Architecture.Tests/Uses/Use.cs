namespace Ingot.Architecture.Tests.Uses;

/// <summary>One type uses another.</summary>
/// <param name="Where">The member that does, <c>Namespace.Type.Member</c>; the type itself where it is not in a member.</param>
/// <param name="By">The type that does, <c>Namespace.Type</c>, without what is nested in it.</param>
/// <param name="From">The namespace of the using type.</param>
/// <param name="Type">What is used, <c>Namespace.Type</c>.</param>
/// <param name="To">Its namespace.</param>
/// <param name="IsInternal">Whether the type used is not public.</param>
public sealed record Use(string Where, string By, string From, string Type, string To, bool IsInternal);

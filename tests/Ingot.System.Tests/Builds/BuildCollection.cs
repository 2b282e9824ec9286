namespace Ingot.SystemTests.Builds;

/// <summary>Classes of tests that share one home.</summary>
[CollectionDefinition("builds of commands")]
public sealed class BuildCollection : ICollectionFixture<BuildFixture>;

// These tests look at what is left on the machine, and count requests under load: two at once would see each other.
[assembly: CollectionBehavior(DisableTestParallelization = true)]

namespace Ingot.Evidence.Signatures;

/// <summary>The predicate types Ingot issues and believes: what a signed statement says about its subject.</summary>
public static class PredicateType
{
    /// <summary>An image signature, as cosign 3 writes it.</summary>
    public const string Signature = "https://sigstore.dev/cosign/sign/v1";

    /// <summary>How an image was built (<see href="https://slsa.dev/spec/v1.0/provenance">SLSA provenance</see>).</summary>
    public const string Provenance = "https://slsa.dev/provenance/v1";

    /// <summary>That somebody verified something, such as that building the image again gave it again
    /// (<see href="https://slsa.dev/spec/v1.0/verification_summary">verification summary</see>).</summary>
    public const string VerificationSummary = "https://slsa.dev/verification_summary/v1";

    /// <summary>The outcome of a test run
    /// (<see href="https://github.com/in-toto/attestation/blob/v1.1.0/spec/predicates/test-result.md">test result</see>).</summary>
    public const string TestResult = "https://in-toto.io/attestation/test-result/v0.1";

    /// <summary>A CycloneDX bill of materials.</summary>
    public const string CycloneDx = "https://cyclonedx.org/bom";

    /// <summary>A search for secrets in layers, history, environment and labels.</summary>
    public const string SecretScan = "https://ingot.dev/evidence/secret-scan/v1";

    /// <summary>Hardening claims checked against the bytes.</summary>
    public const string Claims = "https://ingot.dev/evidence/claims/v1";
}

using System.Text;
using Ingot.Oci.Content;

namespace Ingot.Evidence.Secrets;

/// <summary>The kinds of secrets that are looked for. Adding one is adding a row.</summary>
/// <remarks>Patterns follow what the issuers publish of their tokens' forms. There is no look-around in linear time: what may not stand
/// beside a token is matched beside it.</remarks>
public static class SecretRules
{
    // What may stand beside a token, as a character that is not the token's, or the edge of the text.
    private const string Edge = "(^|[^A-Za-z0-9_-])";
    private const string End = "([^A-Za-z0-9_-]|$)";

    private const string SecretNames =
        "passw(or)?d|passphrase|secret|api_?key|apikey|access_?key|access_?token|auth_?token|private_?key|credentials?";

    private static readonly string[] s_exampleHosts =
        [".example", ".example.com", ".example.net", ".example.org", ".invalid", ".test", ".host", ".hostname"];

    /// <summary>Every rule, in the order of findings.</summary>
    public static IReadOnlyList<SecretRule> All { get; } =
    [
        new("private-key", "a private key in PEM", ["PRIVATE KEY-----", "PRIVATE KEY BLOCK-----"],
            @"-----BEGIN ([A-Z0-9]{2,10} ){0,2}PRIVATE KEY( BLOCK)?-----(\\n|\\r|\\\\n|[\s""'+,]"
                + @"|[A-Za-z-]{1,16}: [^\n]{1,}\n){1,40}(?<secret>[A-Za-z0-9+/]{32,})")
        {
            Before = 40,
            Ahead = 4096,
            HasLines = true,
            Accepts = text => !PublishedKeys.Contains(text),
        },
        new("putty-private-key", "a private key of PuTTY", ["PuTTY-User-Key-File-"],
            @"PuTTY-User-Key-File-[0-9]: [^\n]{1,64}\n([^\n]*\n){1,40}?Private-Lines: [0-9]{1,3}\r?\n(?<secret>[A-Za-z0-9+/]{32,})")
        {
            Ahead = 4096,
            HasLines = true,
        },
        new("age-secret-key", "a secret key of age", ["AGE-SECRET-KEY-1"],
            @"(?<secret>AGE-SECRET-KEY-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58})"),
        new("wireguard-key", "a private key of WireGuard", ["PrivateKey"],
            @"PrivateKey\s{0,3}=\s{0,3}(?<secret>[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=)") { Scope = SecretScope.Text, MinEntropy = 4 },

        new("aws-access-key-id", "an access key id of AWS", ["AKIA", "ASIA"],
            "(^|[^A-Za-z0-9+/])(?<secret>A[KS]IA[A-Z2-7]{16})([^A-Za-z0-9+/=]|$)") { MinEntropy = 2.5, Accepts = IsNoExample },
        new("aws-secret-access-key", "a secret access key of AWS", ["secret_access_key", "secretaccesskey", "aws_secret", "secret_key"],
            @"(?i)(?<name>aws_?secret(_?access)?_?key|secret_?access_?key|aws_?secret|secret_key)['""]?\s{0,4}(=|:|=>"
                + @"|:=)\s{0,4}['""]?(?<secret>[A-Za-z0-9/+]{40})([^A-Za-z0-9/+=]|$)")
            { AnyCase = true, MinEntropy = 4.2, Before = 24, Accepts = IsNoExample },
        new("azure-storage-key", "an account key of Azure storage", ["AccountKey="],
            "AccountKey=(?<secret>[A-Za-z0-9+/]{86}==)") { MinEntropy = 4.5 },
        new("azure-client-secret", "a client secret of Microsoft Entra", ["8Q~"],
            @"(^|[^A-Za-z0-9_~.-])(?<secret>[A-Za-z0-9_~.-]{3}8Q~[A-Za-z0-9_~.-]{31,34})([^A-Za-z0-9_~.-]|$)") { MinEntropy = 3.5 },
        new("google-api-key", "an API key of Google", ["AIza"],
            Edge + "(?<secret>AIza[A-Za-z0-9_-]{35})" + End) { MinEntropy = 3.5 },
        new("google-oauth-secret", "an OAuth client secret of Google", ["GOCSPX-"],
            "(?<secret>GOCSPX-[A-Za-z0-9_-]{28})" + End) { MinEntropy = 3.5 },
        new("digitalocean-token", "a token of DigitalOcean", ["dop_v1_", "doo_v1_", "dor_v1_"],
            Edge + "(?<secret>do[opr]_v1_[a-f0-9]{64})" + End) { MinEntropy = 3 },
        new("heroku-token", "a token of Heroku", ["HRKU-"],
            Edge + "(?<secret>HRKU-[A-Za-z0-9_-]{58,66})" + End) { MinEntropy = 3.5 },

        new("github-token", "a token of GitHub", ["ghp_", "gho_", "ghu_", "ghs_", "ghr_"],
            Edge + "(?<secret>gh[pousr]_[A-Za-z0-9]{36,})" + End) { MinEntropy = 3.2 },
        new("github-fine-grained-token", "a fine-grained token of GitHub", ["github_pat_"],
            Edge + "(?<secret>github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59})" + End) { MinEntropy = 3.2 },
        new("gitlab-token", "a token of GitLab", ["glpat-", "gldt-", "glrt-", "glptt-", "glcbt-", "glsoat-"],
            Edge + "(?<secret>gl(pat|dt|rt|ptt|cbt|soat)-[A-Za-z0-9_.=-]{20,})") { MinEntropy = 3 },
        new("npm-token", "a token of npm", ["npm_"],
            Edge + "(?<secret>npm_[A-Za-z0-9]{36})" + End) { MinEntropy = 3.2 },
        new("npmrc-token", "a registry token in npm's configuration", ["_authToken", "_password"],
            @":_(authToken|password)\s{0,3}=\s{0,3}['""]?(?<secret>[A-Za-z0-9_./+=-]{16,})")
        {
            Scope = SecretScope.Text,
            MinEntropy = 3,
            IsGeneric = true,
        },
        new("pypi-token", "a token of PyPI", ["pypi-AgE"],
            Edge + "(?<secret>pypi-AgE[A-Za-z0-9_-]{60,})" + End) { MinEntropy = 3.5 },
        new("rubygems-token", "a key of RubyGems", ["rubygems_"],
            Edge + "(?<secret>rubygems_[a-f0-9]{48})" + End) { MinEntropy = 3 },
        new("nuget-key", "a key of NuGet", ["oy2"],
            Edge + "(?<secret>oy2[a-z0-9]{43})" + End) { Scope = SecretScope.Text, MinEntropy = 3.8 },
        new("docker-hub-token", "a token of Docker Hub", ["dckr_pat_", "dckr_oat_"],
            Edge + "(?<secret>dckr_[po]at_[A-Za-z0-9_-]{27,40})" + End) { MinEntropy = 3.2 },
        new("docker-config-auth", "registry credentials in Docker's configuration", ["\"auth\""],
            @"""auth""\s{0,8}:\s{0,8}""(?<secret>[A-Za-z0-9+/]{8,}={0,2})""")
        {
            PathPattern = @"(^|/)(\.dockercfg|\.dockerconfigjson|[^/]*config\.json|auth\.json)$",
            Ahead = SecretMatcher.Ahead,
            Accepts = IsNameAndPassword,
        },
        new("terraform-cloud-token", "a token of HCP Terraform", [".atlasv1."],
            @"(?<secret>[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_-]{60,70})" + End) { MinEntropy = 3.5 },
        new("vault-token", "a token of HashiCorp Vault", ["hvs.", "hvb.", "hvr."],
            Edge + @"(?<secret>hv[sbr]\.[A-Za-z0-9_-]{24,})" + End)
        {
            Scope = SecretScope.Text,
            MinEntropy = 3.6,
            Accepts = HasDigitAndBothCases,
        },
        new("pulumi-token", "a token of Pulumi", ["pul-"],
            Edge + "(?<secret>pul-[a-f0-9]{40})" + End) { MinEntropy = 3 },
        new("doppler-token", "a token of Doppler", ["dp.pt.", "dp.st.", "dp.sa."],
            Edge + @"(?<secret>dp\.(pt|st|sa)\.([a-z0-9_-]{1,40}\.)?[A-Za-z0-9]{40,44})" + End) { MinEntropy = 3.5 },
        new("databricks-token", "a token of Databricks", ["dapi"],
            Edge + "(?<secret>dapi[a-f0-9]{32}(-[0-9])?)" + End) { MinEntropy = 3 },

        new("slack-token", "a token of Slack", ["xoxb-", "xoxa-", "xoxp-", "xoxr-", "xoxs-", "xoxo-", "xapp-"],
            Edge
                + "(?<secret>xox[abprso]-([0-9]{8,14}-){1,3}[A-Za-z0-9]{16,64}|xapp-[0-9]-[A-Z0-9]{8,14}-[0-9]{8,16}-[a-f0-9]{32,80})"
                + End)
        {
            MinEntropy = 2.8,
        },
        new("slack-webhook", "an incoming webhook of Slack", ["hooks.slack.com/"],
            @"hooks\.slack\.com/(?<secret>(services|workflows)/T[A-Z0-9]{6,12}/[AB][A-Z0-9]{6,12}/[A-Za-z0-9]{20,48}(/[A-Za-z0-9]{20,48})?)")
        {
            MinEntropy = 3.2,
        },
        new("telegram-token", "a token of a Telegram bot", [":AA"],
            "(^|[^A-Za-z0-9])(?<secret>[0-9]{8,10}:AA[A-Za-z0-9_-]{33})" + End)
        {
            Scope = SecretScope.Text,
            MinEntropy = 3.6,
            Accepts = HasDigitAndBothCases,
        },
        new("twilio-key", "a key of Twilio", ["twilio"],
            "(?i:twilio)[^\n]{0,80}[^A-Za-z0-9](?<secret>SK[0-9a-f]{32}|[0-9a-f]{32})([^A-Za-z0-9]|$)")
        {
            AnyCase = true,
            Scope = SecretScope.Text,
            MinEntropy = 3,
        },
        new("sendgrid-key", "a key of SendGrid", ["SG."],
            @"(^|[^A-Za-z0-9_.-])(?<secret>SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43})" + End) { MinEntropy = 3.8 },
        new("mailgun-key", "a key of Mailgun", ["mailgun"],
            "(?i:mailgun)[^\n]{0,80}(?<secret>key-[0-9a-f]{32}|[0-9a-f]{32}-[0-9a-f]{8}-[0-9a-f]{8})([^A-Za-z0-9]|$)")
        {
            AnyCase = true,
            Scope = SecretScope.Text,
            MinEntropy = 3,
        },
        new("mailchimp-key", "a key of Mailchimp", ["mailchimp"],
            "(?i:mailchimp)[^\n]{0,80}(?<secret>[0-9a-f]{32}-us[0-9]{1,2})([^A-Za-z0-9]|$)")
        {
            AnyCase = true,
            Scope = SecretScope.Text,
            MinEntropy = 3,
        },

        new("stripe-key", "a key of Stripe", ["sk_live_", "rk_live_", "sk_test_", "rk_test_", "whsec_"],
            Edge + "(?<secret>[sr]k_(live|test)_[A-Za-z0-9]{20,}|whsec_[A-Za-z0-9+/]{32,64})") { MinEntropy = 3.2 },
        new("shopify-token", "a token of Shopify", ["shpat_", "shpca_", "shppa_", "shpss_"],
            Edge + "(?<secret>shp(at|ca|pa|ss)_[a-fA-F0-9]{32})" + End) { MinEntropy = 3 },
        new("square-token", "a token of Square", ["sq0atp-", "sq0csp-"],
            Edge + "(?<secret>sq0(atp|csp)-[A-Za-z0-9_-]{22,43})" + End) { MinEntropy = 3.2 },

        new("openai-key", "a key of OpenAI", ["T3BlbkFJ"],
            Edge + "(?<secret>sk-([a-z]{2,10}-)?[A-Za-z0-9_-]{20,80}T3BlbkFJ[A-Za-z0-9_-]{20,80})" + End) { MinEntropy = 3.8, Before = 96 },
        new("anthropic-key", "a key of Anthropic", ["sk-ant-"],
            Edge + "(?<secret>sk-ant-[a-z]{2,8}[0-9]{2}-[A-Za-z0-9_-]{80,})" + End) { MinEntropy = 3.8 },
        new("hugging-face-token", "a token of Hugging Face", ["hf_"],
            Edge + "(?<secret>hf_[A-Za-z]{34})" + End)
        {
            MinEntropy = 4,
            Accepts = text => text.Any(char.IsAsciiLetterUpper) && text[3..].Any(char.IsAsciiLetterLower),
        },
        new("grafana-token", "a token of Grafana", ["glsa_", "glc_"],
            Edge + "(?<secret>glsa_[A-Za-z0-9]{32}_[a-fA-F0-9]{8}|glc_[A-Za-z0-9+/]{40,}={0,2})") { MinEntropy = 3.6 },
        new("new-relic-key", "a key of New Relic", ["NRAK-"],
            Edge + "(?<secret>NRAK-[A-Z0-9]{27})" + End) { MinEntropy = 3.2 },
        new("sentry-token", "a token of Sentry", ["sntrys_", "sntryu_"],
            Edge + "(?<secret>sntrys_eyJ[A-Za-z0-9+/=_-]{80,}|sntryu_[a-f0-9]{64})") { MinEntropy = 3 },
        new("postman-key", "a key of Postman", ["PMAK-"],
            Edge + "(?<secret>PMAK-[a-f0-9]{24}-[a-f0-9]{34})" + End) { MinEntropy = 3 },
        new("linear-key", "a key of Linear", ["lin_api_"],
            Edge + "(?<secret>lin_api_[A-Za-z0-9]{40})" + End) { MinEntropy = 3.5 },

        new("kubernetes-client-key", "a client key in a kubeconfig", ["client-key-data"],
            @"client-key-data['""]?\s{0,3}:\s{0,3}['""]?(?<secret>[A-Za-z0-9+/]{100,}={0,2})") { Scope = SecretScope.Text, MinEntropy = 4 },
        new("json-web-token", "a signed JSON web token", ["eyJ"],
            @"(^|[^A-Za-z0-9_/+-])(?<secret>eyJ[A-Za-z0-9_-]{14,}\.eyJ[A-Za-z0-9_-]{14,}\.[A-Za-z0-9_-]{32,})")
        {
            Scope = SecretScope.Text,
            MinEntropy = 4,
            Ahead = SecretMatcher.Ahead,
            Accepts = HasDigitAndBothCases,
        },
        new("password-hash", "the hash of a password in the list of users",
            [":$1$", ":$2a$", ":$2b$", ":$2y$", ":$5$", ":$6$", ":$7$", ":$y$", ":$gy$"],
            @"(^|\n)[^:\s]{1,64}:(?<secret>\$[0-9a-z]{1,2}\$[^:\n]{8,})(:|\r?\n|$)")
        {
            PathPattern = "(^|/)(etc/(shadow-?|passwd-?|gshadow-?)|\\.?htpasswd)$",
            Before = 68,
        },
        new("netrc-password", "a password in .netrc", ["password", "passwd"],
            @"(^|\s)(password|passwd)\s{1,8}(?<secret>[^\s#]{3,})")
        {
            PathPattern = @"(^|/)[._]?netrc$|(^|/)etc/apt/auth\.conf(\.d/[^/]*)?$",
            Accepts = text => !Placeholder.IsOne(text),
        },
        new("git-credentials", "a password in Git's list of credentials", ["://"],
            @"://[^\s:/@]{0,64}:(?<secret>[^\s/@]{3,})@[A-Za-z0-9]") { PathPattern = @"(^|/)\.git-credentials$|(^|/)git/credentials$" },
        new("postgres-password", "a password in .pgpass", [":"],
            @"(^|\n)[^:\n#]{1,}:([0-9]{1,5}|\*):[^:\n]{1,64}:[^:\n]{1,64}:(?<secret>[^\n]{1,})")
        {
            PathPattern = @"(^|/)\.pgpass$",
            Before = 400,
        },

        new("url-password", "a password in a URL", ["://"],
            @"(^|[^A-Za-z0-9])[A-Za-z][A-Za-z0-9+.-]{1,20}://[^\s:/?#@""'<>(){}\[\]$%*,;|\\]{0,64}:(?<secret>[^\s:/?#@""'<>(){}\[\]$%*,;|\\]{6,})@([A-Za-z0-9-]{1,63}\.[A-Za-z0-9.-]{1,99}|[0-9][0-9.]{1,15}|localhost|[A-Za-z0-9-]{2,63}[:/])")
            {
            Scope = SecretScope.Text,
            IsGeneric = true,
            MinEntropy = 2.6,
            Before = 24,
            Ahead = 320,
            Accepts = text => !IsWord(text),
            AcceptsMatch = IsNoExampleHost,
        },
        new("secret-variable", "a secret in a variable", ["passw", "passphrase", "secret", "token", "api_key", "apikey", "access_key",
            "private_key", "credential"],
            @"(?i)(^|[\s'"";&|])(?<name>[A-Za-z0-9_.-]{0,40}(" + SecretNames
                + @"|token)(_?(value|str|key|data|prod|dev|test|[0-9]))?)=['""]?(?<secret>[^\s'"";&|$<>{}()\\]{6,})")
            { AnyCase = true, Scope = SecretScope.Configuration, IsGeneric = true, Before = 48, Accepts = IsNoReference },
        new("secret-assignment", "an assignment of what looks like a secret", ["passw", "passphrase", "secret", "api_key", "apikey",
            "api-key", "access_key", "access-key", "accesskey", "_token", "-token", "auth_token", "private_key", "credential"],
            @"(?i)(^|[^A-Za-z0-9_.$-])(?<name>[A-Za-z0-9_.-]{0,40}(" + SecretNames
                + @"|api-key|access-key|[_-]token)[A-Za-z0-9]{0,3})(['""]\]?)?[ \t]{0,4}(=|:|=>"
                + @"|:=)[ \t]{0,4}['""`]?(?<secret>[A-Za-z0-9+/=_.~!@^*-]{20,})(['""`,;\s\\]|$)")
            { AnyCase = true, Scope = SecretScope.Text, IsGeneric = true, MinEntropy = 3, Before = 48, Ahead = 256, Accepts = LooksDrawn },
    ];

    /// <summary>Raised when what no row says changes: how files are read, or the last tests of a match.</summary>
    public const int Version = 1;

    /// <summary>The digest of the rules: evidence says with which ones was looked.</summary>
    public static Digest Digest { get; } =
        Digest.Of(Encoding.UTF8.GetBytes(string.Join('\n', All.Select(Text).Prepend($"secrets {Version}"))));

    private static string Text(SecretRule r) => FormattableString.Invariant(
        $"{r.Id}\t{string.Join(',', r.Keywords)}\t{r.Pattern}\t{r.PathPattern}\t{r.Scope}\t{r.MinEntropy}\t{r.AnyCase}\t{r.IsGeneric}\t{r.Before}\t{r.Ahead}\t{r.HasLines}");

    private static bool IsNoExample(string text) => !text.Contains("EXAMPLE", StringComparison.OrdinalIgnoreCase);

    private static bool HasDigitAndBothCases(string text) =>
        text.Any(char.IsAsciiDigit) && text.Any(char.IsAsciiLetterUpper) && text.Any(char.IsAsciiLetterLower);

    // 'auth' is the base64 of name and password; an empty password, or what an example shows, is none.
    private static bool IsNameAndPassword(string text)
    {
        var bytes = new byte[text.Length];
        if (!Convert.TryFromBase64String(text.PadRight((text.Length + 3) / 4 * 4, '='), bytes, out int length))
            return false;

        var plain = bytes.AsSpan(0, length);
        int colon = plain.IndexOf((byte)':');
        return colon > 0 && colon + 1 < length && !Placeholder.IsOne(Encoding.UTF8.GetString(plain[(colon + 1)..]));
    }

    // https://www.rfc-editor.org/rfc/rfc2606: names that belong to nobody, for documentation.
    private static bool IsNoExampleHost(string url)
    {
        string host = "." + url[(url.LastIndexOf('@') + 1)..].TrimEnd(':', '/', '.').ToLowerInvariant();
        return !Array.Exists(s_exampleHosts, suffix => host.EndsWith(suffix, StringComparison.Ordinal));
    }

    // Documentation writes passwords in words; whoever uses one word as a password is not found here.
    private static bool IsWord(string text) => text.All(c => char.IsAsciiLetter(c) || c is '-' or '_' or '.');

    // The variable names a file, an address, or another variable: the secret is elsewhere.
    private static bool IsNoReference(string text) =>
        !text.StartsWith('/') && !text.StartsWith("./", StringComparison.Ordinal) && !text.Contains("://", StringComparison.Ordinal)
        && !text.StartsWith("file:", StringComparison.Ordinal)
        && text is not ("true" or "false" or "enabled" or "disabled" or "required" or "optional");

    // A name in a program is words; what was drawn at random mixes digits into letters, and is no number, date, path or version.
    private static bool LooksDrawn(string text)
    {
        int digits = text.Count(char.IsAsciiDigit);
        int letters = text.Count(char.IsAsciiLetter);
        int changes = 0;
        for (int i = 1; i < text.Length; i++)
        {
            if (char.IsAsciiDigit(text[i]) != char.IsAsciiDigit(text[i - 1]))
                changes++;
        }

        // Sixteen signs can hold four bits each, and hardly ever do.
        bool drawn = text.All(char.IsAsciiHexDigitLower) ? text.Length >= 32 : Entropy.Of(text) >= 3.8;
        return drawn && digits >= 3 && letters >= 6 && changes >= 5
            && text.Count(c => c is '.' or '/' or '-' or '_') <= 3
            && !text.Contains("..", StringComparison.Ordinal);
    }
}

/// <summary>Values that stand where a secret would, and are none.</summary>
internal static class Placeholder
{
    private static readonly string[] s_parts =
    [
        "example", "xxxx", "****", "....", "____", "placeholder", "changeme", "change-me", "change_me", "redacted", "dummy", "your",
        "insert", "todo", "<", "${", "{{", "%(",
        "1234567890", "0123456789", "abcdefgh", "deadbeef", "00000000", "ffffffff",
    ];

    private static readonly string[] s_words = ["password", "passwd", "pass", "secret", "token", "none", "null", "undefined", "foobar",
        "p@ssw0rd", "passw0rd", "hunter2", "s3cret", "pa55word"];

    public static bool IsOne(string text) =>
        s_words.Contains(text, StringComparer.OrdinalIgnoreCase)
        || Array.Exists(s_parts, part => text.Contains(part, StringComparison.OrdinalIgnoreCase))
        || text.Distinct().Count() <= 2;
}

using System.Globalization;
using Ingot.Yaml;

namespace Ingot.Evidence.Tests;

/// <summary>What goss's YAML library makes of a value without quotes: null, a truth value, a number, else text.</summary>
internal static class GossScalars
{
    public static YamlKind File { get; } = new(
        "a goss file",
        new YamlCodes(
            Syntax: "goss-yaml-syntax", TooLarge: "goss-yaml-syntax", Documents: "goss-yaml-documents", Key: "goss-yaml-key",
            DuplicateKey: "goss-yaml-duplicate", Merge: "goss-yaml-merge", Tag: "goss-yaml-tag"),
        DuplicateCure: "; goss would take the last one and ignore the others: merge them");

    extension(YamlScalar scalar)
    {
        public bool? AsTruth() => !scalar.IsPlain ? null : scalar.Text switch
        {
            "true" or "True" or "TRUE" => true,
            "false" or "False" or "FALSE" => false,
            _ => null,
        };

        public double? AsNumber()
        {
            string text = scalar.Text;
            if (!scalar.IsPlain || text.Length == 0 || !(char.IsAsciiDigit(text[0]) || text[0] is '-' or '+' or '.'))
                return null;

            const NumberStyles Real = NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent;
            return TryInteger(text, out long integer) ? integer
                : double.TryParse(text, Real, CultureInfo.InvariantCulture, out double real) ? real
                : null;
        }
    }

    extension(YamlNode node)
    {
        /// <summary>What people call it.</summary>
        public string GossKind => node switch
        {
            YamlScalar { IsNull: true } => "nothing",
            YamlScalar scalar when scalar.AsTruth() is not null => "a truth value",
            YamlScalar scalar when scalar.AsNumber() is not null => "a number",
            YamlScalar => "a text",
            YamlMap => "a map",
            _ => node.Kind,
        };
    }

    // A leading zero means octal there, so that 'mode: 0644' is the number 420.
    private static bool TryInteger(string text, out long value)
    {
        bool negative = text[0] == '-';
        var digits = text.AsSpan(negative || text[0] == '+' ? 1 : 0);
        bool good = digits switch
        {
            ['0', 'x' or 'X', .. var hex] => long.TryParse(hex, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out value),
            ['0', 'o' or 'O', .. var octal] => TryOctal(octal, out value),
            ['0', .. { Length: > 0 } octal] => TryOctal(octal, out value),
            _ => long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out value),
        };
        value = negative ? -value : value;
        return good;
    }

    private static bool TryOctal(ReadOnlySpan<char> digits, out long value)
    {
        value = 0;
        foreach (char c in digits)
        {
            if (c is < '0' or > '7')
                return false;
            value = (value * 8) + (c - '0');
        }

        return digits.Length is > 0 and < 20;
    }
}

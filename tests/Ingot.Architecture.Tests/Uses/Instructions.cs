using System.Reflection;
using System.Reflection.Emit;
using System.Reflection.Metadata;
using System.Reflection.Metadata.Ecma335;

namespace Ingot.Architecture.Tests.Uses;

/// <summary>Walks a method's code. The table of instructions is the base library's own: ECMA-335, partition III.</summary>
internal static class Instructions
{
    private const byte TwoByteLead = 0xFE;

    private static readonly Dictionary<short, OperandType> s_operands = typeof(OpCodes)
        .GetFields(BindingFlags.Public | BindingFlags.Static)
        .Select(field => (OpCode)field.GetValue(null)!)
        .ToDictionary(code => code.Value, code => code.OperandType);

    /// <summary>The types, methods, fields and signatures that the instructions name.</summary>
    public static List<EntityHandle> Tokens(BlobReader code)
    {
        var tokens = new List<EntityHandle>();
        while (code.RemainingBytes > 0)
        {
            byte first = code.ReadByte();
            short value = first == TwoByteLead ? (short)(first << 8 | code.ReadByte()) : first;
            var operand = s_operands[value];
            if (operand is OperandType.InlineField or OperandType.InlineMethod or OperandType.InlineTok or OperandType.InlineType
                or OperandType.InlineSig)
                tokens.Add(MetadataTokens.EntityHandle(code.ReadInt32()));
            else
                Skip(operand, ref code);
        }

        return tokens;
    }

    private static void Skip(OperandType operand, ref BlobReader code)
    {
        int size = operand switch
        {
            OperandType.InlineNone => 0,
            OperandType.ShortInlineBrTarget or OperandType.ShortInlineI or OperandType.ShortInlineVar => 1,
            OperandType.InlineVar => 2,
            OperandType.InlineI8 or OperandType.InlineR => 8,
            OperandType.InlineSwitch => code.ReadInt32() * 4,
            _ => 4,
        };
        code.Offset += size;
    }
}

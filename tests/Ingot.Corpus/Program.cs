using Ingot.Corpus;
using Ingot.Oci.Layouts;

// Half of scripts/compare-with-buildkit and scripts/compare-checkouts: what needs to know Ingot. All commands work on one directory,
// which holds a layout "bases".
//   bases DIRECTORY BUSYBOX [DEBIAN-ARCHIVE]    makes the bases
//   debian DIRECTORY ARCHIVE                    makes the archive of Debian's root
//   prepare DIRECTORY CORPUS [CASE...] makes contexts in cases/NAME, and the builder's arguments in cases/NAME/arguments, one a line record
//   DIRECTORY CORPUS BUILDER [CASE...] writes what results/NAME (a layout, or missing) holds beside the cases ingot DIRECTORY CORPUS
//   [CASE...] builds with Ingot and prints how it differs from the records digests DIRECTORY CORPUS [CASE...] builds with Ingot, without a
//   cache, and prints the digests same DIRECTORY DIRECTORY compares what two directories have in digests.txt, which "digests" printed
string[] names = args.Length > 3 ? args[3..] : [];
var tool = new CorpusTool(args[1], Console.Out);
return args[0] switch
{
    "bases" => await tool.MakeBasesAsync(args[2], args.ElementAtOrDefault(3)),
    "debian" => await CorpusTool.BootstrapAsync(args[2]),
    "prepare" => await tool.PrepareAsync(args[2], names),
    "record" => await tool.RecordAsync(args[2], args[3], args[4..]),
    "ingot" => await tool.CompareAsync(args[2], names),
    "digests" => await tool.DigestsAsync(args[2], names),
    "same" => await tool.SameAsync(args[2]),
    _ => throw new ArgumentException($"there is no command '{args[0]}'"),
};

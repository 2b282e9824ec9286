using System.Buffers.Binary;

namespace Ingot.Server.Tests.Ledger;

/// <summary>Finds the bytes of a SQLite database file that hold rows: the cells of every b-tree and their overflow pages
/// (<see href="https://www.sqlite.org/fileformat2.html">database file format</see>).</summary>
internal sealed class SqlitePages
{
    private const byte InteriorIndex = 2;
    private const byte InteriorTable = 5;
    private const byte LeafIndex = 10;
    private const byte LeafTable = 13;

    private readonly byte[] _file;
    private readonly int _pageSize;
    private readonly List<Range> _live = [];

    private SqlitePages(byte[] file)
    {
        _file = file;
        _pageSize = BinaryPrimitives.ReadUInt16BigEndian(file.AsSpan(16));
    }

    public static IReadOnlyList<Range> LiveRanges(byte[] file, IEnumerable<int> roots)
    {
        var pages = new SqlitePages(file);
        pages.Walk(1);
        foreach (int root in roots)
            pages.Walk(root);
        return pages._live;
    }

    private void Walk(int page)
    {
        int start = (page - 1) * _pageSize;
        int header = page == 1 ? start + 100 : start;
        byte type = _file[header];
        int cells = BinaryPrimitives.ReadUInt16BigEndian(_file.AsSpan(header + 3));
        int pointers = header + (type is InteriorIndex or InteriorTable ? 12 : 8);
        for (int i = 0; i < cells; i++)
            Cell(start + BinaryPrimitives.ReadUInt16BigEndian(_file.AsSpan(pointers + (2 * i))), type);
        if (type is InteriorIndex or InteriorTable)
            Walk(BinaryPrimitives.ReadInt32BigEndian(_file.AsSpan(header + 8)));
        else
            Assert.True(type is LeafIndex or LeafTable, $"page {page} has type {type}");
    }

    private void Cell(int at, byte type)
    {
        int begin = at;
        if (type is InteriorIndex or InteriorTable)
        {
            Walk(BinaryPrimitives.ReadInt32BigEndian(_file.AsSpan(at)));
            at += 4;
        }

        // The inner pages of a rowid table hold no rows.
        if (type == InteriorTable)
            return;

        int payload = (int)Varint(ref at);
        if (type == LeafTable)
            Varint(ref at);
        int max = type == LeafTable ? _pageSize - 35 : ((_pageSize - 12) * 64 / 255) - 23;
        int min = ((_pageSize - 12) * 32 / 255) - 23;
        int spill = min + ((payload - min) % (_pageSize - 4));
        int local = payload <= max ? payload : spill <= max ? spill : min;
        _live.Add(begin..(at + local + (local < payload ? 4 : 0)));
        if (local < payload)
            Overflow(BinaryPrimitives.ReadInt32BigEndian(_file.AsSpan(at + local)), payload - local);
    }

    private void Overflow(int page, int left)
    {
        int start = (page - 1) * _pageSize;
        int here = Math.Min(left, _pageSize - 4);
        _live.Add(start..(start + 4 + here));
        if (left > here)
            Overflow(BinaryPrimitives.ReadInt32BigEndian(_file.AsSpan(start)), left - here);
    }

    private long Varint(ref int at)
    {
        long value = 0;
        byte next;
        do
        {
            next = _file[at++];
            value = (value << 7) | (uint)(next & 0x7f);
        }
        while ((next & 0x80) != 0);
        return value;
    }
}

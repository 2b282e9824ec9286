// Each class under Lower uses Upper's type in one way; the tests of AssemblyUses look for exactly these.
#pragma warning disable CA1822, CA2211, CA1852, CA1812, CA1823, CS0169, CS0649, CA1051, CA1801, IDE0051, CS0414

namespace Ingot.Sample.Upper
{
    public class Thing
    {
        public static int Count;
        public static Thing? Make() => null;
        public static void Generic<T>() { }
        public static Thing operator +(Thing left, Thing right) => left;

        public class Inner;
    }

    public interface IThing;

    [AttributeUsage(AttributeTargets.All)]
    public sealed class ThingAttribute : Attribute;

    public sealed class ThingException : Exception;

    internal sealed class Secret
    {
        public static int Value => 1;
    }
}

namespace Ingot.Sample.Lower
{
    // Written without a using directive: from here, Upper is Ingot.Sample.Upper.
    public class ByBase : Upper.Thing;

    public class ByInterface : Upper.IThing;

    public class ByTypeArgumentOfBase : List<Upper.Thing>;

    public class ByConstraint<T> where T : Upper.Thing;

    public class ByField { public Upper.Thing? Field; }

    public class ByArrayField { public Upper.Thing[]? Field; }

    public class ByNestedType { public Upper.Thing.Inner? Field; }

    public class ByParameter { public void Take(Upper.Thing thing) => GC.KeepAlive(thing); }

    public class ByReturn { public Upper.Thing? Give() => null; }

    public class ByProperty { public Upper.Thing? Property => null; }

    public class ByEvent { public event EventHandler<Upper.Thing>? Happened { add { } remove { } } }

    public class ByCall { public object? Call() => Upper.Thing.Make(); }

    public class ByStaticField { public int Read() => Upper.Thing.Count; }

    public class ByTypeOf { public Type Name() => typeof(Upper.Thing); }

    public class ByCast { public bool Is(object other) => other is Upper.Thing; }

    public class ByNew { public object New() => new Upper.Thing(); }

    public class ByArray { public object New() => new Upper.Thing[1]; }

    public class ByTypeArgument { public void Call() => Array.Empty<Upper.Thing>().AsSpan().Clear(); }

    public class ByGenericCall { public void Call() => Upper.Thing.Generic<int>(); }

    public class ByAttribute { [Upper.Thing] public int Property => 1; }

    public class ByParameterAttribute { public void Take([Upper.Thing] int value) => GC.KeepAlive(value); }

    public class ByCatch
    {
        public void Call()
        {
            try { GC.Collect(); }
            catch (Upper.ThingException) { }
        }
    }

    public class ByLambda { public Func<object?> Call() => () => Upper.Thing.Make(); }

    public class ByAsync
    {
        public async Task<object?> CallAsync()
        {
            await Task.Yield();
            return Upper.Thing.Make();
        }
    }

    public class ByIterator
    {
        public IEnumerable<int> Each()
        {
            yield return Upper.Thing.Count;
        }
    }

    public class ByNested { private class Nested { public Upper.Thing? Field; } }

    public class AfterSwitch
    {
        public object? Call(int value) =>
            value switch { 0 => "a", 1 => "b", 2 => "c", 3 => "d", 4 => "e", 5 => 1.5, 6 => 1L << 40, _ => Upper.Thing.Make() };
    }

    public class ByInternalType { public int Read() => Upper.Secret.Value; }

    public class NotAtAll { public string Name() => nameof(Upper.Thing); }
}

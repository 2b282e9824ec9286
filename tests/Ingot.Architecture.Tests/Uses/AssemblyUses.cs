using System.Collections.Immutable;
using System.Reflection;
using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;

namespace Ingot.Architecture.Tests.Uses;

/// <summary>
/// Reads from a built assembly which type uses which: base types, interfaces, constraints, fields, signatures, local variables,
/// attributes, caught exceptions and the tokens of every method's code. Blind to <c>const</c> values, <c>nameof</c> and
/// <c>typeof</c> in an attribute: the compiler leaves no reference of those.
/// </summary>
public sealed class AssemblyUses
{
    private readonly PEReader _file;
    private readonly MetadataReader _metadata;
    private readonly HashSet<Use> _uses = [];
    private readonly SignatureWalker _signatures;
    private string _where = "";
    private string _by = "";
    private string _from = "";

    private AssemblyUses(PEReader file)
    {
        _file = file;
        _metadata = file.GetMetadataReader();
        _signatures = new SignatureWalker(this);
    }

    /// <summary>All uses in the assembly at <paramref name="path"/>, also of types of other assemblies.</summary>
    public static IReadOnlyCollection<Use> Read(string path)
    {
        using var file = new PEReader(File.OpenRead(path));
        var reader = new AssemblyUses(file);
        reader.ReadTypes();
        return reader._uses;
    }

    /// <summary>The names of the assemblies that the one at <paramref name="path"/> refers to.</summary>
    public static IReadOnlyList<string> References(string path)
    {
        using var file = new PEReader(File.OpenRead(path));
        var metadata = file.GetMetadataReader();
        return [.. metadata.AssemblyReferences.Select(handle => metadata.GetString(metadata.GetAssemblyReference(handle).Name))];
    }

    /// <summary>The full names of the types that are not nested in another.</summary>
    public static IReadOnlyList<string> OuterTypes(string path)
    {
        using var file = new PEReader(File.OpenRead(path));
        var metadata = file.GetMetadataReader();
        return [.. metadata.TypeDefinitions.Select(metadata.GetTypeDefinition).Where(type => !type.IsNested)
            .Select(type => Join(metadata.GetString(type.Namespace), metadata.GetString(type.Name)))];
    }

    private void ReadTypes()
    {
        foreach (var handle in _metadata.TypeDefinitions)
        {
            var outer = _metadata.GetTypeDefinition(Outermost(handle));
            _from = _metadata.GetString(outer.Namespace);
            _by = Join(_from, _metadata.GetString(outer.Name));
            ReadType(handle, TypeName(handle));
        }
    }

    private void ReadType(TypeDefinitionHandle handle, string name)
    {
        var type = _metadata.GetTypeDefinition(handle);
        _where = name;
        Add(type.BaseType);
        foreach (var implementation in type.GetInterfaceImplementations())
            Add(_metadata.GetInterfaceImplementation(implementation).Interface);
        AddConstraints(type.GetGenericParameters());
        AddAttributes(type.GetCustomAttributes());
        foreach (var property in type.GetProperties())
            AddAttributes(_metadata.GetPropertyDefinition(property).GetCustomAttributes());

        foreach (var field in type.GetFields())
            ReadField(_metadata.GetFieldDefinition(field), name);
        foreach (var method in type.GetMethods())
            ReadMethod(_metadata.GetMethodDefinition(method), name);
    }

    private void ReadField(FieldDefinition field, string type)
    {
        _where = Join(type, _metadata.GetString(field.Name));
        field.DecodeSignature(_signatures, null);
        AddAttributes(field.GetCustomAttributes());
    }

    private void ReadMethod(MethodDefinition method, string type)
    {
        _where = Join(type, _metadata.GetString(method.Name));
        method.DecodeSignature(_signatures, null);
        AddConstraints(method.GetGenericParameters());
        AddAttributes(method.GetCustomAttributes());
        foreach (var parameter in method.GetParameters())
            AddAttributes(_metadata.GetParameter(parameter).GetCustomAttributes());
        if (method.RelativeVirtualAddress != 0)
            ReadBody(_file.GetMethodBody(method.RelativeVirtualAddress));
    }

    private void ReadBody(MethodBodyBlock body)
    {
        if (!body.LocalSignature.IsNil)
            _metadata.GetStandaloneSignature(body.LocalSignature).DecodeLocalSignature(_signatures, null);
        foreach (var region in body.ExceptionRegions)
            Add(region.CatchType);
        foreach (var token in Instructions.Tokens(body.GetILReader()))
            Add(token);
    }

    private void AddConstraints(GenericParameterHandleCollection parameters)
    {
        foreach (var parameter in parameters)
        {
            foreach (var constraint in _metadata.GetGenericParameter(parameter).GetConstraints())
                Add(_metadata.GetGenericParameterConstraint(constraint).Type);
        }
    }

    private void AddAttributes(CustomAttributeHandleCollection attributes)
    {
        foreach (var attribute in attributes)
            Add(_metadata.GetCustomAttribute(attribute).Constructor);
    }

    // Of a member, its type counts and not its signature: a caller that says nothing of an optional parameter does not use its type.
    private void Add(EntityHandle handle)
    {
        if (handle.IsNil)
            return;
        switch (handle.Kind)
        {
            case HandleKind.TypeDefinition:
                AddDefinition((TypeDefinitionHandle)handle);
                break;
            case HandleKind.TypeReference:
                AddReference((TypeReferenceHandle)handle);
                break;
            case HandleKind.TypeSpecification:
                _metadata.GetTypeSpecification((TypeSpecificationHandle)handle).DecodeSignature(_signatures, null);
                break;
            case HandleKind.MethodDefinition:
                AddDefinition(_metadata.GetMethodDefinition((MethodDefinitionHandle)handle).GetDeclaringType());
                break;
            case HandleKind.FieldDefinition:
                AddDefinition(_metadata.GetFieldDefinition((FieldDefinitionHandle)handle).GetDeclaringType());
                break;
            case HandleKind.MemberReference:
                Add(_metadata.GetMemberReference((MemberReferenceHandle)handle).Parent);
                break;
            case HandleKind.MethodSpecification:
                var generic = _metadata.GetMethodSpecification((MethodSpecificationHandle)handle);
                generic.DecodeSignature(_signatures, null);
                Add(generic.Method);
                break;
            case HandleKind.StandaloneSignature:
                _metadata.GetStandaloneSignature((StandaloneSignatureHandle)handle).DecodeMethodSignature(_signatures, null);
                break;
        }
    }

    private void AddDefinition(TypeDefinitionHandle handle)
    {
        var outer = _metadata.GetTypeDefinition(Outermost(handle));
        bool isInternal = (outer.Attributes & TypeAttributes.VisibilityMask) != TypeAttributes.Public;
        Add(_metadata.GetString(outer.Namespace), _metadata.GetString(outer.Name), isInternal);
    }

    private void AddReference(TypeReferenceHandle handle)
    {
        var type = _metadata.GetTypeReference(handle);
        while (type.ResolutionScope.Kind == HandleKind.TypeReference)
            type = _metadata.GetTypeReference((TypeReferenceHandle)type.ResolutionScope);
        Add(_metadata.GetString(type.Namespace), _metadata.GetString(type.Name), isInternal: false);
    }

    private void Add(string to, string name, bool isInternal) => _uses.Add(new Use(_where, _by, _from, Join(to, name), to, isInternal));

    private TypeDefinitionHandle Outermost(TypeDefinitionHandle handle)
    {
        for (var type = _metadata.GetTypeDefinition(handle); type.IsNested; type = _metadata.GetTypeDefinition(handle))
            handle = type.GetDeclaringType();
        return handle;
    }

    private string TypeName(TypeDefinitionHandle handle)
    {
        var type = _metadata.GetTypeDefinition(handle);
        string parent = type.IsNested ? TypeName(type.GetDeclaringType()) : _metadata.GetString(type.Namespace);
        return Join(parent, _metadata.GetString(type.Name));
    }

    private static string Join(string parent, string name) => parent.Length == 0 ? name : $"{parent}.{name}";

    /// <summary>Meets every type of a signature; what it makes of them does not matter.</summary>
    private sealed class SignatureWalker(AssemblyUses uses) : ISignatureTypeProvider<bool, object?>
    {
        public bool GetTypeFromDefinition(MetadataReader reader, TypeDefinitionHandle handle, byte rawTypeKind) => Meet(handle);
        public bool GetTypeFromReference(MetadataReader reader, TypeReferenceHandle handle, byte rawTypeKind) => Meet(handle);
        public bool GetTypeFromSpecification(
            MetadataReader reader, object? genericContext, TypeSpecificationHandle handle, byte rawTypeKind) =>
            Meet(handle);
        public bool GetArrayType(bool elementType, ArrayShape shape) => true;
        public bool GetByReferenceType(bool elementType) => true;
        public bool GetFunctionPointerType(MethodSignature<bool> signature) => true;
        public bool GetGenericInstantiation(bool genericType, ImmutableArray<bool> typeArguments) => true;
        public bool GetGenericMethodParameter(object? genericContext, int index) => true;
        public bool GetGenericTypeParameter(object? genericContext, int index) => true;
        public bool GetModifiedType(bool modifier, bool unmodifiedType, bool isRequired) => true;
        public bool GetPinnedType(bool elementType) => true;
        public bool GetPointerType(bool elementType) => true;
        public bool GetPrimitiveType(PrimitiveTypeCode typeCode) => true;
        public bool GetSZArrayType(bool elementType) => true;

        private bool Meet(EntityHandle handle)
        {
            uses.Add(handle);
            return true;
        }
    }
}

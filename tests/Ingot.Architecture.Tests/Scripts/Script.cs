using System.Diagnostics;
using Ingot.Testing;

namespace Ingot.Architecture.Tests.Scripts;

/// <summary>How a script ended and what it said.</summary>
internal sealed record ScriptResult(int ExitCode, string Output, string Error);

/// <summary>A directory with programs that stand in for those of a host, to run a script in.</summary>
internal sealed class Script : IDisposable
{
    // What the scripts call of the base system, so that nothing else is found by accident.
    private static readonly string[] s_programs =
        ["bash", "awk", "basename", "cat", "chmod", "cmp", "cp", "date", "dirname", "env", "find", "flock", "mkdir", "mktemp", "mv",
            "readlink", "rm", "sh", "sleep", "sort", "tail", "timeout", "touch"];

    public Script()
    {
        Directory = System.IO.Directory.CreateTempSubdirectory("ingot-script-").FullName;
        System.IO.Directory.CreateDirectory(PathOf("bin"));
        foreach (string program in s_programs)
            Link(program);
    }

    public string Directory { get; }

    public string PathOf(string file) => Path.Combine(Directory, file);

    public string Read(string file) => File.Exists(PathOf(file)) ? File.ReadAllText(PathOf(file)) : "";

    public void Write(string file, string text)
    {
        System.IO.Directory.CreateDirectory(Path.GetDirectoryName(PathOf(file))!);
        File.WriteAllText(PathOf(file), text);
    }

    /// <summary>Writes a program in the language of the shell.</summary>
    public void WriteProgram(string file, string text)
    {
        Write(file, "#!/bin/bash\n" + text + "\n");
        MakeExecutable(PathOf(file));
    }

    /// <summary>Has scripts find a program of the host.</summary>
    public void Link(string program) => File.CreateSymbolicLink(PathOf("bin/" + program), HostProgram(program));

    /// <summary>Copies a file of the repository to the same place here.</summary>
    public void Copy(string file)
    {
        System.IO.Directory.CreateDirectory(Path.GetDirectoryName(PathOf(file))!);
        File.Copy(Path.Combine(Repository.Root, file), PathOf(file));
    }

    public ScriptResult Run(string program, params string[] arguments) => Wait(Start(program, arguments));

    public ScriptResult Run(IReadOnlyDictionary<string, string> variables, string program, params string[] arguments) =>
        Wait(Start(variables, program, arguments));

    public Process Start(string program, params string[] arguments) => Start(new Dictionary<string, string>(), program, arguments);

    public Process Start(IReadOnlyDictionary<string, string> variables, string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program.StartsWith('/') ? program : PathOf(program), arguments)
        {
            WorkingDirectory = Directory,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment.Clear();
        start.Environment["PATH"] = PathOf("bin");
        start.Environment["HERE"] = Directory;
        foreach (var (name, value) in variables)
            start.Environment[name] = value;
        start.Environment["SUITE_TIME_LIMIT"] = "1s";
        return Process.Start(start)!;
    }

    public static ScriptResult Wait(Process process)
    {
        using (process)
        {
            var error = process.StandardError.ReadToEndAsync();
            string output = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            return new ScriptResult(process.ExitCode, output, error.Result);
        }
    }

    public void Dispose() => System.IO.Directory.Delete(Directory, recursive: true);

    public static void MakeExecutable(string path)
    {
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(path,
                File.GetUnixFileMode(path) | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute);
    }

    private static string HostProgram(string name) =>
        new[] { "/usr/bin", "/bin" }.Select(directory => Path.Combine(directory, name)).First(File.Exists);
}

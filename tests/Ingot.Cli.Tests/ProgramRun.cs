namespace Ingot.Cli.Tests;

/// <summary>One run of the program in this process, with a home of its own and a server address at which nobody listens.</summary>
internal sealed record ProgramRun(int ExitCode, string Output, string Error)
{
    private static readonly string s_home = Directory.CreateTempSubdirectory("ingot-cli-tests-").FullName;

    public static async Task<ProgramRun> Of(params string[] arguments)
    {
        Environment.SetEnvironmentVariable("INGOT_HOME", s_home);
        Environment.SetEnvironmentVariable("INGOT_SERVER", "http://127.0.0.1:9");
        var output = new StringWriter();
        var error = new StringWriter();
        int exitCode = await Application.RunAsync(arguments, output, error, outputIsTerminal: false, errorIsTerminal: false);
        return new ProgramRun(exitCode, output.ToString(), error.ToString());
    }
}

using Ingot.Cli;

return await Application.RunAsync(args, Console.Out, Console.Error, outputIsTerminal: !Console.IsOutputRedirected,
    errorIsTerminal: !Console.IsErrorRedirected);

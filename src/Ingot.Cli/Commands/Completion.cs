using System.CommandLine;
using System.Text;

namespace Ingot.Cli.Commands;

/// <summary>Scripts that complete the program's commands and options in shells. All in them is known now:
/// completing runs no program.</summary>
internal static class Completion
{
    // In words of bash and zsh: the command so far is found by following known commands and leaving out options with their values.
    private const string Bash1 = """
        _ingot() {
            local cur=${COMP_WORDS[COMP_CWORD]} prev='' path='' word i
            local IFS=$' \t\n'
            COMPREPLY=()
            # '=' is a word of its own.
            [[ $cur == '=' ]] && cur=''
            ((COMP_CWORD > 0)) && prev=${COMP_WORDS[COMP_CWORD - 1]}
            if [[ $prev == '=' || ${COMP_WORDS[COMP_CWORD]} == '=' ]]; then
                i=$COMP_CWORD
                [[ ${COMP_WORDS[i]} == '=' ]] || i=$((i - 1))
                prev=${COMP_WORDS[i - 1]}
            fi
            for ((i = 1; i < COMP_CWORD; i++)); do
                word=${COMP_WORDS[i]}
                if _ingot_takes_value "$path" "$word"; then
                    [[ ${COMP_WORDS[i + 1]} == '=' ]] && i=$((i + 1))
                    i=$((i + 1))
                elif [[ " $(_ingot_commands "$path") " == *" $word "* ]]; then
                    path=${path:+$path }$word
                fi
            done
            if _ingot_takes_value "$path" "$prev"; then
                local values
                values=$(_ingot_values "$path" "$prev")
                if [[ $values == '<path>' ]]; then
                    compopt -o filenames 2> /dev/null
                    mapfile -t COMPREPLY < <(compgen -f -- "$cur")
                else
                    mapfile -t COMPREPLY < <(compgen -W "$values" -- "$cur")
                fi
            elif [[ $cur == -* ]]; then
                mapfile -t COMPREPLY < <(compgen -W "$(_ingot_options "$path") $(_ingot_options '') --help" -- "$cur")
            else
                mapfile -t COMPREPLY < <(compgen -W "$(_ingot_commands "$path")" -- "$cur")
                if [[ ${#COMPREPLY[@]} -eq 0 ]] && _ingot_takes_paths "$path"; then
                    compopt -o filenames 2> /dev/null
                    mapfile -t COMPREPLY < <(compgen -f -- "$cur")
                fi
            fi
        }
        complete -F _ingot ingot

        """;

    private const string Zsh1 = """
        _ingot() {
            local cur=${words[CURRENT]} prev=${words[CURRENT-1]} cmd='' word
            integer i
            for ((i = 2; i < CURRENT; i++)); do
                word=${words[i]}
                if _ingot_takes_value "$cmd" "$word"; then
                    i=$((i + 1))
                elif [[ " $(_ingot_commands "$cmd") " == *" $word "* ]]; then
                    cmd=${cmd:+$cmd }$word
                fi
            done
            if _ingot_takes_value "$cmd" "$prev"; then
                local values=$(_ingot_values "$cmd" "$prev")
                if [[ $values == '<path>' ]]; then _files; else compadd -- ${=values}; fi
            elif [[ $cur == -* ]]; then
                compadd -- $(_ingot_options "$cmd") $(_ingot_options '') --help
            else
                compadd -- $(_ingot_commands "$cmd")
                _ingot_takes_paths "$cmd" && _files
            fi
        }
        compdef _ingot ingot

        """;

    /// <summary>For bash.</summary>
    public static string Bash(IReadOnlyList<CommandPage> pages) =>
        $"# bash completion for ingot, written by 'ingot completion bash'\n{Tables(pages)}{Bash1}";

    /// <summary>For zsh.</summary>
    public static string Zsh(IReadOnlyList<CommandPage> pages) =>
        $"#compdef ingot\n# zsh completion for ingot, written by 'ingot completion zsh'\n{Tables(pages)}{Zsh1}";

    /// <summary>For fish.</summary>
    public static string Fish(IReadOnlyList<CommandPage> pages)
    {
        StringBuilder text = new("# fish completion for ingot, written by 'ingot completion fish'\ncomplete -c ingot -f\n");
        foreach (var page in pages)
        {
            string condition = FishCondition(page);
            foreach (var command in page.Subcommands)
                text.Append($"complete -c ingot {condition}-a {command.Name} -d {Quoted(command.Description)}\n");
            // The options of the program are those of every command.
            string options = page.Path.Length == 0 ? "" : condition;
            foreach (var option in page.Options)
                text.Append($"complete -c ingot {options}{FishNames(option)}{FishValue(option)} -d {Quoted(option.Description)}\n");
            if (page.Command.Arguments.Any(a => CommandPage.IsPath(a.Name)))
                text.Append($"complete -c ingot {condition}-F\n");
        }

        return text.ToString();
    }

    private static string FishCondition(CommandPage page)
    {
        string[] words = page.Path.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        string seen = string.Join("; and ", words.Select(word => $"__fish_seen_subcommand_from {word}"));
        string known = string.Join(' ', page.Subcommands.Select(c => c.Name));
        string behind = known.Length == 0 ? "" : $"not __fish_seen_subcommand_from {known}";
        string both = string.Join("; and ", new[] { seen, behind }.Where(part => part.Length > 0));
        return $"-n {Quoted(both)} ";
    }

    private static string FishNames(Option option) => string.Join(' ', CommandPage.NamesOf(option).Select(name =>
        name.StartsWith("--", StringComparison.Ordinal) ? $"-l {name[2..]}" : $"-s {name[1..]}"));

    private static string FishValue(Option option) => CommandPage.IsSwitch(option) ? ""
        : CommandPage.IsPath(option.HelpName) ? " -r -F"
        : CommandPage.ValuesOf(option) is { Count: > 0 } values ? $" -x -a {Quoted(string.Join(' ', values))}"
        : " -x";

    // What bash and zsh look up, by command.
    private static string Tables(IReadOnlyList<CommandPage> pages)
    {
        StringBuilder text = new();
        Table(text, "_ingot_commands", pages.Select(p => (p.Path, string.Join(' ', p.Subcommands.Select(c => c.Name)))));
        Table(text, "_ingot_options", pages.Select(p => (p.Path, string.Join(' ', p.Options.SelectMany(CommandPage.NamesOf)))));
        var values = from page in pages
                     from option in page.Options
                     where !CommandPage.IsSwitch(option)
                     from name in CommandPage.NamesOf(option)
                     select (Key: $"{page.Path}|{name}", Values: ValuesText(option), IsGlobal: page.Path.Length == 0);
        text.Append("_ingot_values() {\n    case \"$1|$2\" in\n");
        foreach (var (key, allowed, isGlobal) in values.OrderBy(v => v.IsGlobal))
            text.Append($"        {(isGlobal ? "*" : "")}'{key}') echo '{allowed}' ;;\n");
        text.Append("        *) return 1 ;;\n    esac\n}\n_ingot_takes_value() { _ingot_values \"$1\" \"$2\" > /dev/null; }\n");
        text.Append("_ingot_takes_paths() {\n    case \"$1\" in\n");
        foreach (var page in pages.Where(p => p.Command.Arguments.Any(a => CommandPage.IsPath(a.Name))))
            text.Append($"        '{page.Path}') return 0 ;;\n");
        return text.Append("        *) return 1 ;;\n    esac\n}\n").ToString();
    }

    private static void Table(StringBuilder text, string name, IEnumerable<(string Key, string Words)> rows)
    {
        text.Append(name).Append("() {\n    case \"$1\" in\n");
        foreach (var (key, words) in rows.Where(row => row.Words.Length > 0))
            text.Append($"        '{key}') echo '{words}' ;;\n");
        text.Append("    esac\n}\n");
    }

    private static string ValuesText(Option option) =>
        CommandPage.IsPath(option.HelpName) ? "<path>" : string.Join(' ', CommandPage.ValuesOf(option));

    private static string Quoted(string? text) =>
        $"'{(text ?? "").Replace("\\", "\\\\", StringComparison.Ordinal).Replace("'", "\\'", StringComparison.Ordinal)}'";
}

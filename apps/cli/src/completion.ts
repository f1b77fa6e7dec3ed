// `sluice completion`: prints what a shell needs to complete commands, options and their values. It is made from the commands
// themselves, and asks no relay.

import { Argument, type Command } from "commander";

import type { CliContext } from "./cli-context.ts";
import { completedValues } from "./options.ts";

/** One command: its words after `sluice`, and what can follow them. */
interface CompletedCommand {
  words: readonly string[];
  commands: { name: string; description: string }[];
  options: CompletedOption[];
  /** What its arguments can be, as far as that is known here. */
  values: readonly string[];
}

interface CompletedOption {
  flag: string;
  description: string;
  takesValue: boolean;
  values: readonly string[];
}

const SHELLS = { bash: bashScript, zsh: zshScript, fish: fishScript };

export function addCompletion(program: Command, context: CliContext): void {
  program
    .command("completion")
    .description("print the completion for a shell")
    .addArgument(new Argument("<shell>", "the shell that reads it").choices(Object.keys(SHELLS)))
    .addHelpText(
      "after",
      '\nbash: eval "$(sluice completion bash)"\nzsh:  eval "$(sluice completion zsh)"\nfish: sluice completion fish | source',
    )
    .action((shell: keyof typeof SHELLS) => void context.stdout.write(SHELLS[shell](readCommands(program))));
}

function readCommands(command: Command, words: readonly string[] = []): CompletedCommand[] {
  // A group lists when no command is named (list-command.ts), so that it takes the options of its list, too.
  const list = command.commands.find((one) => one.name() === "list");
  const own: CompletedCommand = {
    words,
    commands: command.commands.map((one) => ({ name: one.name(), description: one.description() })),
    options: [
      ...[...command.options, ...(list?.options ?? [])]
        .filter(({ hidden }) => !hidden)
        .map((option) => ({
          flag: option.long ?? option.short ?? "",
          description: firstClause(option.description),
          takesValue: option.required,
          values: option.required ? completedValues(option) : [],
        })),
      { flag: "--help", description: "show this help", takesValue: false, values: [] },
    ],
    values: command.registeredArguments.flatMap(completedValues),
  };
  return [own, ...command.commands.flatMap((one) => readCommands(one, [...words, one.name()]))];
}

/** A shell has one line for each option. */
const firstClause = (description: string) => description.split(/[,.;:]/)[0] ?? "";

/** A line of the `case` by which a script finds out which command is being typed. */
const namedPaths = (commands: readonly CompletedCommand[]) =>
  commands
    .filter(({ words }) => words.length > 0)
    .map(({ words }) => `"${words.join(" ")}"`)
    .join("|");

/** The options that take a value, each for the `case` of what was typed before. */
const flagsWithValue = (commands: readonly CompletedCommand[]) =>
  [...new Set(commands.flatMap(({ options }) => options.filter((one) => one.takesValue).map(({ flag }) => flag)))].join(
    "|",
  );

/** A line of the `case` for each option whose values are known. */
const valueLines = (commands: readonly CompletedCommand[], act: (values: string) => string) =>
  commands.flatMap(({ words, options }) =>
    options
      .filter(({ values }) => values.length > 0)
      .map(({ flag, values }) => `    "${words.join(" ")}:${flag}") ${act(values.join(" "))} ;;`),
  );

function bashScript(commands: readonly CompletedCommand[]): string {
  const cases = commands.map(({ words, commands: inner, options, values }) => {
    const all = [...inner.map(({ name }) => name), ...values, ...options.map(({ flag }) => flag)];
    return `    "${words.join(" ")}") words="${all.join(" ")}" ;;`;
  });
  return `_sluice() {
  local current="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD-1]}" path="" next words word
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    next="\${path:+$path }$word"
    case "$next" in
      ${namedPaths(commands)}) path="$next" ;;
    esac
  done
  case "$path" in
${cases.join("\n")}
  esac
  # The value of an option; of most of them a file, or anything.
  case "$before" in ${flagsWithValue(commands)}) words="" ;; esac
  case "$path:$before" in
${valueLines(commands, (values) => `words="${values}"`).join("\n")}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _sluice sluice
`;
}

const quoteForZsh = (text: string) => `'${text.replaceAll("'", String.raw`'\''`)}'`;

/** `_describe` ends a name at the first colon. */
const describeForZsh = (name: string, description: string) => quoteForZsh(`${name}:${description}`);

/** It can be evaluated, or be the file `_sluice` in a directory of `fpath`. */
function zshScript(commands: readonly CompletedCommand[]): string {
  const cases = commands.map(({ words, commands: inner, options, values }) => {
    const names = [
      ...inner.map(({ name, description }) => describeForZsh(name, description)),
      ...values.map(quoteForZsh),
    ].join(" ");
    const flags = options.map(({ flag, description }) => describeForZsh(flag, description)).join(" ");
    return `    "${words.join(" ")}") commands=(${names}); options=(${flags}) ;;`;
  });
  return `#compdef sluice
_sluice() {
  local typed="" next word
  local -a commands options choices
  for word in \${words[2,CURRENT-1]}; do
    next="\${typed:+$typed }$word"
    case "$next" in
      ${namedPaths(commands)}) typed="$next" ;;
    esac
  done
  case "$typed" in
${cases.join("\n")}
  esac
  # The value of an option; of most of them a file, or anything.
  case "$typed:\${words[CURRENT-1]}" in
${valueLines(commands, (values) => `choices=(${values})`).join("\n")}
  esac
  if (( \${#choices} )); then _describe -t values value choices; return; fi
  case "\${words[CURRENT-1]}" in ${flagsWithValue(commands)}) _files; return ;; esac
  if [[ "\${words[CURRENT]}" == -* ]]; then _describe -t options option options
  elif (( \${#commands} )); then _describe -t commands command commands
  else _files; fi
}
if [[ "\${funcstack[1]}" == _sluice ]]; then
  _sluice "$@"
else
  (( \${+functions[compdef]} )) || { autoload -Uz compinit && compinit }
  compdef _sluice sluice
fi
`;
}

const quoteForFish = (text: string) => `'${text.replaceAll("\\", "\\\\").replaceAll("'", String.raw`\'`)}'`;

function fishScript(commands: readonly CompletedCommand[]): string {
  const groups = new Map(commands.map((one) => [one.words.join(" "), one.commands.map(({ name }) => name)]));
  const lines = commands.flatMap(({ words, commands: inner, options, values: own }) => {
    const seen = words.map((word) => `__fish_seen_subcommand_from ${word}`);
    const left = groups.get(words.join(" ")) ?? [];
    const none = left.length > 0 ? [`not __fish_seen_subcommand_from ${left.join(" ")}`] : [];
    const condition = [...seen, ...none].join("; and ");
    const when = condition === "" ? "" : ` -n ${quoteForFish(condition)}`;
    return [
      ...inner.map(
        ({ name, description }) => `complete -c sluice -f${when} -a ${name} -d ${quoteForFish(description)}`,
      ),
      ...(own.length > 0 ? [`complete -c sluice -f${when} -a ${quoteForFish(own.join(" "))}`] : []),
      ...options.map(({ flag, description, takesValue, values }) => {
        const value = values.length > 0 ? ` -x -a ${quoteForFish(values.join(" "))}` : takesValue ? " -r" : "";
        return `complete -c sluice${when} -l ${flag.replace(/^--?/, "")}${value} -d ${quoteForFish(description)}`;
      }),
    ];
  });
  return `${lines.join("\n")}\n`;
}

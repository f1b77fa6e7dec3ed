// The reference of the command `sluice`, made from its commands: the part of docs/cli.md between two marks, and the man page.

import { openProgram } from "@sluice/cli/program";
import { EXIT } from "@sluice/cli/exit-codes";
import { SLUICE_VERSION } from "@sluice/shared/domain/version";

type Command = ReturnType<typeof openProgram>;
type Option = Command["options"][number];

const BEGIN = "<!-- The commands: made by `npm test -- cli-reference -u` from here … -->";
const END = "<!-- … to here -->";
/** Options that many commands have. They are explained once. */
const COMMON_GROUPS = ["Relay:", "Output:"];

interface Described {
  words: string;
  usage: string;
  description: string;
  options: Option[];
  command: Command;
}

function openCommands(): Command {
  return openProgram({} as Parameters<typeof openProgram>[0]);
}

/** Each command that does something, with its words. */
function describe(command: Command, above: string): Described[] {
  const words = `${above}${command.name()}`;
  if (command.commands.length > 0) return command.commands.flatMap((one) => describe(one, `${words} `));
  const options = command.options.filter(({ hidden }) => !hidden);
  const parameters = command.registeredArguments.map((one) => (one.required ? `<${one.name()}>` : `[${one.name()}]`));
  return [{ words, usage: [words, ...parameters].join(" "), description: command.description(), options, command }];
}

const isCommon = ({ helpGroupHeading: heading }: Option) => heading !== undefined && COMMON_GROUPS.includes(heading);

function commonOptions(commands: readonly Described[]): Option[] {
  const all = commands.flatMap(({ options }) => options.filter(isCommon));
  return [...new Map(all.map((option) => [option.flags, option])).values()];
}

/** @returns the page with its generated part made anew. */
export function writeCliPage(page: string): string {
  const [before = "", rest = ""] = page.split(`${BEGIN}\n`);
  const after = rest.split(END)[1] ?? "";
  return `${before}${BEGIN}\n\n${commandsAsMarkdown()}\n${END}${after}`;
}

function commandsAsMarkdown(): string {
  const commands = describe(openCommands(), "");
  const sections = commands.map(({ words, usage, description, options }) => {
    const own = options.filter((option) => !isCommon(option));
    const common = options.filter(isCommon).map(({ long }) => `\`${long}\``);
    return [
      `### ${words}`,
      `\`${usage}\`: ${cell(description)}.`,
      ...(own.length > 0 ? [optionTable(own)] : []),
      ...(common.length > 0 ? [`Also ${common.join(", ")}.`] : []),
    ].join("\n\n");
  });
  return `### Options that many commands have\n\n${optionTable(commonOptions(commands))}\n\n${sections.join("\n\n")}\n`;
}

function optionTable(options: readonly Option[]): string {
  const rows = options.map(
    (option) => `| \`${option.flags.replaceAll("|", String.raw`\|`)}\` | ${cell(describeOption(option))} |`,
  );
  return ["| option | |", "| --- | --- |", ...rows].join("\n");
}

const describeOption = ({ description, defaultValue, negate }: Option) =>
  description + (defaultValue === undefined || negate ? "" : ` (default: ${defaultValue})`);

/** Text of a table or a paragraph: what markdown would take for marks or tags stays what it is. */
const cell = (text: string) =>
  text
    .split(/(`[^`]*`)/)
    .map((part) => (part.startsWith("`") ? part : part.replaceAll(/[<>*_[\]]/g, String.raw`\$&`)))
    .join("")
    .replaceAll("|", String.raw`\|`);

const ENVIRONMENT: readonly [string, string][] = [
  ["SLUICE_API", "The address of the API, such as https://relay.example.com."],
  ["SLUICE_API_KEY, SLUICE_API_KEY_FILE", "The API key, or the file that holds it."],
  ["NO_COLOR", "When it has a value, there are no colours."],
  ["XDG_CONFIG_HOME", "Where the profiles are: sluice/profiles.json below it, else below ~/.config."],
];

const EXIT_TEXTS: Record<keyof typeof EXIT, string> = {
  ok: "Done.",
  failed: "Failed.",
  usage: "The command line or a setting is wrong.",
  notAllowed: "Not allowed.",
  notFoundOrConflict: "Not found, or a conflict with what is there.",
  unavailable: "PostgreSQL, Redis or the relay is away: try again.",
  interrupted: "Ended by Ctrl-C.",
};

/** @returns the man page, for the macros of man(7). */
export function writeManPage(): string {
  const commands = describe(openCommands(), "");
  const entry = (term: string, text: string) => [".TP", `.B ${roff(term)}`, roff(text)];
  const optionEntries = (options: readonly Option[]) =>
    options.flatMap((option) => entry(option.flags, describeOption(option)));
  return `${[
    `.TH SLUICE 1 "" "Sluice ${SLUICE_VERSION}" "User Commands"`,
    ".SH NAME",
    roff("sluice - operates a Sluice relay"),
    ".SH SYNOPSIS",
    String.raw`.B sluice`,
    String.raw`.I command`,
    "[options]",
    ".SH DESCRIPTION",
    roff(
      "Sluice is a self-hosted webhook relay for the Gemini API. This command reads its log, and changes its sources, targets and keys.",
    ),
    roff("Data goes to stdout, and everything for people to stderr. docs/cli.md of the repository explains the rest."),
    ".SH COMMON OPTIONS",
    ...optionEntries(commonOptions(commands)),
    ".SH COMMANDS",
    ...commands.flatMap(({ usage, description, options }) => [
      `.SS ${roff(usage)}`,
      `${roff(description.charAt(0).toUpperCase() + description.slice(1))}.`,
      ...optionEntries(options.filter((option) => !isCommon(option))),
    ]),
    ".SH EXIT STATUS",
    ...Object.entries(EXIT).flatMap(([name, code]) => entry(String(code), EXIT_TEXTS[name as keyof typeof EXIT])),
    ".SH ENVIRONMENT",
    ...ENVIRONMENT.flatMap(([name, text]) => entry(name, text)),
  ].join("\n")}\n`;
}

/** A hyphen must stay one when it is copied, and a line must not begin a request. */
const roff = (text: string) =>
  text
    .replaceAll("\\", String.raw`\e`)
    .replaceAll("-", String.raw`\-`)
    .replaceAll(/^([.'])/gm, String.raw`\&$1`);

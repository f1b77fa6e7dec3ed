// Options that stand for the fields of an endpoint's query or body: `--retry-base-seconds 5` for `{"retry": {"base_seconds": 5}}`. They
// come from the list of endpoints, so the command has what the API has, by the same words.

import type { ApiField } from "@sluice/client/api-endpoint";
import { type Command, InvalidArgumentError, Option } from "commander";

import type { CliContext } from "../cli-context.ts";
import { completeWith, readGivenFile, timeIn } from "../options.ts";

type FieldValues = Record<string, unknown>;

interface PlacedField {
  path: readonly string[];
  field: ApiField;
}

/** These may hold a comma, so they are given one by one. */
const NO_COMMAS = ["label", "user_metadata", "audiences", "issuers", "token_types", "public_keys"];
/** Times of the past. All others are of the future. */
const PAST = ["since", "until"];
/** The API takes the ids of targets, and the command their names, too. */
const NAMED = ["target", "targets"];
/** A list, or a change of many, takes these by options of its own. */
const OWN = ["limit", "all", "dry_run"];

export interface FieldContext extends Pick<CliContext, "directory"> {
  /** The heading of the options in the help. */
  heading: string;
}

/** Adds an option for each field. */
export function addFieldOptions(command: Command, fields: readonly ApiField[], context: FieldContext): void {
  for (const placed of placeFields(fields)) {
    for (const option of optionsOf(placed, context)) {
      if (placed.field.values !== undefined) completeWith(option, placed.field.values);
      command.addOption(option.helpGroup(context.heading));
    }
  }
}

/** @returns the fields whose options were given, as the API takes them. */
export function readFieldOptions(command: Command, fields: readonly ApiField[]): FieldValues {
  const values: FieldValues = {};
  for (const { path, field } of placeFields(fields)) {
    const attribute = attributeOf(path);
    if (command.getOptionValueSource(attribute) !== "cli") continue;
    const given: unknown = command.getOptionValue(attribute);
    const value = field.kind === "object" || (given === "null" && field.isNullable === true) ? null : given;
    let place = values;
    for (const name of path.slice(0, -1)) place = (place[name] ??= {}) as FieldValues;
    place[path.at(-1) ?? ""] = value;
  }
  return values;
}

/** An object has an option for each of its fields, and one that removes it as a whole. */
function placeFields(fields: readonly ApiField[], above: readonly string[] = []): PlacedField[] {
  return fields.flatMap((field) => {
    if (OWN.includes(field.name)) return [];
    const path = [...above, field.name];
    if (field.kind !== "object") return [{ path, field }];
    const own = field.isNullable === true ? [{ path, field }] : [];
    return [...own, ...placeFields(field.fields ?? [], path)];
  });
}

const flagOf = (path: readonly string[]) => path.join("-").replaceAll("_", "-");

const attributeOf = (path: readonly string[]) =>
  flagOf(path).replaceAll(/-(\w)/g, (_, letter: string) => letter.toUpperCase());

function optionsOf({ path, field }: PlacedField, context: FieldContext): Option[] {
  const flag = flagOf(path);
  const text = describeField(field, path.slice(0, -1));
  const single = (placeholder: string, parse: (text: string) => unknown) => [
    new Option(`--${flag} <${placeholder}>`, text).argParser((given: string) =>
      given === "null" && field.isNullable === true ? given : parse(given),
    ),
  ];
  switch (field.kind) {
    case "object":
      return [new Option(`--no-${flag}`, `remove it. ${text}`)];
    case "boolean":
      return [
        new Option(`--${flag}`, `${text}; --no-${flag} says no`),
        new Option(`--no-${flag}`, "the opposite").hideHelp(),
      ];
    case "integer":
    case "number":
      return single("number", (given) => readNumber(given, field.kind === "integer"));
    case "map":
      return [
        new Option(`--${flag} <name=value>`, `${text} (repeat it for several)`).argParser(
          (given: string, before: Record<string, string> | undefined) => ({ ...before, ...readPair(given, context) }),
        ),
      ];
    case "list":
      return [
        new Option(`--${flag} <value>`, text + describeRepetition(field)).argParser(
          (given: string, before: readonly string[] | undefined) => [
            ...(before ?? []),
            ...splitList(given, field).map((value) => requireChoice(readTextOption(value, context), field)),
          ],
        ),
      ];
    case "string":
      if (field.isTime === true || PAST.includes(field.name)) return single("time", (given) => timeOf(given, field));
      return single("value", (given) => requireChoice(readTextOption(given, context), field));
  }
}

/** What the API says of repeated parameters is said of options in other words. */
const REPETITION = /\s*Repeat the parameter to match (all|any) of several values\.?/;

function describeField(
  { description = "", values, name, kind, isTime, isRequired }: ApiField,
  above: readonly string[],
): string {
  const isPast = PAST.includes(name);
  const whole = description.replace(REPETITION, "");
  // How the relay compares times is for the reference of the API.
  const text = (isPast ? (whole.split(". ")[0] ?? whole) : whole).replace(/\.$/, "");
  return [
    text,
    isPast || isTime === true ? `, or a duration such as 90m, 24h or 7d${isPast ? " before now" : " from now"}` : "",
    values === undefined ? "" : ` [${values.join(", ")}]`,
    NAMED.includes(name) && kind !== "integer" ? " (a name or an id)" : "",
    isRequired === true ? ` (required${above.length === 0 ? "" : ` for ${flagOf(above)}`})` : "",
  ].join("");
}

/** How several values are given. */
function describeRepetition({ name, description = "" }: ApiField): string {
  if (REPETITION.exec(description)?.[1] === "all") return " (repeat it: all must match)";
  return NO_COMMAS.includes(name) ? " (repeat it for several)" : " (repeat it for several, or separate them by commas)";
}

const splitList = (given: string, { name }: ApiField) =>
  NO_COMMAS.includes(name) ? [given] : given.split(",").map((value) => value.trim());

function requireChoice(given: string, { values }: ApiField): string {
  if (values === undefined || values.includes(given)) return given;
  throw new InvalidArgumentError(`Choose from ${values.join(", ")}.`);
}

/** A text, or that in a file: a secret in an argument is seen by every user of the machine. */
function readTextOption(given: string, { directory }: Pick<CliContext, "directory">): string {
  if (!given.startsWith("@")) return given;
  return readGivenFile(given.slice(1), directory)
    .toString("utf8")
    .replace(/\r?\n$/, "");
}

function readPair(given: string, context: Pick<CliContext, "directory">): Record<string, string> {
  const place = given.indexOf("=");
  if (place < 1) throw new InvalidArgumentError("Write it as name=value.");
  return { [given.slice(0, place)]: readTextOption(given.slice(place + 1), context) };
}

function timeOf(given: string, { name }: ApiField): string {
  // The API knows times of its own, with more digits than a Date has.
  if (/^\d{4}-\d{2}-\d{2}[Tt].+(?:[Zz]|[+-]\d{2}:\d{2})$/.test(given)) return given;
  return timeIn(PAST.includes(name) ? "past" : "future")(given).toISOString();
}

function readNumber(given: string, isInteger: boolean): number {
  const number = given.trim() === "" ? Number.NaN : Number(given);
  if (Number.isFinite(number) && (!isInteger || Number.isInteger(number))) return number;
  throw new InvalidArgumentError(`It must be ${isInteger ? "a whole number" : "a number"}.`);
}

// How the values of options are read, the same for every command: numbers, times, files, and texts that come several times. A
// wrong one is refused where the command line is parsed, with the name of its option.

import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { buffer } from "node:stream/consumers";

import { SluiceError } from "@sluice/shared/runtime/errors";
import { type Argument, InvalidArgumentError, Option } from "commander";

import type { CliContext } from "./cli-context.ts";
import { readDuration } from "./output/times.ts";

export const wrongUsage = (message: string) => new SluiceError("invalid_request", message);

const completed = new WeakMap<object, readonly string[]>();

/** Lets a shell complete these values of an option or an argument. Others may be allowed, too. */
export function completeWith<T extends Option | Argument>(parameter: T, values: readonly string[]): T {
  completed.set(parameter, values);
  return parameter;
}

/** The values that a shell completes. */
export const completedValues = (parameter: Option | Argument): readonly string[] =>
  completed.get(parameter) ?? parameter.argChoices ?? [];

/** An option that may come several times; undefined when it does not come. */
export const severalTexts = (flags: string, description: string): Option =>
  new Option(flags, description).argParser((text: string, before?: readonly string[]) => [...(before ?? []), text]);

/** The same, for some texts only. */
export const severalOf = (flags: string, description: string, allowed: readonly string[]): Option =>
  completeWith(
    new Option(flags, description).argParser((text: string, before?: readonly string[]) => {
      if (allowed.includes(text)) return [...(before ?? []), text];
      throw new InvalidArgumentError(`Choose from ${allowed.join(", ")}.`);
    }),
    allowed,
  );

/** For `argParser`. */
export const wholeNumber =
  (least: number, most = Number.MAX_SAFE_INTEGER) =>
  (text: string): number => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= least && value <= most) return value;
    const limit = most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `from ${least} to ${most}`;
    throw new InvalidArgumentError(`It must be a whole number ${limit}.`);
  };

/**
 * A time as RFC 3339, one on the clock of this machine, seconds since 1970, or a duration: before now for a time in the past,
 * and from now for one in the future. For `argParser`.
 */
export const timeIn =
  (place: "past" | "future") =>
  (text: string): Date => {
    const durationMs = readDuration(text);
    if (durationMs !== undefined) return new Date(Date.now() + (place === "past" ? -durationMs : durationMs));
    if (/^\d{9,12}$/.test(text)) return new Date(Number(text) * 1000);
    const time = new Date(/^\d{4}-\d{2}-\d{2}$/.test(text) ? `${text}T00:00` : text);
    if (/^\d{4}-/.test(text) && !Number.isNaN(time.getTime())) return time;
    throw new InvalidArgumentError("Write a time such as 2026-11-30T12:00:00Z, or a duration such as 90m, 24h or 7d.");
  };

/** @param path `-` reads stdin. @throws SluiceError `invalid_configuration` when the file cannot be read. */
export async function readInput(path: string, { directory, stdin }: Pick<CliContext, "directory" | "stdin">) {
  return path === "-" ? buffer(stdin) : readGivenFile(path, directory);
}

/** @throws SluiceError `invalid_configuration` */
export function readGivenFile(path: string, directory: string): Buffer {
  try {
    return readFileSync(resolve(directory, path));
  } catch (error) {
    const reason = error instanceof Error && "code" in error ? String(error.code) : "unreadable";
    throw new SluiceError("invalid_configuration", `The file cannot be read (${reason}): ${path}`);
  }
}

// What the values of options have in common: numbers, times, files, names of targets, and how a wrong one is refused.

import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { buffer } from "node:stream/consumers";

import type { SluiceClient } from "@sluice/client/client";
import { SluiceError } from "@sluice/shared/runtime/errors";

import type { CliContext } from "./cli-context.ts";
import { asked } from "./relay/relay-api.ts";

/** For an option that may come several times. */
export const collectTexts = (value: string, before: string[]) => [...before, value];

export const wrongUsage = (message: string) => new SluiceError("invalid_request", message);

/** @param option its name, for the message. @throws SluiceError `invalid_request` */
export function readNumberOption(text: string, option: string, most: number): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (value < 1 || value > most) throw wrongUsage(`${option} must be a number from 1 to ${most}`);
  return value;
}

/** @returns milliseconds since 1970. @throws SluiceError `invalid_request` */
export function readTimeOption(text: string, option: string): number {
  const atMs = /^\d{1,12}$/.test(text) ? Number(text) * 1000 : Date.parse(text);
  if (!Number.isNaN(atMs)) return atMs;
  throw wrongUsage(`${option} must be seconds since 1970, or a time such as 2027-01-22T12:00:00Z`);
}

/** @param path `-` reads stdin. @throws SluiceError `invalid_configuration` when the file cannot be read. */
export async function readInput(path: string, { directory, stdin }: CliContext): Promise<Buffer> {
  return path === "-" ? buffer(stdin) : readGivenFile(path, directory);
}

export function readGivenFile(path: string, directory: string): Buffer {
  try {
    return readFileSync(resolve(directory, path));
  } catch (error) {
    const reason = error instanceof Error && "code" in error ? String(error.code) : "unreadable";
    throw new SluiceError("invalid_configuration", `The file cannot be read (${reason}): ${path}`);
  }
}

/** @param name or an id, which is taken as it is. @throws SluiceError `not_found` */
export async function findTargetId(api: SluiceClient, name: string): Promise<string> {
  if (name.startsWith("tgt_")) return name;
  const { data } = await asked(api.get("/v1/targets", { params: { query: { name } } }));
  const [target] = data;
  if (target === undefined) throw new SluiceError("not_found", `There is no target with the name ${name}`);
  return target.id;
}

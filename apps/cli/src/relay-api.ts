// How a command reaches the API of a relay: by SLUICE_URL and SLUICE_API_KEY, or the options that stand for them. Errors of the
// client become those that the command line knows.

import { readFileSync } from "node:fs";
import { resolve } from "node:path";

import { ApiError, NoAnswerError } from "@sluice/client/api-error";
import { createSluiceClient, type SluiceClient } from "@sluice/client/client";
import { ERROR_CODES, type ErrorCode, SluiceError } from "@sluice/shared/runtime/errors";
import type { Command } from "commander";

import type { CliContext } from "./cli-context.ts";

const DEFAULT_URL = "http://127.0.0.1:8081";

export interface RelayOptions {
  url?: string;
}

/** Adds the options of a command that calls the API. */
export function withRelayOptions(command: Command): Command {
  return command
    .option("--url <url>", `the address of the API (SLUICE_URL; ${DEFAULT_URL} when neither is given)`)
    .addHelpText("after", "\nThe API key is SLUICE_API_KEY, or the file that SLUICE_API_KEY_FILE names.");
}

/** @throws SluiceError `invalid_configuration` without a key. */
export function openRelayApi({ url }: RelayOptions, { env, directory }: CliContext): SluiceClient {
  const file = env["SLUICE_API_KEY_FILE"];
  const key = file ? readFileSync(resolve(directory, file), "utf8").trim() : env["SLUICE_API_KEY"];
  if (!key)
    throw new SluiceError(
      "invalid_configuration",
      "Set SLUICE_API_KEY to a key of the API, or SLUICE_API_KEY_FILE to a file that holds one",
    );
  return createSluiceClient({ baseUrl: url ?? (env["SLUICE_URL"] || DEFAULT_URL), apiKey: key });
}

/** @throws SluiceError with the code of the API, or `unavailable` when nobody answers. */
export async function asked<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof NoAnswerError) throw new SluiceError("unavailable", error.message, { cause: error });
    if (!(error instanceof ApiError)) throw error;
    const code: ErrorCode =
      error.code in ERROR_CODES ? (error.code as ErrorCode) : error.status < 500 ? "invalid_request" : "internal";
    throw new SluiceError(code, error.message, { faults: [...error.errors], cause: error });
  }
}

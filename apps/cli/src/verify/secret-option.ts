// A signing secret, which need not stand on the command line.

import { SluiceError } from "@sluice/shared/runtime/errors";
import { readSigningSecret, type SigningSecret } from "@sluice/signature/secret";
import type { Command } from "commander";

import type { CliContext } from "../cli-context.ts";
import { readGivenFile } from "../options.ts";

export const SECRET_VARIABLE = "SLUICE_SIGNING_SECRET";

export interface SecretOptions {
  secret?: string;
  secretFile?: string;
}

export function withSecretOptions(command: Command): Command {
  return command
    .option(
      "--secret <whsec>",
      `the signing secret (or ${SECRET_VARIABLE}, which other users of the machine cannot see)`,
    )
    .option("--secret-file <path>", "a file that holds the signing secret");
}

/** @returns undefined when no secret is given. @throws SluiceError `invalid_secret`, which never repeats the text. */
export function readSecretOption(
  { secret, secretFile }: SecretOptions,
  context: CliContext,
): SigningSecret | undefined {
  const text =
    secretFile === undefined
      ? (secret ?? context.env[SECRET_VARIABLE])
      : readGivenFile(secretFile, context.directory).toString("utf8").trim();
  if (!text) return undefined;
  const read = readSigningSecret(text);
  if ("fault" in read) throw new SluiceError("invalid_secret", `The signing secret ${read.fault}`);
  return read.secret;
}

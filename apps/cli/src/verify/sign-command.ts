// `sluice sign`: the headers that a sender of static webhooks would add to a body, to try a relay or a receiver by hand.

import { newId } from "@sluice/shared/domain/ids";
import { SluiceError } from "@sluice/shared/runtime/errors";
import { signV1 } from "@sluice/signature/signing/v1";
import { isWebhookId, MAX_ID_LENGTH } from "@sluice/signature/verification/webhook-id";
import { type Command, Option } from "commander";

import { type CliContext, printJson } from "../cli-context.ts";
import { type OutputOptions, withOutputOptions } from "../output/print.ts";
import { readInput, timeIn } from "../options.ts";
import { readSecretOption, SECRET_VARIABLE, type SecretOptions, withSecretOptions } from "./secret-option.ts";

interface SignOptions extends OutputOptions, SecretOptions {
  id?: string;
  at?: Date;
}

export function addSign(program: Command, context: CliContext): void {
  const command = program
    .command("sign")
    .description("print the headers that sign a body as a static webhook (Standard Webhooks, v1)")
    .argument("<body>", "the file with the exact bytes of the body; - reads stdin")
    .option("--id <id>", "the webhook-id; a new one when it is not given")
    .addOption(
      new Option(
        "--at <time>",
        "the time of the signature: RFC 3339, or seconds since 1970; now when it is not given",
      ).argParser(timeIn("past")),
    )
    .addHelpText(
      "after",
      "\ncurl takes the headers as they are: sluice sign body.json | curl -H @- --data-binary @body.json URL",
    )
    .action((body: string, options: SignOptions) => sign(body, options, context));
  withSecretOptions(command);
  withOutputOptions(command);
}

async function sign(path: string, { id = `msg_${newId()}`, at, json, ...options }: SignOptions, context: CliContext) {
  const secret = readSecretOption(options, context);
  if (secret === undefined) {
    throw new SluiceError("invalid_configuration", `Give the secret by --secret, --secret-file or ${SECRET_VARIABLE}`);
  }
  if (!isWebhookId(id)) {
    throw new SluiceError(
      "invalid_request",
      `--id must be at most ${MAX_ID_LENGTH} printable characters without a dot`,
    );
  }
  const atMs = at?.getTime() ?? Date.now();
  const timestamp = String(Math.floor(atMs / 1000));
  const headers = {
    "webhook-id": id,
    "webhook-timestamp": timestamp,
    "webhook-signature": signV1(secret.key, id, timestamp, await readInput(path, context)),
  };
  if (json === true) return printJson(context, headers);
  for (const [name, value] of Object.entries(headers)) context.stdout.write(`${name}: ${value}\n`);
}

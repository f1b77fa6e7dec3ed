// `sluice verify`: which scheme proves a captured webhook, or exactly why none does.

import { SluiceError } from "@sluice/shared/runtime/errors";
import type { SigningSecret } from "@sluice/signature/secret";
import { type Command, Option } from "commander";

import { type CliContext, note, printJson } from "../cli-context.ts";
import { type OutputOptions, withOutputOptions } from "../output/print.ts";
import { writeStyled } from "../output/style.ts";
import { readInput, severalTexts, timeIn, wholeNumber, wrongUsage } from "../options.ts";
import { findId } from "../endpoint/names.ts";
import { type RelayOptions, withRelayOptions } from "../relay/access.ts";
import { openRelayApi } from "../relay/relay-api.ts";
import { ADVICE } from "./advice.ts";
import { type CapturedWebhook, parseCapturedRequest, parseHeaders } from "./captured-request.ts";
import { readSecretOption, type SecretOptions, withSecretOptions } from "./secret-option.ts";
import { type Judge, judgeByKeySet, judgeByRelay, judgeBySecret, type Judgement } from "./judgement.ts";
import { matchesByLibrary } from "./second-opinion.ts";

interface VerifyOptions extends OutputOptions, RelayOptions, SecretOptions {
  body?: string;
  header?: string[];
  jwks?: string;
  audience?: string[];
  source?: string;
  token?: string;
  tolerance: number;
  at?: Date;
}

/** The refusals that another instant would change. */
const UNTIMELY = new Set(["stale_timestamp", "future_timestamp", "expired_token"]);
const JWKS_LIMIT_MS = 10_000;

export function addVerify(program: Command, context: CliContext): void {
  const command = program
    .command("verify")
    .description("say which signature proves a captured webhook, or why none does")
    .argument("[request]", "a file with the whole HTTP request: request line, headers, empty line, body; - reads stdin")
    .option("--body <path>", "the exact bytes of the body, when there is no whole request; - reads stdin")
    .addOption(severalTexts("--header <header>", 'a header such as "webhook-id: msg_1"; several times'))
    .option("--source <name>", "judge as the relay does, by a source and what the relay holds of it")
    .option("--token <token>", "with --source: the part of the path behind the name of the source")
    .option("--jwks <path>", "judge by a key set: a file or an https address")
    .addOption(severalTexts("--audience <aud>", "with --jwks: an audience that is accepted; several times"))
    .addOption(
      new Option("--tolerance <seconds>", "without --source: how old a webhook may be")
        .default(300)
        .argParser(wholeNumber(0)),
    )
    .addOption(
      new Option(
        "--at <time>",
        "judge as if it came at this time: RFC 3339, or seconds since 1970; now when it is not given",
      ).argParser(timeIn("past")),
    )
    .action((request: string | undefined, options: VerifyOptions) => verify(request, options, context));
  withSecretOptions(command);
  withRelayOptions(command);
  withOutputOptions(command);
}

async function verify(request: string | undefined, options: VerifyOptions, context: CliContext): Promise<void> {
  const webhook = await readCaptured(request, options, context);
  const secret = readSecretOption(options, context);
  const judge = await findJudge(webhook, secret, options, context);
  const atMs = options.at?.getTime() ?? Date.now();
  const judgement = await judge(webhook, atMs);
  const inTime = await judgeInTime(judge, webhook, judgement);
  const hints = [
    ...(await findChangedEnd(judge, webhook, inTime ?? judgement)),
    ...compareWithLibrary(secret, webhook, inTime ?? judgement),
  ];
  if (options.json === true) printJson(context, { ...shown(judgement), at_its_time: inTime && shown(inTime), hints });
  else printJudgement(judgement, inTime, hints, context);
  if (judgement.verdict === "refused") throw new SluiceError("verification_failed", `refused: ${judgement.reason}`);
  if (judgement.verdict === "undecidable") {
    throw new SluiceError("unavailable", "The relay has no key set of this source yet: try again");
  }
}

async function readCaptured(
  request: string | undefined,
  { body, header = [] }: VerifyOptions,
  context: CliContext,
): Promise<CapturedWebhook> {
  const given = parseHeaders(header);
  if (request !== undefined) {
    if (body !== undefined) throw wrongUsage("Give a whole request, or --body with --header, and not both");
    const captured = parseCapturedRequest(await readInput(request, context));
    return { ...captured, headers: { ...captured.headers, ...given } };
  }
  if (body === undefined) throw wrongUsage("Give a file with the request, or --body with --header");
  return { path: undefined, headers: given, body: await readInput(body, context) };
}

async function findJudge(
  webhook: CapturedWebhook,
  secret: SigningSecret | undefined,
  options: VerifyOptions,
  context: CliContext,
): Promise<Judge> {
  const { jwks, audience = [], source: named, token: given, tolerance: toleranceSeconds } = options;
  const [, sourceInPath, tokenInPath] =
    /^(?:https?:\/\/[^/]+)?\/in\/([^/?]+)(?:\/([^/?]+))?/.exec(webhook.path ?? "") ?? [];
  if (jwks !== undefined) {
    if (named !== undefined || secret !== undefined) throw wrongUsage("--jwks goes with neither --source nor a secret");
    return judgeByKeySet(await readJwks(jwks, context), audience, toleranceSeconds);
  }
  // A secret beside --source is for the second opinion.
  if (secret !== undefined && named === undefined) return judgeBySecret(secret, toleranceSeconds);
  const name = named ?? sourceInPath;
  if (name === undefined) throw wrongUsage("Give --source, a secret (--secret) or a key set (--jwks) to verify with");
  const api = openRelayApi(options, context);
  return judgeByRelay(api, await findId(api, "source", name), given ?? tokenInPath);
}

async function readJwks(place: string, context: CliContext): Promise<unknown> {
  const text = /^https?:\/\//.test(place) ? await fetchText(place) : (await readInput(place, context)).toString("utf8");
  try {
    return JSON.parse(text);
  } catch {
    throw new SluiceError("invalid_request", `--jwks: this is no JSON: ${place}`);
  }
}

async function fetchText(url: string): Promise<string> {
  const answer = await fetch(url, { signal: AbortSignal.timeout(JWKS_LIMIT_MS) }).catch((cause: unknown) => {
    throw new SluiceError("unavailable", `--jwks: nobody answers at ${url}`, { cause });
  });
  if (!answer.ok) throw new SluiceError("unavailable", `--jwks: ${url} answers ${answer.status}`);
  return answer.text();
}

/** A captured webhook is old by now: says what it was worth when it came. */
async function judgeInTime(judge: Judge, webhook: CapturedWebhook, judgement: Judgement) {
  const timestamp = webhook.headers["webhook-timestamp"] ?? "";
  const isUntimely = judgement.verdict === "refused" && UNTIMELY.has(judgement.reason);
  return isUntimely && /^\d{1,11}$/.test(timestamp) ? judge(webhook, Number(timestamp) * 1000) : undefined;
}

/** Editors and shells end a file with a line break, which the sender never signed. */
async function findChangedEnd(judge: Judge, webhook: CapturedWebhook, judgement: Judgement): Promise<string[]> {
  if (judgement.verdict !== "refused" || judgement.reason !== "signature_mismatch") return [];
  const end = /\r?\n$/.exec(webhook.body.subarray(-2).toString("latin1"))?.[0];
  if (end === undefined) return [];
  const shorter = { ...webhook, body: webhook.body.subarray(0, webhook.body.length - end.length) };
  const timestamp = Number(webhook.headers["webhook-timestamp"]);
  const { verdict } = await judge(shorter, timestamp * 1000);
  return verdict === "accepted" ? ["Without the line break at the end of the body the signature matches."] : [];
}

function compareWithLibrary(
  secret: SigningSecret | undefined,
  webhook: CapturedWebhook,
  judgement: Judgement,
): string[] {
  const byLibrary = secret && matchesByLibrary(secret, webhook);
  if (byLibrary === undefined) return [];
  const isMatch = judgement.verdict === "accepted" && judgement.scheme === "v1";
  if (byLibrary === isMatch) return [];
  return [
    `The library standardwebhooks disagrees: to it the signature ${byLibrary ? "matches" : "does not match"}. ` +
      "A receiver that uses it may decide otherwise.",
  ];
}

function shown(judgement: Judgement) {
  switch (judgement.verdict) {
    case "accepted":
      return {
        verdict: judgement.verdict,
        scheme: judgement.scheme,
        webhook_id: judgement.webhookId,
        body_unbound: judgement.bodyUnbound,
      };
    case "refused":
      return { ...judgement, advice: ADVICE[judgement.reason] };
    case "undecidable":
      return { verdict: judgement.verdict };
  }
}

function printJudgement(
  judgement: Judgement,
  inTime: Judgement | undefined,
  hints: readonly string[],
  context: CliContext,
): void {
  printVerdict(judgement, "", context);
  if (inTime !== undefined) printVerdict(inTime, "at its own time: ", context);
  for (const hint of hints) note(context, hint);
}

function printVerdict(judgement: Judgement, when: string, context: CliContext): void {
  const { stdout } = context;
  stdout.write(when);
  switch (judgement.verdict) {
    case "accepted": {
      writeStyled(stdout, context, "green", "accepted");
      const unbound = judgement.bodyUnbound ? "; the signature does not cover the body" : "";
      stdout.write(` by ${judgement.scheme}, webhook-id ${judgement.webhookId}${unbound}\n`);
      return;
    }
    case "refused":
      writeStyled(stdout, context, "red", "refused");
      stdout.write(` ${judgement.reason}: ${judgement.detail}\n`);
      note(context, ADVICE[judgement.reason]);
      return;
    case "undecidable":
      stdout.write("undecidable: the relay has no key set of this source yet\n");
  }
}

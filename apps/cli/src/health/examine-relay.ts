// Looks at everything around a relay that can be looked at with the key at hand, from the outside in: its address, its key, what
// it says of itself, and where the world should reach it.

import { ApiError } from "@sluice/client/api-error";
import { createSluiceClient, type Schemas, type SluiceClient } from "@sluice/client/client";
import { errorText } from "@sluice/shared/runtime/error-text";
import { SluiceError } from "@sluice/shared/runtime/errors";

import { type CliContext, loadStores } from "../cli-context.ts";
import { logDetail } from "../output/log-detail.ts";
import { readOwnKey } from "../profile/login.ts";
import { DEFAULT_PROFILE } from "../profile/profiles.ts";
import { findAccess, findApiAddress, type RelayAccess, type RelayOptions } from "../relay/access.ts";
import { asked } from "../relay/relay-api.ts";
import { examineAddress } from "./examine-address.ts";
import { examinePublicUrl } from "./examine-public-url.ts";
import { examineSettings, examineSources } from "./examine-settings.ts";
import { examineSystem } from "./examine-system.ts";
import { type DoctorFinding, ok, skipped, warning, wrong } from "./finding.ts";
import type { ShownReadiness } from "./ask-readiness.ts";
import { readRelayState, type RelayState } from "./relay-state.ts";

export interface Examination {
  api: string;
  findings: DoctorFinding[];
  /** Null for what could not be read. */
  readiness: ShownReadiness | null;
  state: RelayState | null;
  settings: readonly Schemas["SystemSetting"][] | null;
  log: readonly Schemas["SystemLogLine"][] | null;
  metrics: string | null;
}

const DAY_MS = 86_400_000;
const EXPIRES_DAYS = 7;
const RECENT_MS = 3_600_000;
/** Each call is made once: somebody waits, and a failure is what is looked for. */
const CALL_LIMIT_MS = 10_000;

export async function examineRelay(options: RelayOptions, context: CliContext): Promise<Examination> {
  const api = findApiAddress(options, context);
  const { findings, readiness } = await examineAddress(api);
  const nothing: Examination = {
    api,
    findings,
    readiness: readiness ?? null,
    state: null,
    settings: null,
    log: null,
    metrics: null,
  };
  if (readiness === undefined) return { ...nothing, findings: [...findings, ...(await examineOwnStores(context))] };
  const access = readAccess(options, context);
  if (access instanceof SluiceError)
    return {
      ...nothing,
      findings: [...findings, wrong("key", access.message, "Without a key, only this much can be seen.")],
    };
  const client = createSluiceClient({ baseUrl: api, apiKey: access.key, maxTries: 1, timeoutMs: CALL_LIMIT_MS });
  const key = await examineKey(client, access);
  if (key.isRefused) return { ...nothing, findings: [...findings, ...key.findings] };
  const [state, sources, settings, log, metrics] = await Promise.all([
    settle(readRelayState(client)),
    settle(readSources(client)),
    settle(asked(client.get("/v1/system/settings"))),
    settle(asked(client.get("/v1/system/log"))),
    settle(asked(client.ask("GET", "/metrics", { parseAs: "text" }))),
  ]);
  return {
    api,
    readiness,
    findings: [
      ...findings,
      ...key.findings,
      ...judgeAnswer(state, "relay state", examineSystem),
      ...judgeAnswer(sources, "sources", examineSources),
      ...judgeAnswer(settings, "settings", ({ data }) => examineSettings(data)),
      ...("value" in state ? await examinePublicUrl(state.value.system.gateway.public_url) : []),
      ...judgeAnswer(log, "log", ({ data }) => [examineLog(data, Date.now())]),
    ],
    state: valueOf(state),
    settings: valueOf(settings)?.data ?? null,
    log: valueOf(log)?.data ?? null,
    metrics: typeof valueOf(metrics) === "string" ? String(valueOf(metrics)) : null,
  };
}

function readAccess(options: RelayOptions, context: CliContext): RelayAccess | SluiceError {
  try {
    return findAccess(options, context);
  } catch (error) {
    if (error instanceof SluiceError) return error;
    throw error;
  }
}

async function examineKey(
  client: SluiceClient,
  { from }: RelayAccess,
): Promise<{ findings: DoctorFinding[]; isRefused: boolean }> {
  const key = await settle(asked(readOwnKey(client)));
  if ("error" in key) {
    const isUnknown = key.error.code === "unauthenticated";
    const advice = isUnknown ? adviseOnKey(from) : "While PostgreSQL is away, only ADMIN_API_KEY is known.";
    return { findings: [wrong("key", `The key from ${from}: ${errorText(key.error)}`, advice)], isRefused: true };
  }
  const { name, scopes, expires_at: expiresAt } = key.value;
  const found = `${name} (from ${from}) has the scopes ${scopes.join(", ")}`;
  const left = expiresAt === null ? Infinity : (Date.parse(expiresAt) - Date.now()) / DAY_MS;
  if (left >= EXPIRES_DAYS) return { findings: [ok("key", found)], isRefused: false };
  const soon = warning("key", `${found}, and expires at ${expiresAt}`, "Make another: `sluice keys create`.");
  return { findings: [soon], isRefused: false };
}

/** A key of the environment goes before one that `login` stores. */
function adviseOnKey(from: string): string {
  if (from.startsWith("SLUICE_")) return `Correct ${from}. Or unset it, and run \`sluice login\`.`;
  const profile = /^profile (.+)$/.exec(from)?.[1];
  if (profile === undefined) return `Compare ${from} with what the relay was started with, or run \`sluice login\`.`;
  return `\`sluice login${profile === DEFAULT_PROFILE ? "" : ` --profile ${profile}`}\` stores another.`;
}

async function readSources(client: SluiceClient): Promise<Schemas["Source"][]> {
  const sources: Schemas["Source"][] = [];
  for await (const source of client.list("/v1/sources")) sources.push(source);
  return sources;
}

function examineLog(lines: readonly Schemas["SystemLogLine"][], nowMs: number): DoctorFinding {
  const recent = lines.filter(({ time, level }) => level !== "warn" && nowMs - Date.parse(time) < RECENT_MS);
  const last = recent.at(-1);
  if (last === undefined) return ok("log", "The gateway logged no error in the last hour");
  const found = `The gateway logged ${recent.length} ${recent.length === 1 ? "error" : "errors"} in the last hour; the last: ${[last.message, logDetail(last)].filter(Boolean).join("; ")}`;
  return warning("log", found, "`sluice system log` shows them.");
}

/** In the container of a relay that does not run, its settings are here. A clone has its stores only while it runs. */
async function examineOwnStores(context: CliContext): Promise<DoctorFinding[]> {
  const { env } = context;
  if (!env["DATABASE_URL"] && !env["DATABASE_URL_FILE"]) return [];
  try {
    return await (await loadStores("doctor")).examineEnvironment(env);
  } catch (error) {
    return [skipped("environment", errorText(error))];
  }
}

type Settled<T> = { value: T } | { error: SluiceError };

async function settle<T>(answer: Promise<T>): Promise<Settled<T>> {
  try {
    return { value: await answer };
  } catch (error) {
    if (error instanceof SluiceError) return { error };
    if (error instanceof ApiError) return { error: new SluiceError("unavailable", error.detail, { cause: error }) };
    throw error;
  }
}

const valueOf = <T>(settled: Settled<T>): T | null => ("value" in settled ? settled.value : null);

/** What a key may not read is skipped; everything else that fails is wrong. */
function judgeAnswer<T>(settled: Settled<T>, check: string, examine: (value: T) => DoctorFinding[]): DoctorFinding[] {
  if ("value" in settled) return examine(settled.value);
  const { error } = settled;
  if (error.code === "forbidden") return [skipped(check, `Not looked at: ${error.message}`)];
  return [wrong(check, `It cannot be read: ${error.message}`, "Read the log of the gateway.")];
}

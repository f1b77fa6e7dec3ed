// Looks at the settings and the stores of this environment themselves, for a relay that does not run: in its container, or where
// its settings are.

import { connect } from "node:net";

import { errorText } from "@sluice/shared/runtime/error-text";
import { SluiceError } from "@sluice/shared/runtime/errors";
import { connectOnce } from "@sluice/store/connection/connect-once";

import { readStoreSettings, type StoreSettings } from "../backup/store-settings.ts";
import { type DoctorFinding, ok, wrong } from "./finding.ts";

const CONNECT_LIMIT_MS = 3_000;

export async function examineEnvironment(env: NodeJS.ProcessEnv): Promise<DoctorFinding[]> {
  let settings: StoreSettings;
  try {
    settings = readStoreSettings(env);
  } catch (error) {
    if (!(error instanceof SluiceError)) throw error;
    const faults = error.faults.map(({ pointer, detail }) => `${pointer} ${detail}`).join("; ");
    return [wrong("environment", `The settings are not valid: ${faults}`, "Correct them: docs/settings.md has each.")];
  }
  return [
    ok("environment", "The settings of the stores are valid"),
    await examineOwnPostgres(settings),
    ...(await examineOwnRedis(settings)),
  ];
}

async function examineOwnPostgres({ DATABASE_URL: url }: StoreSettings): Promise<DoctorFinding> {
  const check = "own postgres";
  try {
    const client = await connectOnce(url.reveal(), "sluice-doctor");
    try {
      const { rows } = await client.query<{ version: string }>("SELECT current_setting('server_version') AS version");
      return ok(check, `PostgreSQL ${rows[0]?.version} answers at DATABASE_URL`);
    } finally {
      await client.end();
    }
  } catch (error) {
    const { hostname, port } = new URL(url.reveal());
    const found = `DATABASE_URL (${hostname}:${port || 5432}) cannot be used: ${errorText(error)}`;
    return wrong(check, found, "Start PostgreSQL, or correct DATABASE_URL: docs/postgres.md.");
  }
}

async function examineOwnRedis({ REDIS_URL: url }: StoreSettings): Promise<DoctorFinding[]> {
  if (url === undefined) return [];
  const address = url.reveal();
  const hosts = address.kind === "single" ? [address] : address.hosts;
  const results = await Promise.all(
    hosts.map(async ({ host, port }) => ({ place: `${host}:${port}`, problem: await findConnectProblem(host, port) })),
  );
  const failed = results.filter(({ problem }) => problem !== undefined);
  if (failed.length === 0) return [ok("own redis", `Something listens at each address of REDIS_URL`)];
  const found = `REDIS_URL: ${failed.map(({ place, problem }) => `${place} (${problem})`).join(", ")} cannot be reached`;
  return [wrong("own redis", found, "Start Redis, or correct REDIS_URL. The relay also runs on PostgreSQL alone.")];
}

function findConnectProblem(host: string, port: number): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  const socket = connect({ host, port, timeout: CONNECT_LIMIT_MS });
  socket.once("connect", () => resolve(undefined));
  socket.once("timeout", () => resolve("no answer"));
  socket.once("error", (error) => resolve(errorText(error)));
  return promise.finally(() => socket.destroy());
}

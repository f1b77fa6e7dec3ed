// The stores of the clone's own relay, for a command that needs them whether or not `npm start` runs. Without
// DATABASE_URL, that is the embedded PostgreSQL, which runs only with it.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

import type { RoleUrls } from "@sluice/store/connection/roles";

import { SUPERUSER } from "../postgres/cluster.ts";
import { openDataDirectory } from "../postgres/data-directory.ts";
import { keepPostgres } from "../postgres/kept.ts";
import { openRoleUrls } from "../postgres/role-urls.ts";
import { ownerOf, takeLock } from "./process-lock.ts";
import { dataDirOf, endLeftovers, lockPath } from "./running-relay.ts";

interface CloneStores {
  env: NodeJS.ProcessEnv;
  close: () => Promise<void>;
}

/** @throws Error when `npm start` is on its way, or when PostgreSQL does not start. */
export async function reachCloneStores(root: string, environment: NodeJS.ProcessEnv): Promise<CloneStores> {
  const wantedDir = dataDirOf(root, environment);
  if (environment["DATABASE_URL"] || environment["DATABASE_URL_FILE"]) {
    return { env: { ...environment, DATA_DIR: wantedDir }, close: async () => undefined };
  }
  const dataDir = openDataDirectory(wantedDir);
  const lock = await takeLock(lockPath(dataDir));
  if (!lock.taken) {
    const running = findRunningPostgres(join(dataDir, "postgres"));
    if (running === undefined)
      throw new Error(`Process ${lock.pid} starts a relay on ${dataDir}. Try again in a moment.`);
    return { env: withUrls(environment, dataDir, running), close: async () => undefined };
  }
  try {
    await endLeftovers(dataDir, () => console.error("Waiting until the processes of an earlier start end …"));
    const { urls, stop } = await keepPostgres(join(dataDir, "postgres"));
    const close = async () => {
      await stop();
      lock.release();
    };
    return { env: withUrls(environment, dataDir, urls), close };
  } catch (error) {
    lock.release();
    throw error;
  }
}

function withUrls(environment: NodeJS.ProcessEnv, dataDir: string, urls: RoleUrls): NodeJS.ProcessEnv {
  return {
    ...environment,
    DATA_DIR: dataDir,
    DATABASE_URL: urls.owner,
    DATABASE_ADMIN_URL: urls.admin,
    DATABASE_APP_URL: urls.app,
  };
}

/** The embedded PostgreSQL that another process keeps, by the files that it leaves; undefined while it starts. */
function findRunningPostgres(dataDir: string): RoleUrls | undefined {
  const pidFile = join(dataDir, "cluster", "postmaster.pid");
  if (ownerOf(join(dataDir, "lock")) === undefined || !existsSync(pidFile)) return undefined;
  // https://www.postgresql.org/docs/current/storage-file-layout.html: the fourth line is the port, the last the state.
  const [, , , port, , , , state] = readFileSync(pidFile, "utf8").split("\n");
  if (port === undefined || state?.trim() !== "ready") return undefined;
  const password = readFileSync(join(dataDir, "password"), "utf8").trim();
  return openRoleUrls(dataDir, `postgres://${SUPERUSER}:${password}@127.0.0.1:${port}/sluice`);
}

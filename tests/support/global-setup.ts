// Starts the servers of a test run: one real PostgreSQL with a migrated template database, and one real Redis. They end
// with the run, also when it is interrupted. TEST_DATABASE_URL and TEST_REDIS_URL name servers to use instead.

import { randomUUID } from "node:crypto";
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { TestProject } from "vitest/node";

import { migrate } from "@sluice/store/connection/migrate";

import { startEmbeddedPostgres } from "../../scripts/postgres/embedded.ts";
import { findRedisServer, startRedisServer } from "./redis-server.ts";
import { endWithProcess } from "./end-with-process.ts";
import { runSql, withDatabase } from "./sql.ts";

declare module "vitest" {
  export interface ProvidedContext {
    /** The PostgreSQL server, as a user that may create databases. */
    databaseUrl: string;
    /** The name of a migrated database that nobody is connected to. */
    templateDatabase: string;
    /** Undefined when this machine has no Redis. */
    redisUrl: string | undefined;
    /** The store of BullMQ's queues in this vitest project. */
    queue: "postgres" | "redis";
  }
}

interface Server {
  url: string;
  stop: () => Promise<void>;
}

// Without fsync: the data is worth nothing after the run. A test that kills PostgreSQL starts its own.
const POSTGRES_SETTINGS = {
  fsync: "off",
  full_page_writes: "off",
  // Without autovacuum, whose sessions and locks could be in the template while it is cloned.
  autovacuum: "off",
  max_connections: "300",
  wal_level: "minimal",
  max_wal_senders: "0",
};

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const dir = mkdtempSync(join(tmpdir(), "sluice-test-"));
  // When this process runs as root, PostgreSQL runs as another user and must be able to enter the directory.
  chmodSync(dir, 0o711);
  const pids: [number, NodeJS.Signals][] = [];
  endWithProcess(pids, () => dir);
  const [postgres, redis] = await Promise.all([startPostgres(dir, pids), startRedis(dir, pids)]);
  const template = `sluice_template_${randomUUID().replaceAll("-", "")}`;
  await runSql(postgres.url, `CREATE DATABASE ${template}`);
  await migrate(withDatabase(postgres.url, template));
  project.provide("databaseUrl", postgres.url);
  project.provide("templateDatabase", template);
  project.provide("redisUrl", redis?.url);
  return async () => {
    await runSql(postgres.url, `DROP DATABASE ${template} WITH (FORCE)`);
    await Promise.all([postgres.stop(), redis?.stop()]);
    pids.length = 0;
    rmSync(dir, { recursive: true, force: true });
  };
}

async function startPostgres(dir: string, pids: [number, NodeJS.Signals][]): Promise<Server> {
  const url = process.env["TEST_DATABASE_URL"];
  if (url !== undefined) return { url, stop: async () => {} };
  const server = await startEmbeddedPostgres({ dataDir: join(dir, "postgres"), settings: POSTGRES_SETTINGS });
  // "Immediate shutdown": https://www.postgresql.org/docs/current/server-shutdown.html
  pids.push([server.pid, "SIGQUIT"]);
  return server;
}

async function startRedis(dir: string, pids: [number, NodeJS.Signals][]): Promise<Server | undefined> {
  const url = process.env["TEST_REDIS_URL"];
  if (url !== undefined) return { url, stop: async () => {} };
  const binary = findRedisServer();
  if (binary === undefined) return undefined;
  const data = join(dir, "redis");
  mkdirSync(data);
  const server = await startRedisServer(binary, data);
  pids.push([server.pid, "SIGKILL"]);
  return server;
}

// These faults end the PgBouncer between the relay and PostgreSQL, which is started again at its address.

import { findPgBouncer } from "../support/pgbouncer.ts";
import { type Fault, TAKEOVER_LIMIT_MS } from "./fault.ts";
import type { StageOptions } from "./stage.ts";

function endPooler(
  name: string,
  about: string,
  poolMode: NonNullable<StageOptions["poolMode"]>,
  signal: NodeJS.Signals,
  holdMs: number,
): Fault {
  return {
    name,
    about,
    holdMs,
    prepare: () => (findPgBouncer() === undefined ? "no PgBouncer is installed" : { options: { poolMode } }),
    inject: async ({ pooler }) => pooler?.end(signal),
    undo: async ({ pooler }) => pooler?.start(),
    recoverLimitMs: TAKEOVER_LIMIT_MS,
  };
}

export const poolerFaults: Fault[] = [
  // SIGTERM ends it at once, and SIGINT would wait for every session.
  endPooler("pgbouncer-restart", "PgBouncer, which pools sessions, is restarted", "session", "SIGTERM", 0),
  endPooler(
    "pgbouncer-kill",
    "kill -9 of PgBouncer, which pools transactions, away for 2 s",
    "transaction",
    "SIGKILL",
    2_000,
  ),
];

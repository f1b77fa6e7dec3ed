// These faults hit Redis and PostgreSQL: they are killed, hung, restarted, emptied, and away for a while.

import { setTimeout as delay } from "node:timers/promises";

import { Redis } from "ioredis";

import { runSql } from "../support/sql.ts";
import { signalProcess } from "../support/stores.ts";
import { until } from "../support/wait.ts";
import { type Fault, LEASE_RECOVER_LIMIT_MS, RECOVER_LIMIT_MS } from "./fault.ts";
import { countStored } from "./reconcile.ts";
import type { StoreName } from "./stage.ts";

/** The relay finds the first store again in this time. An operator would also wait before stopping the second one. */
const BETWEEN_OUTAGES_MS = 10_000;
const LONG_OUTAGE_MS = 60_000;

/** A signal ends the store, which is started again after a while. */
function endStore(name: string, about: string, store: StoreName, signal: NodeJS.Signals, rest: Partial<Fault>): Fault {
  return {
    name,
    about,
    inject: (stage) => stage[store].end(signal),
    undo: (stage) => stage[store].start(),
    ...rest,
  };
}

/** If a statement of intake commits and its answer is lost with the server, its deliveries stay leased. */
const LEASED = { recoverLimitMs: LEASE_RECOVER_LIMIT_MS };

function hangStore(store: StoreName, holdMs: number): Fault {
  return {
    name: `${store}-hang`,
    about: `every process of ${store === "redis" ? "Redis" : "PostgreSQL"} is stopped for ${holdMs / 1000} s and goes on`,
    holdMs,
    inject: (stage) => stage[store].signalAll("SIGSTOP"),
    undo: (stage) => stage[store].signalAll("SIGCONT"),
    recoverLimitMs: LEASE_RECOVER_LIMIT_MS,
  };
}

const flushAll: Fault = {
  name: "redis-flushall",
  about: "FLUSHALL while deliveries wait for a target that refuses them",
  isShort: true,
  inject: async ({ all, sender, redis, postgres }) => {
    await all.setMode("503");
    await delay(1_000);
    // FLUSHALL deletes events that are only in Redis. The promise covers events that are stored in PostgreSQL.
    sender.pause();
    await sender.settled();
    const accepted = sender.events.filter(({ acceptedAtMs }) => acceptedAtMs !== undefined).length;
    await until(() => countStored(postgres.url), { accept: ({ events }) => events >= accepted, timeoutMs: 60_000 });
    const client = new Redis(redis.url);
    await client.flushall();
    client.disconnect();
  },
  undo: async ({ all, sender }) => {
    sender.resume();
    await all.setMode("ok");
  },
};

export const storeFaults: Fault[] = [
  endStore("redis-kill", "kill -9 of Redis, away for 2 s", "redis", "SIGKILL", { holdMs: 2_000, isShort: true }),
  endStore("redis-restart", "Redis is stopped in an orderly way and started again", "redis", "SIGTERM", {}),
  hangStore("redis", 5_000),
  flushAll,
  endStore("postgres-kill", "kill -9 of PostgreSQL, away for 2 s", "postgres", "SIGKILL", {
    holdMs: 2_000,
    isShort: true,
    ...LEASED,
  }),
  {
    name: "postgres-backend-kill",
    about: "kill -9 of one session of PostgreSQL, by which all of them end",
    inject: async ({ postgres, random }) => {
      const rows = await runSql(
        postgres.url,
        "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND application_name LIKE 'sluice-%'" +
          " AND pid <> pg_backend_pid() ORDER BY pid",
      );
      signalProcess(Number(random.pick(rows)["pid"]), "SIGKILL");
    },
    undo: async ({ postgres }) => void (await until(() => countStored(postgres.url), { timeoutMs: RECOVER_LIMIT_MS })),
    ...LEASED,
  },
  // https://www.postgresql.org/docs/current/server-shutdown.html
  endStore("postgres-restart-fast", "PostgreSQL is restarted, fast shutdown", "postgres", "SIGINT", LEASED),
  endStore("postgres-restart-immediate", "PostgreSQL is restarted, immediate shutdown", "postgres", "SIGQUIT", LEASED),
  hangStore("postgres", 5_000),
  {
    name: "both-stores-away",
    about: "Redis and PostgreSQL are both stopped for 5 s",
    mayRefuse: "with both stores away nothing is durable",
    holdMs: 5_000,
    inject: async ({ redis, postgres }) => void (await Promise.all([redis.end("SIGTERM"), postgres.end("SIGINT")])),
    undo: async ({ redis, postgres }) => void (await Promise.all([redis.start(), postgres.start()])),
    ...LEASED,
  },
  {
    name: "stores-away-in-turn",
    about: "Redis is stopped for 60 s, and when it is back PostgreSQL for 60 s",
    isLong: true,
    holdMs: LONG_OUTAGE_MS,
    recoverLimitMs: RECOVER_LIMIT_MS,
    inject: async ({ redis, postgres }) => {
      await redis.end("SIGTERM");
      await delay(LONG_OUTAGE_MS);
      await redis.start();
      await delay(BETWEEN_OUTAGES_MS);
      await postgres.end("SIGINT");
    },
    undo: async ({ postgres }) => postgres.start(),
  },
];

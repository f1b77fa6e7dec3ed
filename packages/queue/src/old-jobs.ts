// The jobs that an older version left in Redis. Its keys had no identity, so all relays of one Redis shared them. A
// worker moves the jobs of its own relay to its own queue, and leaves every other job alone. It keeps looking, because
// gateways of the older version may run beside it.

import { randomUUID } from "node:crypto";

import { Queue } from "bullmq";
import type { Redis } from "ioredis";

import type { Logger } from "@sluice/shared/runtime/log";
import { sparing } from "@sluice/shared/runtime/sparing-log";
import { settlesWithin } from "@sluice/shared/runtime/within";

import type { JobName } from "./jobs.ts";
import type { Consumer, FindOwn, Producer } from "./queue.ts";
import { readRefusalCode } from "./redis-refusal.ts";

const OLD_PREFIX = "sluice";
const NAMES: readonly JobName[] = ["intake", "deliver"];
const LISTS = ["wait", "paused", "active"] as const;
const SETS = ["delayed", "prioritized", "failed"] as const;
/** One round trip for all states, when there are no old jobs. */
const LOOK_MS = 5_000;
/** When a look moved nothing, the ids of the jobs are read again after this time, or when their number has changed. */
const READ_AGAIN_MS = 60_000;
const PAGE = 500;
/** Bodies that are read at once. A single body may be larger. */
const MAX_BYTES = 8 * 1024 * 1024;
/** One worker at a time moves jobs. Another goes on after this time when that worker is gone. */
const TURN_MS = 60_000;
const CLOSE_LIMIT_MS = 1_000;

export interface OldJobsDependencies {
  /** A client of one server: the keys of the older version do not work on a cluster. */
  redis: Redis;
  /** The prefix of this relay's own keys. */
  prefix: Promise<string>;
  producer: Pick<Producer, "add">;
  findOwn: FindOwn;
  log: Logger;
}

interface OldJob {
  id: string;
  data: string;
  /** When a delayed job is due, in milliseconds since 1970; in the past for every other. */
  dueAtMs: number;
}

export function moveOldJobs(dependencies: OldJobsDependencies): Pick<Consumer, "close"> {
  const { redis, log } = dependencies;
  const mover = new OldJobsMover(dependencies);
  let timer: NodeJS.Timeout | undefined;
  let isClosed = false;
  const look = async () => {
    try {
      await mover.look();
    } catch (error) {
      // A user who may not read the old keys has no jobs there.
      if (readRefusalCode(error) === "NOPERM") return;
      // Failure policy: open. The jobs stay where they are, and the next look finds them. While Redis is away, nobody
      // knows whether there are any.
      if (!isClosed && mover.isMoving)
        sparing(log).warn({ err: error }, "jobs of an older version are not moved yet; trying again");
    }
    if (!isClosed) timer = setTimeout(lookAgain, LOOK_MS);
  };
  const lookAgain = () => {
    running = look();
  };
  let running = dependencies.prefix.then(() => (isClosed ? undefined : look()));
  return {
    close: async () => {
      isClosed = true;
      mover.stop();
      clearTimeout(timer);
      // The prefix may never be known.
      if (mover.hasLooked) await settlesWithin(CLOSE_LIMIT_MS, running);
      redis.disconnect();
    },
  };
}

class OldJobsMover {
  readonly #dependencies: OldJobsDependencies;
  readonly #queues = new Map<JobName, Queue>();
  /** Jobs of other relays, as `queue:id`, so that their data is not read again. Rebuilt with each look. */
  #foreign: ReadonlySet<string> = new Set();
  /** The number of jobs that the last look left, when it moved none; undefined before. */
  #leftCount: number | undefined;
  #readAgainAtMs = 0;
  #isStopped = false;
  hasLooked = false;
  /** Whether the last look found jobs and began to move them. */
  isMoving = false;

  constructor(dependencies: OldJobsDependencies) {
    this.#dependencies = dependencies;
  }

  stop(): void {
    this.#isStopped = true;
  }

  /** Moves all jobs of this relay that are under the old keys now. */
  async look(): Promise<void> {
    this.hasLooked = true;
    this.isMoving = false;
    const count = await this.#count();
    if (count === 0) {
      this.#foreign = new Set();
      return;
    }
    if (count === this.#leftCount && performance.now() < this.#readAgainAtMs) return;
    const { redis, prefix, log } = this.#dependencies;
    const turn = `${await prefix}:old-jobs`;
    const token = randomUUID();
    if ((await redis.set(turn, token, "PX", TURN_MS, "NX")) === null) return;
    this.isMoving = true;
    const foreign = new Set<string>();
    let moved = 0;
    for (const name of NAMES) {
      for (const state of [...LISTS, ...SETS]) moved += await this.#moveState(name, state, turn, foreign);
    }
    if (foreign.size > this.#foreign.size) {
      log.info({ jobs: foreign.size }, "jobs of other relays, or of none, stay under the keys of an older version");
    }
    this.#foreign = foreign;
    this.#leftCount = moved > 0 ? undefined : count;
    this.#readAgainAtMs = performance.now() + READ_AGAIN_MS;
    if (moved > 0) log.info({ jobs: moved }, "moved jobs of an older version to the keys of this relay");
    if ((await redis.get(turn)) === token) await redis.del(turn);
  }

  async #count(): Promise<number> {
    const pipeline = this.#dependencies.redis.pipeline();
    for (const name of NAMES) {
      for (const state of LISTS) pipeline.llen(keyOf(name, state));
      for (const state of SETS) pipeline.zcard(keyOf(name, state));
    }
    return (await run(pipeline)).reduce<number>((sum, count) => sum + Number(count), 0);
  }

  async #moveState(
    name: JobName,
    state: (typeof LISTS)[number] | (typeof SETS)[number],
    turn: string,
    foreign: Set<string>,
  ): Promise<number> {
    const { redis } = this.#dependencies;
    const key = keyOf(name, state);
    const isList = (LISTS as readonly string[]).includes(state);
    let moved = 0;
    // Jobs that stay are passed over. From the newest on, because Redis looks for a job that is removed from that end.
    for (let kept = 0; !this.#isStopped;) {
      const to = kept + PAGE - 1;
      const ids = isList ? await redis.lrange(key, kept, to) : await redis.zrange(key, String(kept), String(to));
      if (ids.length === 0) break;
      const unknown = ids.filter((id) => !this.#foreign.has(`${name}:${id}`));
      for (const id of ids) if (this.#foreign.has(`${name}:${id}`)) foreign.add(`${name}:${id}`);
      let movedHere = 0;
      const free = state === "active" ? await this.#dropLocked(name, unknown) : unknown;
      for await (const jobs of this.#readInParts(name, free)) {
        await redis.pexpire(turn, TURN_MS);
        movedHere += await this.#moveOwn(name, jobs, foreign);
      }
      moved += movedHere;
      kept += ids.length - movedHere;
    }
    return moved;
  }

  /** @returns the jobs that no worker of the older version has in hand. */
  async #dropLocked(name: JobName, ids: string[]): Promise<string[]> {
    const pipeline = this.#dependencies.redis.pipeline();
    for (const id of ids) pipeline.exists(keyOf(name, `${id}:lock`));
    const locked = await run(pipeline);
    return ids.filter((_, index) => locked[index] === 0);
  }

  async *#readInParts(name: JobName, ids: string[]): AsyncGenerator<OldJob[]> {
    const { redis } = this.#dependencies;
    const sizing = redis.pipeline();
    for (const id of ids) sizing.hstrlen(keyOf(name, id), "data");
    const sizes = await run(sizing);
    for (let from = 0; from < ids.length && !this.#isStopped;) {
      let to = from + 1;
      for (let bytes = Number(sizes[from]); to < ids.length; to++) {
        bytes += Number(sizes[to]);
        if (bytes > MAX_BYTES) break;
      }
      const part = ids.slice(from, to);
      const reading = redis.pipeline();
      for (const id of part) reading.hmget(keyOf(name, id), "data", "timestamp", "delay");
      const rows = (await run(reading)) as (string | null)[][];
      yield part.flatMap((id, index) => {
        const [data, timestamp, delay] = rows[index] ?? [];
        // Another process has finished the job meanwhile.
        if (data === null || data === undefined) return [];
        return [{ id, data, dueAtMs: Number(timestamp ?? 0) + Number(delay ?? 0) }];
      });
      from = to;
    }
  }

  /** @returns how many jobs were moved. */
  async #moveOwn(name: JobName, jobs: OldJob[], foreign: Set<string>): Promise<number> {
    const { findOwn, producer } = this.#dependencies;
    const owners = jobs.map((job) => readOwners(name, job.data));
    const own = await findOwn(name, [...new Set(owners.flat())]);
    let moved = 0;
    await Promise.all(
      jobs.map(async ({ id, data, dueAtMs }, index) => {
        if (owners[index]?.some((owner) => own.has(owner)) !== true) return void foreign.add(`${name}:${id}`);
        const delayMs = dueAtMs - Date.now();
        // A job without a name of its own has a number. Names are kept, because they join jobs that are the same.
        await producer.add(name, JSON.parse(data), {
          ...(delayMs > 0 && { delayMs }),
          ...(!/^[0-9]+$/.test(id) && { key: id }),
        });
        // Only now, when the job is durable in its new place. If a worker of the older version has taken the job
        // meanwhile, the job runs twice, and the ledger and the claims let that count once.
        if ((await this.#openOldQueue(name).remove(id)) === 1) moved += 1;
      }),
    );
    return moved;
  }

  #openOldQueue(name: JobName): Queue {
    const known = this.#queues.get(name);
    if (known !== undefined) return known;
    const queue = new Queue(name, {
      prefix: OLD_PREFIX,
      connection: this.#dependencies.redis,
      // Nothing is written to the old keys but what a removal needs.
      skipMetasUpdate: true,
    });
    // The failed call says the same.
    queue.on("error", () => undefined);
    this.#queues.set(name, queue);
    return queue;
  }
}

const keyOf = (name: JobName, rest: string) => `${OLD_PREFIX}:${name}:${rest}`;

/** The ids of the sources, or of the target, that a job names. Empty when it is not a job of ours. */
function readOwners(name: JobName, data: string): string[] {
  let job: unknown;
  try {
    job = JSON.parse(data);
  } catch {
    return [];
  }
  const ids: unknown[] =
    name === "deliver"
      ? [readField(job, "targetId")]
      : [readField(job, "events")].flat().map((event) => readField(event, "sourceId"));
  return ids.filter((id) => typeof id === "string");
}

function readField(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
}

/** @throws the first error among the answers. */
async function run(pipeline: ReturnType<Redis["pipeline"]>): Promise<unknown[]> {
  const answers = (await pipeline.exec()) ?? [];
  for (const [error] of answers) if (error !== null) throw error;
  return answers.map(([, answer]) => answer);
}

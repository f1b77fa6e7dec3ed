// Workers come, go and die, and any of them may see it first. They never exceed a limit together, and use all of it
// once nothing changes any more.

import { newId } from "@sluice/shared/domain/ids";
import type { GroupLook, WorkerReport } from "@sluice/store/delivery/worker-group";
import { describe, expect, test } from "vitest";

import { WorkerGroupState } from "./worker-group-state.ts";

/** The table and the row that workers share, without PostgreSQL. */
class Group {
  group: GroupLook["group"] = { epoch: 0, members: [] };
  readonly rows = new Map<string, WorkerReport & { beats: number }>();

  beat(id: string, report: WorkerReport): GroupLook {
    this.rows.set(id, { ...report, beats: (this.rows.get(id)?.beats ?? 0) + 1 });
    const others = [...this.rows].filter(([other]) => other !== id);
    return { group: this.group, others: others.map(([other, row]) => ({ ...row, id: other, isStale: false })) };
  }
}

/** A worker that sends as much as it may. */
class TestWorker {
  readonly id = newId();
  readonly state = new WorkerGroupState(this.id);
  readonly inFlight = new Map<string, number>();
  readonly #group: Group;

  constructor(group: Group) {
    this.#group = group;
  }

  look(limits: ReadonlyMap<string, number>, nowMs: number): void {
    const overIds = [...limits].flatMap(([id, limit]) => (this.count(id) > this.state.share(id, limit) ? id : []));
    const report = { epoch: this.state.epoch, overIds, waitingIds: [] };
    this.state.learn(this.#group.beat(this.id, report), nowMs);
    const members = this.state.nextMembers(report);
    if (members === undefined || this.#group.group.epoch !== this.state.epoch) return;
    this.#group.group = { epoch: this.#group.group.epoch + 1, members };
  }

  count(targetId: string): number {
    return this.inFlight.get(targetId) ?? 0;
  }

  begin(targetId: string, limit: number): void {
    if (this.count(targetId) < this.state.share(targetId, limit)) this.inFlight.set(targetId, this.count(targetId) + 1);
  }

  end(targetId: string): void {
    this.inFlight.set(targetId, Math.max(0, this.count(targetId) - 1));
  }
}

/** A generator of numbers from [0, 1) that repeats itself for a seed (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

describe("workers that share limits", () => {
  test.for(Array.from({ length: 200 }, (_, seed) => seed))("never exceed them together (seed %i)", (seed) => {
    const random = seeded(seed);
    const limits = new Map([1, 2, 3, 7, 64].map((limit) => [newId(), limit]));
    const group = new Group();
    let workers = [new TestWorker(group)];
    let nowMs = 0;
    const expectWithin = () => {
      for (const [id, limit] of limits) {
        const together = workers.reduce((sum, worker) => sum + worker.count(id), 0);
        // `expect` would take most of the time of this test.
        if (together > limit) expect.fail(`${together} in flight for a limit of ${limit}`);
      }
    };
    const lookAll = () => {
      for (const worker of workers.toSorted(() => random() - 0.5)) worker.look(limits, nowMs);
    };
    for (let step = 0; step < 400; step++) {
      const worker = workers[Math.floor(random() * workers.length)];
      const dice = random();
      if (dice < 0.03 && workers.length < 5) workers.push(new TestWorker(group));
      else if (dice < 0.05 && workers.length > 1) {
        // Some die, and some sign off; in both cases nothing of them is in flight any more.
        if (worker !== undefined && random() < 0.5) group.rows.delete(worker.id);
        workers = workers.filter((each) => each !== worker);
      } else if (dice < 0.4) worker?.look(limits, nowMs);
      else {
        for (const [id, limit] of limits) {
          if (random() < 0.6) worker?.begin(id, limit);
          else worker?.end(id);
          expectWithin();
        }
      }
      // Nobody is taken for dead who is alive.
      nowMs += 50;
      if (step % 10 === 0) lookAll();
    }
    for (let round = 0; round < 100; round++) {
      nowMs += 100;
      for (const worker of workers) for (const id of limits.keys()) worker.end(id);
      lookAll();
    }
    for (const [id, limit] of limits) {
      expect(workers.reduce((sum, worker) => sum + worker.state.share(id, limit), 0)).toBe(limit);
    }
  });

  test("divide as evenly as possible, and spread limits that are smaller than their number", () => {
    const group = new Group();
    const workers = [new TestWorker(group), new TestWorker(group), new TestWorker(group)];
    for (let nowMs = 0; nowMs < 2_000; nowMs += 100) for (const worker of workers) worker.look(new Map(), nowMs);
    const ids = Array.from({ length: 300 }, () => newId());
    const owners = new Set<number>();
    for (const id of ids) {
      const shares = (limit: number, most?: number) => workers.map(({ state }) => state.share(id, limit, most));
      const sorted = (limit: number, most?: number) => shares(limit, most).toSorted((one, other) => one - other);
      expect(sorted(64)).toEqual([21, 21, 22]);
      expect(sorted(1)).toEqual([0, 0, 1]);
      owners.add(shares(1).indexOf(1));
      // A rate is shared by those that may send.
      expect(shares(100, 1).indexOf(100)).toBe(shares(1).indexOf(1));
      expect(sorted(100, 2)).toEqual([0, 50, 50]);
    }
    expect(owners.size).toBe(3);
  });
});

test("a worker that gives no sign of life loses its share, though not while nobody gets an answer", () => {
  const group = new Group();
  const [one, other] = [new TestWorker(group), new TestWorker(group)];
  const id = newId();
  let nowMs = 0;
  for (; nowMs < 2_000; nowMs += 100) for (const worker of [one, other]) worker.look(new Map(), nowMs);
  expect(one.state.share(id, 64)).toBe(32);
  // PostgreSQL stands still for an hour.
  nowMs += 3_600_000;
  for (const worker of [one, other, one]) worker.look(new Map(), nowMs);
  expect(one.state.share(id, 64)).toBe(32);
  for (let looks = 0; looks < 10; looks++) one.look(new Map(), (nowMs += 500));
  expect(one.state.share(id, 64)).toBe(64);
  expect(one.state.isAlone).toBe(true);
  // It was not dead after all.
  other.look(new Map(), nowMs);
  expect(other.state.share(id, 64)).toBe(0);
  for (let looks = 0; looks < 10; looks++) for (const worker of [one, other]) worker.look(new Map(), (nowMs += 100));
  expect([one.state.share(id, 64), other.state.share(id, 64)]).toEqual([32, 32]);
});

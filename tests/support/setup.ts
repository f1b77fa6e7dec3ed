// Runs in every test file. A file that leaves a socket, a server, a timer or a child process open fails. The tests of
// the vitest project `redis` are skipped when this machine has no Redis.

import { Server, Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

import { aroundAll, beforeEach, inject } from "vitest";

/**
 * How often this file looks before it reports a leak: a close takes a while to reach the kernel. It counts looks and
 * not time, because the process may stand still for a while.
 */
const LOOKS = 250;
const LOOK_MS = 20;

aroundAll(async (runFile) => {
  const before = countResources();
  await runFile();
  let leaks = findLeaks(before);
  for (let look = 1; leaks.length > 0 && look < LOOKS; look++) {
    await delay(LOOK_MS);
    leaks = findLeaks(before);
  }
  if (leaks.length > 0) throw new Error(`This file left open: ${leaks.join("; ")}`);
});

beforeEach(({ skip }) => {
  skip(inject("queue") === "redis" && inject("redisUrl") === undefined, "there is no Redis");
});

/**
 * How many resources of each kind keep this process from exiting.
 * https://nodejs.org/api/process.html#processgetactiveresourcesinfo
 */
function countResources(): Map<string, number> {
  const counts = new Map<string, number>();
  for (const kind of process.getActiveResourcesInfo()) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return counts;
}

function findLeaks(before: ReadonlyMap<string, number>): string[] {
  const leaks = [...countResources()]
    .map(([kind, count]) => ({ kind, more: count - (before.get(kind) ?? 0) }))
    // Running requests (`…ReqWrap`) end by themselves.
    .filter(({ kind, more }) => more > 0 && !kind.endsWith("ReqWrap"))
    .map(({ kind, more }) => `${more} ${kind}`);
  return leaks.length === 0 ? [] : [...leaks, ...describeHandles()];
}

/** Where the open sockets and servers lead, which shows what opened them. */
function describeHandles(): string[] {
  // The method is undocumented, but only it returns the objects themselves.
  const handles = (Reflect.get(process, "_getActiveHandles") as () => unknown[]).call(process);
  return handles.flatMap((handle) => {
    if (handle instanceof Server) return [`server ${JSON.stringify(handle.address())}`];
    if (!(handle instanceof Socket)) return [];
    const state = handle.connecting ? "connecting" : handle.destroyed ? "destroyed" : handle.readyState;
    return [`socket :${handle.localPort} to :${handle.remotePort}, ${state}`];
  });
}

import { openLog } from "@sluice/shared/runtime/log";
import type { AttemptRecord, ClaimedDelivery } from "@sluice/store/delivery/deliveries";
import { TARGET_DEFAULTS, type Target } from "@sluice/store/configuration/targets";
import { expect, onTestFinished, test, vi } from "vitest";

import type { Gate } from "../breaker/breaker.ts";
import type { LaneBreaker } from "../breaker/breakers.ts";
import { BodyBudget } from "./body-budget.ts";
import { Claims } from "./claims.ts";
import { Lane } from "./lane.ts";
import type { AttemptResult } from "@sluice/attempt/attempt-result";
import type { NotSent } from "./own-fault.ts";
import { RequestSlots } from "./request-slots.ts";
import type { Reservation } from "./reservation.ts";

const delivery = (id: string, changes: Partial<ClaimedDelivery> = {}): ClaimedDelivery => ({
  id,
  eventId: "event",
  targetId: "target",
  eventType: null,
  webhookId: "msg",
  contentType: null,
  contentEncoding: null,
  bodyUnbound: false,
  traceContext: null,
  body: Buffer.alloc(0),
  attemptCount: 0,
  failureCount: 0,
  trigger: "initial",
  deadlineInMs: 1000,
  ...changes,
});

const answer = (statusCode: number, durationMs = 10_000): AttemptResult => ({
  startedAtMs: 0,
  durationMs,
  statusCode,
  error: null,
  responseExcerpt: null,
  retryAfterMs: undefined,
  seen: { address: null, connectMs: null, firstByteMs: null, responseHeaders: null },
});

/** A lane over a target that answers, and a store that has rows, when the test says so. */
function openLane(changes: Partial<Target> = {}, bodies = new BodyBudget(), slots = new RequestSlots(1_000)) {
  const target: Target = {
    id: "target",
    name: "target",
    uri: "http://127.0.0.1:1/",
    subscribedEvents: ["*"],
    hmacKeys: [],
    ...TARGET_DEFAULTS,
    maxInFlight: 2,
    ...changes,
  };
  const held = new Set<string>();
  const state = {
    target: target as Target | undefined,
    due: [] as ClaimedDelivery[],
    claims: [] as number[],
    sending: new Map<string, PromiseWithResolvers<AttemptResult | NotSent>>(),
    ownFaults: 0,
    recorded: [] as AttemptRecord[],
    handedBack: [] as string[],
    wakeUps: [] as number[],
    random: 0,
    gate: "closed" as Gate,
    limit: Number.POSITIVE_INFINITY,
    /** How many requests at once this worker may send. */
    share: Number.POSITIVE_INFINITY,
    isConfirmed: true,
    /** Whether this lane gets the probe. */
    hasProbe: true,
    probesCancelled: 0,
    counted: [] as { id: string; statusCode: number | null }[],
    reports: [] as { statusCode: number | null; isProbe: boolean }[],
    held,
  };
  const leases: ConstructorParameters<typeof Claims>[0] = {
    claimDue: async (_, limit) => {
      state.claims.push(limit);
      return state.due.splice(0, limit);
    },
    claimOne: async (id) => {
      const [found] = state.due.filter((one) => one.id === id);
      state.due = state.due.filter((one) => one !== found);
      return found;
    },
    handBack: async (ids) => void state.handedBack.push(...ids),
    hold: (id) => !held.has(id) && held.add(id) !== undefined,
    release: (id) => held.delete(id),
  };
  const breaker: LaneBreaker = {
    gate: () => state.gate,
    limit: (maxInFlight) => Math.min(maxInFlight, state.limit),
    claimProbe: async () => {
      state.gate = "open";
      return state.hasProbe ? { openings: 1 } : undefined;
    },
    cancelProbe: () => void (state.probesCancelled += 1),
    report: (_, { statusCode }, probe) => void state.reports.push({ statusCode, isProbe: probe !== undefined }),
  };
  const send = (_: Target, { id }: ClaimedDelivery) => {
    const response = Promise.withResolvers<AttemptResult | NotSent>();
    state.sending.set(id, response);
    return response.promise;
  };
  const lane = new Lane("target", breaker, {
    findTarget: () => state.target,
    claims: new Claims(leases, bodies),
    bodies,
    slots,
    meter: { countAttempt: ({ id }, { statusCode }) => void state.counted.push({ id, statusCode }) },
    onOwnFault: () => void (state.ownFaults += 1),
    sender: { send },
    recorder: { record: async (attempt) => void state.recorded.push(attempt) },
    wakeUps: { schedule: (_, inMs) => state.wakeUps.push(inMs) },
    shares: {
      maxInFlight: ({ maxInFlight }) => Math.min(maxInFlight, state.share),
      requests: ({ rateLimitRequests }) => rateLimitRequests ?? undefined,
      isConfirmed: () => state.isConfirmed,
      changedAtMs: Number.NEGATIVE_INFINITY,
    },
    random: () => state.random,
    tracing: undefined,
    log: openLog("worker", "silent"),
  });
  return { lane, state };
}

/** Lets everything run that waits for nothing outside. */
const settle = () => new Promise((resolve) => setImmediate(resolve));

function respond(state: ReturnType<typeof openLane>["state"], id: string, statusCode: number, durationMs?: number) {
  state.sending.get(id)?.resolve(answer(statusCode, durationMs));
  state.sending.delete(id);
  return settle();
}

/** A reservation that the lane has room for. */
function reserve(lane: Lane): Reservation {
  const reservation = lane.reserve();
  if (reservation === undefined) throw new Error("The lane has no room");
  return reservation;
}

const accept = (lane: Lane, id: string) => reserve(lane).accept(delivery(id));

test("sends at most max_in_flight at once, and the next when one ends", async () => {
  const { lane, state } = openLane();
  for (const id of ["a", "b", "c"]) accept(lane, id);
  expect([...state.sending.keys()]).toEqual(["a", "b"]);
  await respond(state, "a", 200);
  expect([...state.sending.keys()]).toEqual(["b", "c"]);
});

test("reserves what it has room for, and frees a cancelled reservation", () => {
  const { lane } = openLane();
  const reservations = [1, 2, 3, 4, 5].map(() => lane.reserve());
  expect(reservations.map((one) => one !== undefined)).toEqual([true, true, true, true, false]);
  reservations[0]?.cancel();
  expect(lane.reserve()).toBeDefined();
});

test("lets older deliveries that are due go first", async () => {
  const { lane, state } = openLane();
  state.due = ["1", "2", "3", "4", "5", "6"].map((id) => delivery(id));
  lane.wake();
  await settle();
  expect(lane.reserve()).toBeUndefined();
  expect([...state.sending.keys()]).toEqual(["1", "2"]);
});

test("drains everything that is due, in few claims", async () => {
  const { lane, state } = openLane();
  const ids = Array.from({ length: 20 }, (_, i) => String(i));
  state.due = ids.map((id) => delivery(id));
  lane.wake();
  await settle();
  while (state.sending.size > 0) await respond(state, [...state.sending.keys()][0] ?? "", 200);
  expect(state.recorded.map(({ deliveryId }) => deliveryId)).toEqual(ids);
  expect(state.claims.length).toBeLessThanOrEqual(12);
  expect(state.held.size).toBe(0);
});

test("a delivery that is in hand already is not taken twice", async () => {
  const { lane, state } = openLane();
  accept(lane, "a");
  state.due = [delivery("a")];
  lane.wake();
  await settle();
  await respond(state, "a", 200);
  expect(state.sending.size).toBe(0);
  expect(state.recorded).toHaveLength(1);
});

test("a failure is due again, and its target is woken up then", async () => {
  const { lane, state } = openLane({ retryBaseSeconds: 0.25 });
  accept(lane, "a");
  await respond(state, "a", 503);
  expect(state.recorded[0]).toMatchObject({ number: 1, statusCode: 503, next: { status: "pending", retryInMs: 250 } });
  expect(state.wakeUps).toEqual([250]);
});

test.for(["paused", "disabled"] as const)("hands back what waits when its target is %s", async (targetState) => {
  const { lane, state } = openLane();
  for (const id of ["a", "b", "c", "d"]) accept(lane, id);
  if (state.target !== undefined) state.target = { ...state.target, state: targetState };
  lane.wake();
  await settle();
  expect(state.handedBack).toEqual(["c", "d"]);
  expect(lane.reserve()).toBeUndefined();
});

test("a stop hands back what waits, and ends when what is being sent is recorded", async () => {
  const { lane, state } = openLane();
  for (const id of ["a", "b", "c"]) accept(lane, id);
  const stopped = lane.stop();
  await settle();
  expect(state.handedBack).toEqual(["c"]);
  await respond(state, "a", 200);
  await respond(state, "b", 200);
  await stopped;
  expect(state.recorded).toHaveLength(2);
  expect(state.held.size).toBe(0);
});

test("backoff counts the failures since a retry by hand, and not all attempts", async () => {
  const { lane, state } = openLane({ retryBaseSeconds: 0.25, retryCapSeconds: 3600 });
  state.random = 0.999;
  reserve(lane).accept(
    delivery("a", { attemptCount: 20, failureCount: 0, trigger: "manual", deadlineInMs: 86_400_000 }),
  );
  await respond(state, "a", 503);
  expect(state.recorded[0]).toMatchObject({ number: 21, next: { status: "pending", retryInMs: 500 } });
});

test("a lane that refuses takes nothing more, hands back what waits, and lets what is being sent end", async () => {
  const { lane, state } = openLane();
  for (const id of ["a", "b", "c"]) accept(lane, id);
  const reservation = reserve(lane);
  lane.refuse();
  expect(lane.reserve()).toBeUndefined();
  reservation.accept(delivery("d"));
  state.due = [delivery("e")];
  lane.wake();
  await settle();
  expect(state.claims).toEqual([]);
  expect(state.handedBack).toEqual(["c", "d"]);
  await respond(state, "a", 200);
  expect(state.recorded).toHaveLength(1);
});

test("while bodies fill the memory nothing is claimed or reserved, until one of them is released", async () => {
  const bodies = new BodyBudget(1000);
  const [full, other] = [openLane({}, bodies), openLane({}, bodies)];
  // A single body may be above the limit.
  reserve(full.lane).accept(delivery("large", { body: Buffer.alloc(5000) }));
  other.state.due = [delivery("small")];
  other.lane.wake();
  await settle();
  expect(other.state.claims).toEqual([]);
  expect(full.lane.reserve()).toBeUndefined();
  await respond(full.state, "large", 200);
  await settle();
  expect([...other.state.sending.keys()]).toEqual(["small"]);
});

test("while the breaker is open nothing is reserved or claimed, and what waits is handed back", async () => {
  const { lane, state } = openLane();
  for (const id of ["a", "b", "c", "d"]) accept(lane, id);
  state.gate = "open";
  state.due = [delivery("e")];
  lane.wake();
  await settle();
  expect(state.handedBack).toEqual(["c", "d"]);
  expect(state.claims).toEqual([]);
  expect(lane.reserve()).toBeUndefined();
  // Nobody is woken for what failed while the breaker is open: whoever closes it finds what is due.
  await respond(state, "a", 503);
  expect(state.recorded).toHaveLength(1);
  expect(state.wakeUps).toEqual([]);
});

test("the failure that opens the breaker is the last that is sent", async () => {
  const { lane, state } = openLane();
  for (const id of ["a", "b", "c"]) accept(lane, id);
  const report = state.reports;
  state.reports = Object.assign([], { push: (one: (typeof report)[0]) => ((state.gate = "open"), report.push(one)) });
  await respond(state, "a", 503);
  expect([...state.sending.keys()]).toEqual(["b"]);
  expect(state.handedBack).toEqual(["c"]);
});

test("the failure that opens the breaker is the last that is sent, also when the lane waits for its turn", async () => {
  const slots = new RequestSlots(1);
  const { lane, state } = openLane({}, undefined, slots);
  for (const id of ["a", "b"]) accept(lane, id);
  expect([...state.sending.keys()]).toEqual(["a"]);
  const report = state.reports;
  state.reports = Object.assign([], { push: (one: (typeof report)[0]) => ((state.gate = "open"), report.push(one)) });
  await respond(state, "a", 503);
  expect([...state.sending.keys()]).toEqual([]);
  expect(state.handedBack).toEqual(["b"]);
});

test("a probe is one delivery, however many are due", async () => {
  const { lane, state } = openLane();
  state.gate = "probe";
  state.due = ["1", "2", "3"].map((id) => delivery(id));
  lane.wake();
  lane.wake();
  await settle();
  expect([...state.sending.keys()]).toEqual(["1"]);
  await respond(state, "1", 200);
  expect(state).toMatchObject({ reports: [{ statusCode: 200, isProbe: true }], counted: [{ statusCode: 200 }] });
  state.gate = "closed";
  lane.wake();
  await settle();
  expect([...state.sending.keys()]).toEqual(["2", "3"]);
});

test("a lane that does not get the probe claims nothing", async () => {
  const { lane, state } = openLane();
  Object.assign(state, { gate: "probe", hasProbe: false, due: [delivery("1")] });
  lane.wake();
  await settle();
  expect(state.claims).toEqual([]);
  expect(state.probesCancelled).toBe(0);
});

test("a probe without a delivery is given back", async () => {
  const { lane, state } = openLane();
  state.gate = "probe";
  lane.wake();
  await settle();
  expect(state.claims).toEqual([1]);
  expect(state.probesCancelled).toBe(1);
});

test("a probe waits until one of max_in_flight has ended", async () => {
  const { lane, state } = openLane();
  for (const id of ["a", "b"]) accept(lane, id);
  state.gate = "probe";
  state.due = [delivery("1")];
  lane.wake();
  await settle();
  expect(state.claims).toEqual([]);
  await respond(state, "a", 503);
  expect([...state.sending.keys()]).toEqual(["b", "1"]);
});

test("after the breaker closed, the target gets fewer requests at once", async () => {
  const { lane, state } = openLane({ maxInFlight: 64 });
  state.limit = 2;
  state.due = Array.from({ length: 200 }, (_, i) => delivery(String(i)));
  lane.wake();
  await settle();
  expect(state.sending.size).toBe(2);
  state.limit = 64;
  await respond(state, "0", 200);
  await settle();
  expect(state.sending.size).toBe(64);
});

test("tests a target at once, whatever its state and its breaker, and does not report the attempt to the breaker", async () => {
  for (const [changes, gate] of [
    [{ state: "disabled" }, "closed"],
    [{}, "open"],
  ] as const) {
    const { lane, state } = openLane(changes);
    state.gate = gate;
    state.due.push(delivery("other"), delivery("tested", { deadlineInMs: -1 }));
    expect(lane.sendTest("tested")).toBe(true);
    await settle();
    expect([...state.sending.keys()]).toEqual(["tested"]);
    state.sending.get("tested")?.resolve(answer(500));
    await settle();
    expect(state.recorded).toMatchObject([{ deliveryId: "tested", next: { status: "exhausted" } }]);
    expect(state).toMatchObject({ reports: [], counted: [] });
    expect(state.held.size).toBe(0);
  }
});

test("sends no test once it stops", async () => {
  const { lane } = openLane();
  await lane.stop();
  expect(lane.sendTest("tested")).toBe(false);
});

/** A lane whose target took so long for its first answer, and that has nothing in hand. */
async function openPaced(durationMs: number, bodies?: BodyBudget) {
  // A clock that stands still: a machine that pauses would otherwise make the target look silent.
  vi.useFakeTimers({ toFake: ["performance"] });
  onTestFinished(() => void vi.useRealTimers());
  const opened = openLane({}, bodies);
  accept(opened.lane, "first");
  await respond(opened.state, "first", 200, durationMs);
  return opened;
}

/** Whether a wait that began is over. */
function watch(wait: Promise<void> | undefined) {
  const watched = { isOver: false };
  void wait?.then(() => (watched.isOver = true));
  return watched;
}

const countRoom = (lane: Lane) => Array.from({ length: 2_000 }, () => lane.reserve()).filter(Boolean).length;

test("holds what a quick target takes in a quarter of a second, and little for a slow one", async () => {
  // Two at once, of 20 ms each: 100 a second.
  expect(countRoom((await openPaced(20)).lane)).toBe(25);
  expect(countRoom((await openPaced(0)).lane)).toBe(1_000);
  expect(countRoom((await openPaced(10_000)).lane)).toBe(4);
});

test("a claim brings as much as a quick target takes soon", async () => {
  const { lane, state } = await openPaced(20);
  state.due = Array.from({ length: 40 }, (_, index) => delivery(`${index}`));
  lane.wake();
  await settle();
  expect(state.claims).toEqual([25]);
});

test("a quick lane is waited for until it has room and nothing is due", async () => {
  const { lane, state } = await openPaced(20);
  expect(lane.catchUp()).toBeUndefined();
  state.due = ["1", "2", "3"].map((id) => delivery(id));
  lane.wake(3);
  const caughtUp = watch(lane.catchUp());
  expect(caughtUp.isOver).toBe(false);
  await settle();
  expect(state.claims).toEqual([25]);
  expect(caughtUp.isOver).toBe(true);
  expect(lane.reserve()).toBeDefined();
});

test("a lane whose target has not answered yet is waited for too", async () => {
  vi.useFakeTimers({ toFake: ["performance"] });
  onTestFinished(() => void vi.useRealTimers());
  const { lane, state } = openLane();
  for (const id of ["a", "b", "c", "d"]) accept(lane, id);
  const caughtUp = watch(lane.catchUp());
  await settle();
  expect(caughtUp.isOver).toBe(false);
  await respond(state, "a", 200, 20);
  expect(caughtUp.isOver).toBe(true);
});

test("a lane is not waited for that has more to do than its target takes in a second", async () => {
  const slow = await openPaced(10_000);
  slow.lane.wake(1);
  expect(slow.lane.catchUp()).toBeUndefined();
  const far = await openPaced(20);
  far.lane.wake(101);
  expect(far.lane.catchUp()).toBeUndefined();
});

test("a lane is not waited for whose target takes long for each delivery, however many it takes at once", async () => {
  const { lane } = await openPaced(200);
  for (const id of ["a", "b", "c", "d"]) accept(lane, id);
  expect(lane.catchUp()).toBeUndefined();
});

test("a lane is not waited for while it does not know how much is due", async () => {
  const { lane, state } = await openPaced(20);
  state.due = Array.from({ length: 30 }, (_, index) => delivery(`${index}`));
  lane.wake();
  await settle();
  expect(lane.catchUp()).toBeUndefined();
  for (let index = 0; index < 20; index++) await respond(state, `${index}`, 200, 20);
  expect(state.claims).toHaveLength(2);
  lane.wake(1);
  expect(lane.catchUp()).toBeDefined();
});

test("a lane is not waited for whose target was quick and is silent", async () => {
  const { lane, state } = await openPaced(20);
  for (let index = 0; index < 25; index++) accept(lane, `${index}`);
  vi.advanceTimersByTime(250);
  const caughtUp = watch(lane.catchUp());
  vi.advanceTimersByTime(1);
  expect(lane.catchUp()).toBeUndefined();
  // The target answers after all.
  await respond(state, "0", 200, 20);
  expect(caughtUp.isOver).toBe(false);
  expect(lane.catchUp()).toBeDefined();
});

test("while a target hangs, or bodies are large, a lane holds the least it needs", async () => {
  const hanging = await openPaced(20);
  accept(hanging.lane, "a");
  vi.advanceTimersByTime(251);
  expect(countRoom(hanging.lane)).toBe(3);
  const bodies = new BodyBudget(1_000);
  bodies.take(500);
  const large = await openPaced(20, bodies);
  expect(countRoom(large.lane)).toBe(4);
});

test("what is due is claimed after every reservation was cancelled", async () => {
  const { lane, state } = openLane();
  const reservations = Array.from({ length: 4 }, () => reserve(lane));
  state.due = [delivery("due")];
  lane.wake();
  expect(state.claims).toEqual([]);
  for (const reservation of reservations) reservation.cancel();
  await settle();
  expect([...state.sending.keys()]).toEqual(["due"]);
});

test.for<[string, (opened: ReturnType<typeof openLane>) => void]>([
  ["is paused", ({ state }) => state.target && (state.target = { ...state.target, state: "paused" })],
  ["is deleted", ({ state }) => (state.target = undefined)],
  ["is down", ({ state }) => (state.gate = "open")],
  ["is of a worker that stops", ({ lane }) => lane.refuse()],
])("a wait for a lane ends when its target %s", async ([, happen]) => {
  const opened = await openPaced(20);
  for (let index = 0; index < 25; index++) accept(opened.lane, `${index}`);
  const caughtUp = watch(opened.lane.catchUp());
  await settle();
  expect(caughtUp.isOver).toBe(false);
  happen(opened);
  opened.lane.wake();
  await settle();
  expect(caughtUp.isOver).toBe(true);
});

test("without a share a lane takes nothing, hands back what waits, and tells the others of it once", async () => {
  const { lane, state } = openLane();
  for (const id of ["a", "b", "c"]) accept(lane, id);
  state.share = 0;
  lane.sharesChanged();
  await settle();
  expect(state.handedBack).toEqual(["c"]);
  expect(lane.isOver).toBe(true);
  expect(lane.reserve()).toBeUndefined();
  expect([lane.passOnDue(), lane.passOnDue()]).toEqual([true, false]);
  // What another worker has too much of is none of this lane's business.
  state.due = [delivery("d")];
  lane.wakeForShare();
  lane.wake(1);
  await settle();
  expect(state.claims).toEqual([]);
  expect(lane.passOnDue()).toBe(true);
  for (const id of ["a", "b"]) await respond(state, id, 200);
  expect(lane.isOver).toBe(false);
  // The other worker may have died before it came to it.
  state.share = 1;
  lane.sharesChanged();
  await settle();
  expect([...state.sending.keys()]).toEqual(["d"]);
  state.due = [delivery("e")];
  await respond(state, "d", 200);
  lane.wakeForShare();
  await settle();
  expect([...state.sending.keys()]).toEqual(["e"]);
});

test("sends nothing while its share is not certain, and keeps what it has", async () => {
  const { lane, state } = openLane();
  state.isConfirmed = false;
  for (const id of ["a", "b"]) accept(lane, id);
  expect([state.sending.size, state.handedBack.length]).toEqual([0, 0]);
  state.isConfirmed = true;
  lane.sharesChanged();
  expect([...state.sending.keys()]).toEqual(["a", "b"]);
});

test("spreads the requests of a rate limit, and takes no more in hand than it sends in a second", async () => {
  vi.useFakeTimers({ toFake: ["performance", "setTimeout", "clearTimeout"] });
  onTestFinished(() => void vi.useRealTimers());
  const { lane, state } = openLane({ maxInFlight: 64, rateLimitRequests: 4, rateLimitSeconds: 2 });
  state.due = Array.from({ length: 10 }, (_, index) => delivery(`${index}`));
  lane.wake();
  await settle();
  const sent: number[] = [];
  for (let step = 0; step < 8; step++) {
    sent.push(state.sending.size);
    expect(state.held.size - state.sending.size).toBeLessThanOrEqual(2);
    await vi.advanceTimersByTimeAsync(500);
    await settle();
  }
  expect(sent).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  expect(lane.catchUp()).toBeUndefined();
});

const ownFault = { ownFault: Object.assign(new Error("too many open files"), { code: "EMFILE" }) };

test("what this worker cannot send is handed back: no attempt, no word to the breaker, and no claim for a while", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  onTestFinished(() => void vi.useRealTimers());
  const { lane, state } = openLane();
  accept(lane, "a");
  state.due = [delivery("a")];
  state.sending.get("a")?.resolve(ownFault);
  await settle();
  expect(state).toMatchObject({ recorded: [], reports: [], wakeUps: [], handedBack: ["a"], ownFaults: 1, claims: [] });
  expect(state.held.size).toBe(0);
  expect(lane.reserve()).toBeUndefined();
  state.sending.delete("a");
  vi.advanceTimersByTime(1_000);
  await settle();
  expect([...state.sending.keys()]).toEqual(["a"]);
  await respond(state, "a", 200);
  expect(state.recorded).toMatchObject([{ deliveryId: "a", number: 1, next: { status: "succeeded" } }]);
});

test("a probe that this worker cannot send is given back", async () => {
  const slots = new RequestSlots(1);
  onTestFinished(() => slots.close());
  const { lane, state } = openLane({}, undefined, slots);
  state.gate = "probe";
  state.due = [delivery("1")];
  lane.wake();
  await settle();
  state.sending.get("1")?.resolve(ownFault);
  await settle();
  expect(state).toMatchObject({ probesCancelled: 1, reports: [], handedBack: ["1"] });
  expect(slots.taken).toBe(0);
});

test("a probe that is not made gives its slot back", async () => {
  const slots = new RequestSlots(1);
  const { lane, state } = openLane({}, undefined, slots);
  state.gate = "probe";
  lane.wake();
  await settle();
  expect(state.probesCancelled).toBe(1);
  expect(slots.taken).toBe(0);
});

test("lanes share the slots of the worker, and one with a long backlog does not keep a short one waiting", async () => {
  const slots = new RequestSlots(2);
  const [long, short] = [openLane({ maxInFlight: 8 }, undefined, slots), openLane({}, undefined, slots)];
  for (const id of ["1", "2", "3", "4", "5"]) accept(long.lane, id);
  accept(short.lane, "a");
  expect([[...long.state.sending.keys()], [...short.state.sending.keys()]]).toEqual([["1", "2"], []]);
  // The long one waits for longer, and for one slot only.
  await respond(long.state, "1", 200);
  expect([[...long.state.sending.keys()], [...short.state.sending.keys()]]).toEqual([["2", "3"], []]);
  await respond(long.state, "2", 200);
  expect([[...long.state.sending.keys()], [...short.state.sending.keys()]]).toEqual([["3"], ["a"]]);
});

test("a lane is idle when nothing is in hand, reserved, or still to be written", async () => {
  const { lane, state } = openLane();
  expect(lane.isIdle).toBe(true);
  const reservation = reserve(lane);
  expect(lane.isIdle).toBe(false);
  reservation.accept(delivery("a"));
  expect(lane.isIdle).toBe(false);
  await respond(state, "a", 200);
  expect(lane.isIdle).toBe(true);
});

import { expect, test } from "vitest";
import fc from "fast-check";

import { openForMs, type Probe, type SharedState, TargetBreaker } from "./breaker.ts";

const settings = { retryBaseSeconds: 5, retryCapSeconds: 3_600 };

test.for([
  [1, 2_500, 5_000],
  [2, 5_000, 10_000],
  [4, 20_000, 40_000],
  [5, 30_000, 60_000],
  [1_000_000, 30_000, 60_000],
])("the %ith opening in a row is from %i to %i ms", ([openings = 0, from, to]) => {
  expect(openForMs(openings, settings, 0, 0)).toBe(from);
  expect(openForMs(openings, settings, 0, 0.999999999)).toBe(to);
});

test("the target's own cap holds where it is shorter", () => {
  expect(openForMs(9, { retryBaseSeconds: 0.1, retryCapSeconds: 0.2 }, 0, 0.999999999)).toBe(200);
});

test("Retry-After is the least time, up to five minutes", () => {
  expect(openForMs(1, settings, 90_000, 0)).toBe(90_000);
  expect(openForMs(1, settings, 1_000, 0)).toBe(2_500);
  expect(openForMs(1, settings, 86_400_000, 0)).toBe(300_000);
});

const CLOSED: SharedState = { kind: "closed" };
const OPEN: SharedState = { kind: "open", openings: 1, isProbeDue: false };
const PROBE_DUE: SharedState = { kind: "open", openings: 1, isProbeDue: true };

function fail(breaker: TargetBreaker, nowMs: number): boolean {
  return breaker.countAttempt({ isFailure: true, startedAtMs: nowMs, nowMs, askedMs: 0, maxInFlight: 64 });
}

/** A breaker that PostgreSQL knows as open, and whose probe is due. */
function openBreaker(): TargetBreaker {
  const breaker = new TargetBreaker();
  breaker.learn(PROBE_DUE, 0);
  return breaker;
}

test("it opens in this worker at once, and stays open when PostgreSQL knows it", () => {
  const breaker = new TargetBreaker();
  expect(Array.from({ length: 10 }, () => fail(breaker, 1))).toEqual([...Array<boolean>(9).fill(false), true]);
  expect(breaker.gate()).toBe("closed");
  breaker.open(5_000);
  expect(breaker.gate()).toBe("open");
  expect(breaker.unwritten).toEqual({ kind: "opening", openMs: 5_000 });
  // A look that began before knows nothing of it yet.
  breaker.learn(CLOSED, 2);
  expect(breaker.gate()).toBe("open");
  breaker.openingWritten();
  expect(breaker.gate()).toBe("open");
  expect(breaker.unwritten).toBeUndefined();
  // An open breaker counts nothing.
  expect(fail(breaker, 3)).toBe(false);
});

test("a probe that is due goes to one lane, and its end is written before the next one", () => {
  const breaker = openBreaker();
  expect(breaker.gate()).toBe("probe");
  breaker.beginClaim();
  expect(breaker.gate()).toBe("open");
  const probe = breaker.claimed(1) as Probe;
  expect(breaker.gate()).toBe("open");
  expect(breaker.endProbe(probe, { kind: "opened", openMs: 10_000 })).toBe(true);
  // A look that began before the end is written must not let the next probe begin.
  breaker.learn(PROBE_DUE, 1);
  expect(breaker.gate()).toBe("open");
  breaker.probeEndWritten();
  breaker.learn({ kind: "open", openings: 2, isProbeDue: false }, 2);
  expect(breaker.gate()).toBe("open");
  breaker.learn({ kind: "open", openings: 2, isProbeDue: true }, 3);
  expect(breaker.gate()).toBe("probe");
});

test("a probe that another worker has, or whose claim failed, is not asked for again before the next look", () => {
  const taken = openBreaker();
  taken.beginClaim();
  expect(taken.claimed(undefined)).toBeUndefined();
  expect(taken.gate()).toBe("open");
  const failed = openBreaker();
  failed.beginClaim();
  failed.claimFailed();
  expect(failed.unwritten).toEqual({ kind: "ending", result: { kind: "not_made" } });
  expect(failed.gate()).toBe("open");
});

test("a breaker that closes lets two requests through at first, and makes a probe that still runs void", () => {
  const breaker = openBreaker();
  breaker.beginClaim();
  const probe = breaker.claimed(3) as Probe;
  breaker.learn(CLOSED, 1_000);
  expect(breaker.gate()).toBe("closed");
  expect(breaker.limit(64)).toBe(2);
  expect(breaker.endProbe(probe, { kind: "opened", openMs: 1 })).toBe(false);
  expect(breaker.gate()).toBe("closed");
});

test("a breaker that closes while its probe is being claimed gives no probe, and counts again once that is written", () => {
  const breaker = openBreaker();
  breaker.beginClaim();
  breaker.learn(CLOSED, 1_000);
  expect(breaker.claimed(1)).toBeUndefined();
  expect(breaker.unwritten).toEqual({ kind: "ending", result: { kind: "not_made" } });
  breaker.probeEndWritten();
  expect(Array.from({ length: 10 }, () => fail(breaker, 2_000)).at(-1)).toBe(true);
});

test("transitions that cannot happen are refused", () => {
  const closed = new TargetBreaker();
  expect(() => closed.beginClaim()).toThrow("closed in PostgreSQL");
  expect(() => closed.openingWritten()).toThrow("while it was idle");
  expect(() => closed.probeEndWritten()).toThrow("while it was idle");
  expect(() => closed.claimed(1)).toThrow("while it was idle");
  expect(() => closed.claimFailed()).toThrow("while it was idle");
  expect(() => openBreaker().open(1)).toThrow("open in PostgreSQL");
});

test("whatever happens in which order, a lane and the exchange never ask for what cannot happen", () => {
  const step = fc.constantFrom("fail", "claim", "given", "denied", "lost", "end", "write", "open", "due", "closed");
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const breaker = new TargetBreaker();
      let isClaiming = false;
      let probe: Probe | undefined;
      for (const [nowMs, event] of steps.entries()) {
        // What a lane does at the gate, and what the exchange does with what is unwritten.
        if (event === "fail" && fail(breaker, nowMs)) breaker.open(1_000);
        if (event === "claim" && breaker.gate() === "probe") {
          breaker.beginClaim();
          isClaiming = true;
        }
        if (isClaiming && (event === "given" || event === "denied")) {
          probe = breaker.claimed(event === "given" ? 1 : undefined);
          isClaiming = false;
        }
        if (isClaiming && event === "lost") {
          breaker.claimFailed();
          isClaiming = false;
        }
        if (event === "end" && probe !== undefined) {
          breaker.endProbe(probe, { kind: "closed" });
          probe = undefined;
        }
        if (event === "write") {
          const { unwritten } = breaker;
          if (unwritten?.kind === "opening") breaker.openingWritten();
          if (unwritten?.kind === "ending") breaker.probeEndWritten();
        }
        if (event === "open") breaker.learn(OPEN, nowMs);
        if (event === "due") breaker.learn(PROBE_DUE, nowMs);
        if (event === "closed") breaker.learn(CLOSED, nowMs);
        // Only one of them at a time: a probe that is due is nobody's.
        if (breaker.gate() === "probe") expect(isClaiming).toBe(false);
      }
    }),
  );
});

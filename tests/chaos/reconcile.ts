// The account at the end of a run compares the accepted events with the stored events and with the requests that each
// target received.

import { runSql } from "../support/sql.ts";
import { type Reception, readReceptions } from "./receiver.ts";
import type { TargetOnStage } from "./receivers.ts";
import type { SentEvent } from "./sender.ts";
import type { Stage } from "./stage.ts";

/** A delivery that never arrived, with everything that is known about it. */
interface Loss {
  target: string;
  webhookId: string;
  /** The rows of the event in PostgreSQL. */
  stored: Record<string, unknown>[];
  tries: SentEvent["tries"];
}

export interface Account {
  /** The number of different events. */
  sent: number;
  /** The number of events that the harness did not send, because the machine was too slow. */
  heldBack: number;
  requests: number;
  accepted: number;
  /** The number of events whose first try, or a copy of it, a gateway refused. */
  refused: number;
  /** The number of events whose first try, or a copy of it, got no answer from a gateway. */
  cut: number;
  neverAccepted: number;
  /** How often each reason of `refused` and `cut` occurred. */
  reasons: Record<string, number>;
  stored: number;
  /** The number of pairs of source and webhook-id that have more than one event. */
  duplicateEvents: number;
  /** The number of events that both targets received together, without repeats. */
  received: number;
  lost: Loss[];
  /** The number of requests for an event that the target had already accepted. */
  repeated: number;
  /** The number of attempts without a complete answer. The relay repeats them, because it cannot know their result. */
  unanswered: number;
  /** The number of requests with a changed body or a wrong signature. */
  damaged: number;
  /** The number of requests to the address of a redirect. */
  followed: number;
  /** The number of deliveries that are not finished. */
  unfinished: number;
  /** Milliseconds from the end of the fault until every event that was accepted before it was received. */
  recoverMs: number;
}

const MAX_TRACED = 50;

/** Counts the rows of PostgreSQL that show whether the relay has finished. */
export async function countStored(url: string): Promise<{ events: number; unfinished: number }> {
  const [row] = await runSql(
    url,
    "SELECT (SELECT count(*)::int FROM events) AS events," +
      " (SELECT count(*)::int FROM deliveries WHERE status = 'pending') AS unfinished",
  );
  return { events: Number(row?.["events"]), unfinished: Number(row?.["unfinished"]) };
}

/**
 * @param endedAtMs the end of the fault, in milliseconds since 1970.
 * @param countsAddressedOnly whether a target is owed only the deliveries that were stored for it.
 */
export async function reconcile(stage: Stage, endedAtMs: number, countsAddressedOnly: boolean): Promise<Account> {
  const { events } = stage.sender;
  const { url } = stage.postgres;
  const accepted = events.filter(({ acceptedAtMs }) => acceptedAtMs !== undefined);
  const atTargets = [stage.all, stage.filtered].map((target) => ({
    target,
    receptions: readReceptions(target.logPath),
  }));
  const { events: stored, unfinished } = await countStored(url);
  const [doubled] = await runSql(
    url,
    "SELECT count(*)::int AS n FROM (SELECT FROM events GROUP BY source_id, webhook_id HAVING count(*) > 1) AS doubled",
  );
  const [attempts] = await runSql(url, "SELECT count(*)::int AS n FROM attempts WHERE error IS NOT NULL");
  const results = await Promise.all(
    atTargets.map(async ({ target, receptions }) => {
      const matching = accepted.filter(({ isFiltered }) => target === stage.all || isFiltered);
      const addressed = countsAddressedOnly ? await readAddressed(url, target) : undefined;
      return compare(
        target,
        matching.filter(({ webhookId }) => addressed?.has(webhookId) ?? true),
        receptions,
        new Map(events.map((event) => [event.webhookId, event])),
        endedAtMs,
      );
    }),
  );
  const sum = (read: (result: (typeof results)[number]) => number) =>
    results.reduce((total, result) => total + read(result), 0);
  const lost = results.flatMap(({ missing, target }) => missing.map((event) => ({ event, target: target.name })));
  const failedFirst = (isCut: boolean) =>
    events.filter(({ tries }) =>
      tries.some((made) => !made.isRetry && !isAccepted(made) && (made.status === 0) === isCut),
    );
  return {
    sent: events.length,
    heldBack: stage.sender.heldBack(),
    requests: events.reduce((total, { tries }) => total + tries.length, 0),
    accepted: accepted.length,
    refused: failedFirst(false).length,
    cut: failedFirst(true).length,
    neverAccepted: events.length - accepted.length,
    reasons: countReasons(events),
    stored,
    duplicateEvents: Number(doubled?.["n"]),
    received: sum(({ received }) => received),
    lost: await Promise.all(
      lost.map(async ({ event, target }, index) => ({
        target,
        webhookId: event.webhookId,
        stored: index < MAX_TRACED ? await trace(url, event.webhookId) : [],
        tries: event.tries,
      })),
    ),
    repeated: sum(({ repeated }) => repeated),
    unanswered: Number(attempts?.["n"]),
    damaged: sum(({ damaged }) => damaged),
    followed: sum(({ followed }) => followed),
    unfinished,
    recoverMs: Math.max(0, ...results.map(({ recoverMs }) => recoverMs)),
  };
}

const isAccepted = ({ status }: { status: number }) => status >= 200 && status < 300;

/** Compares the accepted events that one target should have received with those that it received. */
function compare(
  target: TargetOnStage,
  owed: readonly SentEvent[],
  receptions: readonly Reception[],
  sent: ReadonlyMap<string, SentEvent>,
  endedAtMs: number,
) {
  const taken = new Map<string, Reception[]>();
  for (const reception of receptions) {
    if (!reception.isTaken) continue;
    const known = taken.get(reception.webhookId);
    if (known === undefined) taken.set(reception.webhookId, [reception]);
    else known.push(reception);
  }
  const firstAtMs = ({ webhookId }: SentEvent) => taken.get(webhookId)?.[0]?.atMs ?? endedAtMs;
  const before = owed.filter(({ acceptedAtMs = Infinity }) => acceptedAtMs <= endedAtMs);
  return {
    target,
    missing: owed.filter(({ webhookId }) => !taken.has(webhookId)),
    received: taken.size,
    repeated: [...taken.values()].reduce((total, each) => total + each.length - 1, 0),
    damaged: receptions.filter(
      ({ webhookId, sha256, isSigned, mode }) =>
        mode !== "followed" && (!isSigned || sent.get(webhookId)?.sha256 !== sha256),
    ).length,
    followed: receptions.filter(({ mode }) => mode === "followed").length,
    recoverMs: before.reduce((longest, event) => Math.max(longest, firstAtMs(event) - endedAtMs), 0),
  };
}

function countReasons(events: readonly SentEvent[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const made of events.flatMap(({ tries }) => tries)) {
    if (isAccepted(made)) continue;
    const reason = `${made.status} ${made.text}`;
    counts[reason] = (counts[reason] ?? 0) + 1;
  }
  return counts;
}

/** The webhook ids of the deliveries that were stored for a target. */
async function readAddressed(url: string, target: TargetOnStage): Promise<Set<string>> {
  const rows = await runSql(
    url,
    "SELECT webhook_id FROM deliveries d JOIN targets t ON t.id = d.target_id WHERE t.name = $1",
    [target.name],
  );
  return new Set(rows.map(({ webhook_id: id }) => String(id)));
}

function trace(url: string, webhookId: string): Promise<Record<string, unknown>[]> {
  return runSql(
    url,
    `SELECT e.id AS event_id, e.received_at, d.id AS delivery_id, t.name AS target, d.status, d.attempt_count,
       d.next_attempt_at, d.leased_by, d.last_status_code, d.last_error,
       (SELECT json_agg(a ORDER BY a.number) FROM attempts a WHERE a.delivery_id = d.id) AS attempts
     FROM event_keys k LEFT JOIN events e ON e.id = k.event_id LEFT JOIN deliveries d ON d.event_id = e.id
     LEFT JOIN targets t ON t.id = d.target_id WHERE k.webhook_id = $1`,
    [webhookId],
  );
}

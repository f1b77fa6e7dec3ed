// Questions to the log, asked with the functions of the store: each filter alone, and together with each other filter.

import { idTime } from "@sluice/shared/domain/ids";
import { type Database, openDatabase, SEARCH_PLANS } from "@sluice/store/connection/database";
import { listAttempts, listDeliveries, listEvents } from "@sluice/store/log/records";
import type { AttemptFilter, DeliveryFilter, RejectionFilter } from "@sluice/store/log/log-filter";
import type { Page } from "@sluice/store/log/page";
import { listRejections } from "@sluice/store/log/rejections";

import { sourceOf, targetOf } from "./fill-log.ts";

const LIMIT = 51;
const HOUR_MS = 3_600_000;

type Question = { name: string; filter: AttemptFilter & DeliveryFilter & RejectionFilter; page?: Partial<Page> };
type Read = (db: Database, question: Question) => Promise<{ rows: unknown[]; searchedTo: string | undefined }>;

export interface Answered {
  list: string;
  question: string;
  /** In ascending order. */
  timesMs: number[];
  rows: number;
  endsEarly: boolean;
  /** The number of sequential scans of partitions in the plans of the statements. */
  sequentialScans: number;
}

/** Opens a log with the settings that the API has for lists. */
export function openLogDatabase(url: string): Database {
  return openDatabase({
    url,
    applicationName: "sluice-bench",
    maxConnections: 4,
    settings: SEARCH_PLANS,
    onError: (error) => console.error(error.message),
  });
}

function codes(name: string, changes: object): Question {
  return { name: `status_code=${name}`, filter: { statusCode: { codes: [], classes: [], none: false, ...changes } } };
}

/** Each inner list holds one filter with a common and a rare value. Two of its questions are never combined. */
async function makeQuestions(
  db: Database,
  startMs: number,
): Promise<Record<string, { read: Read; filters: Question[][] }>> {
  const { rows } = await db.pool.query<{ id: string; event_id: string; webhook_id: string; data_id: string }>(
    `SELECT d.id, d.event_id, d.webhook_id, e.data_id FROM deliveries d JOIN events e ON e.id = d.event_id
     WHERE d.id >= uuid_floor($1) AND d.attempt_count > 1 ORDER BY d.id LIMIT 1`,
    [new Date(startMs + 12 * HOUR_MS)],
  );
  const [one] = rows;
  if (one === undefined) throw new Error("The log has no deliveries to ask for");
  const times: Question[] = [
    { name: "since=an hour ago", filter: {}, page: { sinceMs: Date.now() - HOUR_MS } },
    { name: "until=after an hour", filter: {}, page: { untilMs: startMs + HOUR_MS } },
    { name: "order=oldest", filter: {}, page: { order: "oldest" } },
  ];
  const source = [0, 4].map((n) => ({
    name: `source=${n === 0 ? "common" : "rare"}`,
    filter: { sourceId: sourceOf(n) },
  }));
  const webhook = [{ name: "webhook_id", filter: { webhookId: one.webhook_id } }];
  const event: Question[][] = [
    source,
    ["batch.succeeded", "batch.expired", "batch.*"].map((eventType) => ({
      name: `event_type=${eventType}`,
      filter: { eventType },
    })),
    webhook,
    [{ name: "data_id", filter: { dataId: one.data_id } }],
    ["billing", "legal", "nobody"].map((value) => ({
      name: `label=team:${value}`,
      filter: { label: { key: "team", value } },
    })),
    [
      { name: "user_metadata=tier", filter: { userMetadata: { key: "tier" } } },
      { name: "user_metadata=tier=gold", filter: { userMetadata: { key: "tier", value: "gold" } } },
    ],
    times,
  ];
  const delivery: Question[][] = [
    ...event,
    [{ name: "event", filter: { eventId: one.event_id } }],
    [0, 11].map((n) => ({ name: `target=${n === 0 ? "common" : "rare"}`, filter: { targetId: targetOf(n) } })),
    [
      codes("503", { codes: [503] }),
      codes("5xx", { classes: [5] }),
      codes("418", { codes: [418] }),
      codes("none", { none: true }),
    ],
    ["econnrefused", "certificate", "nobody says this"].map((errorText) => ({
      name: `error=${errorText}`,
      filter: { errorText },
    })),
    [2, 8].map((minAttempts) => ({ name: `min_attempts=${minAttempts}`, filter: { minAttempts } })),
  ];
  const status = (["succeeded", "exhausted", "pending"] as const).map((each) => ({
    name: `status=${each}`,
    filter: { statuses: [each] },
  }));
  const trigger = (["initial", "retry", "manual"] as const).map((each) => ({
    name: `trigger=${each}`,
    filter: { triggers: [each] },
  }));
  const reason = (["signature_mismatch", "too_large", "expired_token"] as const).map((each) => ({
    name: `reason=${each}`,
    filter: { reasons: [each] },
  }));
  const rejection = [
    [{ name: "source=common", filter: { sourceId: sourceOf(0) } }],
    [{ name: "webhook_id", filter: { webhookId: "msg_none" } }],
    reason,
    ["192.0.2.0", "192.0.2.249"].map((remoteAddress) => ({
      name: `remote_address=${remoteAddress}`,
      filter: { remoteAddress },
    })),
    ["signature", "nobody says this"].map((errorText) => ({ name: `error=${errorText}`, filter: { errorText } })),
    times,
  ];
  const page = (question: Question): Page => ({ limit: LIMIT, ...question.page });
  return {
    events: { read: (on, question) => listEvents(on, question.filter, page(question)), filters: event },
    deliveries: {
      read: (on, question) => listDeliveries(on, question.filter, page(question)),
      filters: [...delivery, status],
    },
    attempts: {
      read: (on, question) => listAttempts(on, question.filter, page(question)),
      filters: [...delivery, [{ name: "delivery", filter: { deliveryId: one.id } }], trigger],
    },
    rejections: { read: (on, question) => listRejections(on, question.filter, page(question)), filters: rejection },
  };
}

/** @returns the time of the oldest event, in milliseconds since 1970; undefined when the log is empty. */
export async function readOldest(db: Database): Promise<number | undefined> {
  const { rows } = await db.pool.query<{ id: string }>("SELECT id FROM events ORDER BY id LIMIT 1");
  return rows[0] && idTime(rows[0].id);
}

/** @param startMs the time of the oldest event. @param pairs whether each filter is also combined with each other one. */
export async function measureQuestions(
  db: Database,
  startMs: number,
  { pairs: withPairs, rounds }: { pairs: boolean; rounds: number },
): Promise<Answered[]> {
  const figures: Answered[] = [];
  for (const [list, { read, filters }] of Object.entries(await makeQuestions(db, startMs))) {
    const single: Question[] = [{ name: "nothing", filter: {} }, ...filters.flat()];
    const pairs = (withPairs ? filters : []).flatMap((some, index) =>
      filters
        .slice(index + 1)
        .flatMap((others) =>
          commonAndRare(others).flatMap((other) => commonAndRare(some).map((one) => both(one, other))),
        ),
    );
    for (const question of [...single, ...pairs]) figures.push(await measure(db, list, read, question, rounds));
  }
  return figures;
}

/** The questions for a common and for a rare value of a filter. */
function commonAndRare(questions: Question[]): Question[] {
  return questions.slice(0, 2);
}

function both(a: Question, b: Question): Question {
  return { name: `${a.name} & ${b.name}`, filter: { ...a.filter, ...b.filter }, page: { ...a.page, ...b.page } };
}

async function measure(db: Database, list: string, read: Read, question: Question, rounds: number): Promise<Answered> {
  const { statements, answer } = await recordStatements(db, () => read(db, question));
  const plans = await Promise.all(
    statements.map(({ text, values }) => db.pool.query<{ "QUERY PLAN": string }>(`EXPLAIN ${text}`, values)),
  );
  const scans = plans.flatMap(({ rows }) => rows).filter((row) => /Seq Scan on \w+_[0-9]{8}/.test(row["QUERY PLAN"]));
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const startedAt = performance.now();
    await read(db, question);
    times.push(performance.now() - startedAt);
  }
  return {
    list,
    question: question.name,
    timesMs: times.toSorted((a, b) => a - b),
    rows: answer.rows.length,
    endsEarly: answer.searchedTo !== undefined,
    sequentialScans: scans.length,
  };
}

interface Statement {
  text: string;
  values: unknown[];
}

/** Records the statements that the store really sends. The plan of a copied statement could differ. */
async function recordStatements<T>(
  db: Database,
  work: () => Promise<T>,
): Promise<{ statements: Statement[]; answer: T }> {
  const statements: Statement[] = [];
  // oxlint-disable-next-line typescript/unbound-method -- Reflect.apply below passes the pool.
  const query = db.pool.query;
  db.pool.query = function record(this: unknown, ...given: unknown[]) {
    const [{ text, values: own = [] }, values = own] = given as [{ text: string; values?: unknown[] }, unknown[]?];
    statements.push({ text, values });
    return Reflect.apply(query, db.pool, given) as unknown;
  } as typeof query;
  try {
    return { answer: await work(), statements };
  } finally {
    db.pool.query = query;
  }
}

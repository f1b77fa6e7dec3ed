// The form of GET /v1/system. It is read by people, on the page of the console and by `sluice status`, so each field says its
// unit in its name.

import { z } from "@hono/zod-openapi";

import { orNull } from "../openapi/endpoint.ts";
import { queueStore } from "../openapi/queue-store.ts";

/** What is null while a store does not say it. */
const orUnknown = (description: string) => `${description.replace(/\.$/, "")}. Null while it cannot be asked.`;

const wholeNumberField = (description: string, example = 0) => z.int().openapi({ description, example });
const knownCountField = (description: string, example = 0) =>
  z
    .int()
    .nullable()
    .openapi({ description: orUnknown(description), example });
const knownTextField = (description: string, example: string) =>
  z
    .string()
    .nullable()
    .openapi({ description: orUnknown(description), example });
const timeField = (description: string) => z.string().openapi({ format: "date-time", description });
const nullableTimeField = (description: string) => z.string().nullable().openapi({ format: "date-time", description });

const problem = z
  .object({
    app: z.enum(["gateway", "worker"]).openapi({ description: "The kind of process that has the problem" }),
    check: z.string().openapi({ description: "The check of `/readyz` that fails", example: "redis" }),
    problem: z.string().openapi({ description: "What is wrong, in words", example: "it does not answer" }),
    since: nullableTimeField("Since when. Null for a problem that began seconds ago, and while PostgreSQL is away."),
  })
  .openapi("SystemProblem");

const pool = z
  .object({
    name: z.string().openapi({ description: "What the connections are for", example: "api" }),
    busy: wholeNumberField("Connections that work", 1),
    idle: wholeNumberField("Open connections that wait for work", 2),
    limit: wholeNumberField("The most connections of this pool", 9),
    waiting: wholeNumberField("Statements that wait for a connection"),
  })
  .openapi("SystemPool");

const connections = z.object({
  used: knownCountField("Connections of all clients", 38),
  limit: knownCountField("The most connections that clients may have", 97),
});

const postgres = z.object({
  ok: z.boolean().openapi({ description: "Whether it answers and takes jobs", example: true }),
  problem: z.string().nullable().openapi({ description: "What is wrong", example: null }),
  connections: connections.openapi({ description: "Connections to the whole server, of every client" }),
  pools: z.array(pool).openapi({ description: "The connections of this gateway" }),
  database_bytes: knownCountField("The size of the database on disk", 734_003_200),
});

const redis = z.object({
  ok: z.boolean().openapi({ description: "Whether it takes jobs and nothing is wrong", example: true }),
  problems: z.array(z.string()).openapi({ description: "What is wrong, in words", example: [] }),
  takes_jobs: z.boolean().openapi({ description: "Whether jobs go to it. If not, they go to PostgreSQL." }),
  durable: z
    .boolean()
    .nullable()
    .openapi({ description: orUnknown("Whether it keeps what it confirms, by its settings"), example: true }),
  append_only: z
    .boolean()
    .nullable()
    .openapi({ description: orUnknown("Whether it writes an append-only file"), example: true }),
  last_write_ok: z.boolean().nullable().openapi({
    description: "Whether its last write to that file succeeded. Null without such a file.",
    example: true,
  }),
  replicas: z.object({
    required: knownCountField("Replicas that must confirm a job"),
    seen: knownCountField("Replicas that are online"),
  }),
  connections: connections.openapi({ description: "Connections of all clients to it" }),
  used_memory_bytes: knownCountField("The memory that it uses", 2_097_152),
  max_memory_bytes: z
    .int()
    .nullable()
    .openapi({ description: "Its limit of memory. Null without one.", example: null }),
});

const byStore = (description: string) =>
  z.object({ postgres: z.int().nullable().optional(), redis: z.int().nullable().optional() }).openapi({
    description: `${description}, in each store that has a queue. Null for a store that does not answer.`,
  });

export const systemSchema = z
  .object({
    status: z.enum(["ready", "degraded", "not_ready", "stopping"]).openapi("SystemStatus", {
      description:
        "What this gateway can do. ready: everything. degraded: it takes events, and something is wrong. not_ready: it takes " +
        "no events. stopping: it is about to end.",
    }),
    problems: z.array(problem).openapi({
      description: "What is wrong now: in this gateway, and what the other processes have said of themselves",
    }),
    gateway: z.object({
      host: z.string().openapi({ description: "The name of its machine or container", example: "gateway-1" }),
      started_at: timeField("When this gateway started"),
      public_url: z.string().nullable().openapi({
        description: "`PUBLIC_URL`: where the world reaches the ingress. Null when it is not set.",
        example: "https://hooks.example.com",
      }),
    }),
    versions: z.object({
      sluice: z.string().openapi({ description: "The version of this gateway", example: "0.1.0" }),
      commit: z.string().openapi({ description: "The commit of which it was built, or `unknown`", example: "4500d8f" }),
      schema: z.string().nullable().openapi({
        description:
          "The newest migration of the database. Null for one of a newer version, and while PostgreSQL is away.",
        example: "0041_retention_periods",
      }),
      node: z.string().openapi({ example: "24.11.0" }),
      postgres: knownTextField("The version of PostgreSQL.", "17.6"),
      redis: z.string().nullable().openapi({
        description: "The product and version of Redis. Null without Redis, and while it does not say it.",
        example: "Redis 8.2.1",
      }),
    }),
    stores: z.object({
      postgres,
      redis: orNull(redis).openapi({ description: "Null when the queue is in PostgreSQL alone" }),
    }),
    queue: z.object({
      backend: queueStore.openapi({
        description: "The store that takes the jobs while all stores are well",
        example: "redis",
      }),
      takes: orNull(queueStore).openapi({
        description: "The store that takes them now. Null when none does: then no event is taken.",
        example: "redis",
      }),
      waiting_batches: byStore("Batches of events that were acknowledged and are not stored yet"),
      set_aside_events: byStore("Acknowledged events that could not be stored and are set aside"),
    }),
    workers: knownCountField("Workers that gave a sign of life in the last 20 seconds.", 2),
    deliveries: z.object({
      waiting: knownCountField("Deliveries that are not finished.", 12),
      oldest_waiting_seconds: knownCountField("The age of the oldest of them, to the minute; 0 without any.", 60),
    }),
    targets: z.object({
      enabled: knownCountField("Targets that are enabled.", 7),
      paused: knownCountField("Targets that are paused: their deliveries wait."),
      disabled: knownCountField("Targets that a person disabled, and those that answered 410."),
      disabled_due_to_failed_deliveries: knownCountField(
        "Targets that the relay disabled because every attempt failed.",
      ),
      breaker_open: knownCountField("Targets that the relay leaves alone for a while because they fail.", 1),
    }),
    retention: z.object({
      log_days: knownCountField("How long the log is kept: `RETENTION_DAYS` of the workers.", 30),
      body_days: z.int().nullable().openapi({
        description:
          "How long the bodies of events are kept: `BODY_RETENTION_DAYS`. Null when they are kept as long as the log.",
        example: null,
      }),
      audit_days: knownCountField("How long the audit trail is kept: `AUDIT_RETENTION_DAYS`.", 365),
      overdue_days: knownCountField("Days past `log_days` that are not removed yet, because a transaction holds them."),
      held_days: knownCountField("How many days longer than `log_days` the oldest day is kept, for whatever reason."),
    }),
    clock: z
      .object({
        gateway: timeField("The clock of this gateway"),
        postgres: nullableTimeField(orUnknown("The clock of PostgreSQL, which decides what is due")),
        ahead_ms: z
          .number()
          .nullable()
          .openapi({
            description: orUnknown(
              "How far the gateway is ahead of PostgreSQL, in milliseconds; negative when it is behind",
            ),
            example: 1.5,
          }),
        precision_ms: z
          .number()
          .nullable()
          .openapi({ description: orUnknown("How exactly that is known, in milliseconds"), example: 0.5 }),
      })
      .openapi({ description: "Signatures are judged by the gateway's clock, and what is due by that of PostgreSQL." }),
  })
  .openapi("SystemState");

export type ShownSystem = z.infer<typeof systemSchema>;

const setting = z
  .object({
    name: z.string().openapi({ example: "MAX_BODY_BYTES" }),
    is_secret: z.boolean().openapi({ description: "The value of a secret is never shown", example: false }),
    is_set: z.boolean().openapi({ description: "Whether somebody set it. If not, its default holds.", example: false }),
    value: z.string().nullable().openapi({
      description:
        "As it was set, or its default. Null for a secret, and for a setting without a default that is not set.",
      example: "1048576",
    }),
  })
  .openapi("SystemSetting");

export const settingsSchema = z.object({ data: z.array(setting) }).openapi("SystemSettings");

const logLine = z
  .object({
    time: timeField("When it was written"),
    level: z.enum(["warn", "error", "fatal"]).openapi("SystemLogLevel"),
    message: z.string().openapi({ example: "Redis takes no jobs: they go to PostgreSQL" }),
    fields: z.record(z.string(), z.unknown()).openapi({
      description: "What else the line has, such as the error with its stack. `is_cut`: the line was too long to keep.",
      example: { problems: ["it does not answer"] },
    }),
  })
  .openapi("SystemLogLine");

export const logSchema = z
  .object({ data: z.array(logLine).openapi({ description: "The newest lines last, at most 200" }) })
  .openapi("SystemLog");

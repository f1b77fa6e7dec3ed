// The tables as Drizzle sees them. The migrations in drizzle/*.sql make them, and schema.test.ts compares the two.

import { sql } from "drizzle-orm";
import {
  bigint,
  boolean,
  customType,
  doublePrecision,
  integer,
  jsonb,
  pgTable,
  smallint,
  text,
  timestamp,
  uuid,
} from "drizzle-orm/pg-core";

import type { GeminiJobKind } from "@sluice/shared/domain/job-ends";
import type { TargetKind } from "@sluice/shared/domain/target-kinds";
import type { RefusalReason } from "@sluice/signature/refusal";
import type { BodyUnboundPolicy, Scheme } from "@sluice/signature/schemes";

import type { EventScheme } from "./delivery/event-schemes.ts";
import type { AuditAction, AuditedType } from "./requests/audit-actions.ts";

const bytea = customType<{ data: Buffer; driverData: Buffer }>({ dataType: () => "bytea" });
const xid8 = customType<{ data: string }>({ dataType: () => "xid8" });
const snapshot = customType<{ data: string }>({ dataType: () => "pg_snapshot" });
const instant = (name: string) => timestamp(name, { withTimezone: true, mode: "date" });

export type SourceKind = "static" | "dynamic";
export type TargetState = "enabled" | "paused" | "disabled" | "disabled_due_to_failed_deliveries";
/** A target's filter that failed on an event. `target` is the UUID of the target. */
export interface FilterError {
  target: string;
  error: string;
}
/** Why an event has no body any more: it is past BODY_RETENTION_DAYS, or somebody erased it. */
export const BODY_REMOVALS = ["retention", "erasure"] as const;
export type BodyRemoval = (typeof BODY_REMOVALS)[number];
export type DeliveryStatus = "pending" | "succeeded" | "exhausted" | "cancelled";
/** What an API key may do. Each scope includes the ones before it. */
export type Scope = "read" | "write" | "admin";
/** How somebody signed in to the console. */
export type SignInMethod = "key" | "code" | "identity";
export type AttemptTrigger = "initial" | "retry" | "manual";
export type OperationKind = "retry_deliveries" | "cancel_deliveries" | "replay_events";
export type OperationState = "running" | "succeeded" | "cancelled" | "failed";
export type Resolution = "minute" | "hour" | "day";
/** What of a source or target was lost with the master key. */
export const LOST_SECRETS = ["signing_secret", "gemini_api_key", "headers", "tls_client_key", "chat_url"] as const;
export type LostSecretKind = (typeof LOST_SECRETS)[number];
/** See jobs.ts for what each means. */
export type JobStatus = "waiting" | "seen" | "reconciled" | "overdue" | "failed";

export const configuration = pgTable("configuration", {
  singleton: boolean("singleton").primaryKey().default(true),
  revision: bigint("revision", { mode: "number" }).notNull(),
  masterKeyCheck: bytea("master_key_check"),
  relayId: uuid("relay_id").notNull().defaultRandom(),
  minCompatibleVersion: text("min_compatible_version").notNull().default("0.1.0"),
});

/** What a process holds a copy of; each part has its own revision. */
export type ConfigurationPartName = "sources" | "targets";

export const configurationParts = pgTable("configuration_parts", {
  part: text("part").$type<ConfigurationPartName>().primaryKey(),
  revision: bigint("revision", { mode: "number" }).notNull(),
  forgottenRevision: bigint("forgotten_revision", { mode: "number" }).notNull().default(0),
});

export const targetRevisions = pgTable("target_revisions", {
  targetId: uuid("target_id").primaryKey(),
  revision: bigint("revision", { mode: "number" }).notNull(),
  isDeleted: boolean("is_deleted").notNull(),
  changedAt: instant("changed_at").notNull().defaultNow(),
});

export const sources = pgTable("sources", {
  id: uuid("id").primaryKey(),
  name: text("name").notNull().unique(),
  kind: text("kind").$type<SourceKind>().notNull(),
  schemes: text("schemes").array().$type<Scheme[]>().notNull(),
  toleranceSeconds: integer("tolerance_seconds").notNull(),
  createdAt: instant("created_at").notNull().defaultNow(),
  updatedAt: instant("updated_at").notNull().defaultNow(),
  audiences: text("audiences").array().notNull().default([]),
  jwksUri: text("jwks_uri"),
  bodyUnbound: text("body_unbound").$type<BodyUnboundPolicy>().notNull().default("reject"),
  publicKeys: text("public_keys").array().notNull().default([]),
  issuers: text("issuers").array().notNull().default([]),
  tokenTypes: text("token_types").array().notNull().default([]),
  maxTokenSeconds: integer("max_token_seconds").notNull().default(3_600),
  /** The file of settings that manages the row; null for none. The same in targets and API keys. */
  managedBy: text("managed_by"),
  expectEverySeconds: integer("expect_every_seconds"),
});

/** One row: see configuration/settings-turn.ts. */
export const settingsTurn = pgTable("settings_turn", {
  singleton: boolean("singleton").primaryKey().default(true),
  holder: uuid("holder"),
  heldUntil: instant("held_until").notNull().defaultNow(),
});

export const sourceSecrets = pgTable("source_secrets", {
  id: uuid("id").primaryKey(),
  sourceId: uuid("source_id").notNull(),
  ciphertext: bytea("ciphertext").notNull(),
  truncated: text("truncated").notNull(),
  expiresAt: instant("expires_at"),
  createdAt: instant("created_at").notNull().defaultNow(),
});

export const geminiKeys = pgTable("gemini_keys", {
  sourceId: uuid("source_id").primaryKey(),
  ciphertext: bytea("ciphertext").notNull(),
  truncated: text("truncated").notNull(),
  keyId: text("key_id").notNull(),
  createdAt: instant("created_at").notNull().defaultNow(),
});

export const geminiRequests = pgTable("gemini_requests", {
  keyId: text("key_id").notNull(),
  hour: instant("hour").notNull(),
  sent: integer("sent").notNull(),
});

/** How the webhook of a source looked at Gemini. */
export interface UpstreamSeen {
  state: string;
  uri: string;
  subscribed_events: string[];
  secrets: { truncated: string; expire_time: string | null }[];
}

export interface UpstreamProblem {
  code: string;
  detail: string;
  /** RFC 3339. */
  since: string;
}

export type DriftCode =
  | "webhook_missing"
  | "disabled"
  | "disabled_due_to_failed_deliveries"
  | "uri_differs"
  | "events_differ"
  | "secret_unknown"
  | "key_missing"
  | "key_refused"
  | "refused"
  | "unchecked";

/** One difference between what a source expects of its webhook at Gemini and what is there. */
export interface Drift {
  code: DriftCode;
  detail: string;
}

/** What was begun at Gemini. A process that finds it without an owner does it again from the start. */
export type UpstreamIntent = { step: string; began_at: string; failures: number } & (
  | { kind: "register"; uri: string; subscribed_events: string[] | null }
  | { kind: "rotate" }
  /** `since`: from when on events may be missing, RFC 3339. */
  | { kind: "heal"; since: string }
);

export type HealPolicy = "off" | "auto";

export const upstreams = pgTable("upstreams", {
  sourceId: uuid("source_id").primaryKey(),
  webhookId: text("webhook_id"),
  uri: text("uri").notNull(),
  subscribedEvents: text("subscribed_events").array().notNull().default([]),
  seen: jsonb("seen").$type<UpstreamSeen>(),
  checkedAt: instant("checked_at"),
  problem: jsonb("problem").$type<UpstreamProblem>(),
  drift: jsonb("drift").$type<Drift[]>().notNull().default([]),
  intent: jsonb("intent").$type<UpstreamIntent>(),
  nextCheckAt: instant("next_check_at"),
  claimedBy: uuid("claimed_by"),
  claimedUntil: instant("claimed_until"),
  rotateEveryDays: integer("rotate_every_days"),
  nextRotationAt: instant("next_rotation_at"),
  heal: text("heal").$type<HealPolicy>().notNull().default("off"),
  healedAt: instant("healed_at").array().notNull().default([]),
  createdAt: instant("created_at").notNull().defaultNow(),
  updatedAt: instant("updated_at").notNull().defaultNow(),
});

export const reconciliations = pgTable("reconciliations", {
  sourceId: uuid("source_id").primaryKey(),
  enabled: boolean("enabled").notNull(),
  everySeconds: integer("every_seconds").notNull(),
  graceSeconds: integer("grace_seconds").notNull(),
  lookbackHours: integer("lookback_hours").notNull(),
});

export const jobs = pgTable("jobs", {
  id: uuid("id").primaryKey(),
  sourceId: uuid("source_id").notNull(),
  kind: text("kind").$type<GeminiJobKind>().notNull(),
  name: text("name"),
  jobId: text("job_id"),
  status: text("status").$type<JobStatus>().notNull().default("waiting"),
  state: text("state"),
  labels: jsonb("labels").$type<Record<string, string>>(),
  startedAt: instant("started_at"),
  expectedAt: instant("expected_at").notNull(),
  endedAt: instant("ended_at"),
  endData: jsonb("end_data").$type<Record<string, unknown>>(),
  eventId: uuid("event_id"),
  problem: text("problem"),
  checkedAt: instant("checked_at"),
  nextCheckAt: instant("next_check_at"),
});

export const jobSources = pgTable("job_sources", {
  sourceId: uuid("source_id").primaryKey(),
  keyId: text("key_id").notNull(),
  since: instant("since").notNull().defaultNow(),
  wantedAt: instant("wanted_at").notNull().defaultNow(),
});

export const jobEnds = pgTable("job_ends", {
  sourceId: uuid("source_id").notNull(),
  jobId: text("job_id").notNull(),
  type: text("type").notNull(),
  eventId: uuid("event_id").notNull(),
  isReconciled: boolean("is_reconciled").notNull().default(false),
});

/** One row for each key of the Gemini API: see jobs-readers.ts. */
export const jobReaders = pgTable("job_readers", {
  keyId: text("key_id").primaryKey(),
  nextTurnAt: instant("next_turn_at").notNull().defaultNow(),
  claimedBy: uuid("claimed_by"),
  claimedUntil: instant("claimed_until"),
  nextListAt: instant("next_list_at").notNull().defaultNow(),
  nextFullListAt: instant("next_full_list_at").notNull().defaultNow(),
  listSince: instant("list_since"),
  pageToken: text("page_token"),
  pausedUntil: instant("paused_until"),
  failures: integer("failures").notNull().default(0),
  problem: text("problem"),
  listedAt: instant("listed_at"),
});

export const ingressTokens = pgTable("ingress_tokens", {
  id: uuid("id").primaryKey(),
  sourceId: uuid("source_id").notNull(),
  hash: bytea("hash").notNull(),
  truncated: text("truncated").notNull(),
  expiresAt: instant("expires_at"),
  createdAt: instant("created_at").notNull().defaultNow(),
});

export const consumedCallbacks = pgTable("consumed_callbacks", {
  id: uuid("id").primaryKey(),
  webhookId: text("webhook_id").notNull(),
  expiresAt: instant("expires_at").notNull(),
});

export const spentTokens = pgTable("spent_tokens", {
  sourceId: uuid("source_id").notNull(),
  tokenId: text("token_id").notNull(),
  webhookId: text("webhook_id").notNull(),
  expiresAt: instant("expires_at").notNull(),
});

export const keySets = pgTable("key_sets", {
  uri: text("uri").primaryKey(),
  document: jsonb("document").notNull(),
  fetchedAt: instant("fetched_at").notNull(),
});

export const targets = pgTable("targets", {
  id: uuid("id").primaryKey(),
  name: text("name").notNull().unique(),
  uri: text("uri").notNull(),
  subscribedEvents: text("subscribed_events").array().notNull(),
  state: text("state").$type<TargetState>().notNull().default("enabled"),
  headersCiphertext: bytea("headers_ciphertext"),
  timeoutSeconds: integer("timeout_seconds").notNull(),
  maxInFlight: integer("max_in_flight").notNull(),
  retryBaseSeconds: doublePrecision("retry_base_seconds").notNull(),
  retryCapSeconds: doublePrecision("retry_cap_seconds").notNull(),
  retryHorizonSeconds: doublePrecision("retry_horizon_seconds").notNull(),
  createdAt: instant("created_at").notNull().defaultNow(),
  updatedAt: instant("updated_at").notNull().defaultNow(),
  filter: text("filter"),
  stateReason: text("state_reason"),
  stateChangedAt: instant("state_changed_at").notNull().defaultNow(),
  rateLimitRequests: integer("rate_limit_requests"),
  rateLimitSeconds: integer("rate_limit_seconds"),
  tlsCa: text("tls_ca"),
  tlsServerName: text("tls_server_name"),
  tlsClientCertificate: text("tls_client_certificate"),
  tlsClientKeyCiphertext: bytea("tls_client_key_ciphertext"),
  managedBy: text("managed_by"),
  kind: text("kind").$type<TargetKind>().notNull().default("http"),
  chatUrlCiphertext: bytea("chat_url_ciphertext"),
  deleteAfterIdleSeconds: integer("delete_after_idle_seconds"),
});

/** See configuration/target-pulls.ts. */
export const targetPulls = pgTable("target_pulls", {
  targetId: uuid("target_id").primaryKey(),
  lastPulledAt: instant("last_pulled_at").notNull(),
});

/** See operational/told.ts. */
export const told = pgTable("told", {
  type: text("type").notNull(),
  subject: text("subject").notNull(),
  toldAt: instant("told_at").notNull(),
  isOpen: boolean("is_open").notNull(),
  since: instant("since"),
});

export const untoldExhausted = pgTable("untold_exhausted", {
  targetId: uuid("target_id").primaryKey(),
  deliveries: integer("deliveries").notNull(),
  since: instant("since").notNull(),
  sampleIds: uuid("sample_ids").array().notNull(),
});

/** One row: see operational/telling.ts. */
export const telling = pgTable("telling", {
  singleton: boolean("singleton").primaryKey().default(true),
  lookedAt: instant("looked_at").notNull().defaultNow(),
  journal: snapshot("journal").notNull(),
  setAside: jsonb("set_aside").$type<Record<string, number>>().notNull().default({}),
});

export const processProblems = pgTable("process_problems", {
  processId: uuid("process_id").notNull(),
  app: text("app").notNull(),
  name: text("name").notNull(),
  problem: text("problem").notNull(),
  since: instant("since").notNull().defaultNow(),
  seenAt: instant("seen_at").notNull().defaultNow(),
});

export const deletedTargets = pgTable("deleted_targets", {
  targetId: uuid("target_id").primaryKey(),
  deletedAt: instant("deleted_at").notNull().defaultNow(),
});

export const redisReplicas = pgTable("redis_replicas", {
  redis: text("redis").notNull(),
  seen: integer("seen").notNull(),
  lastSeenAt: instant("last_seen_at").notNull().defaultNow(),
});

/** One row: see sweep.ts. */
export const sweep = pgTable("sweep", {
  singleton: boolean("singleton").primaryKey().default(true),
  begunAt: instant("begun_at").notNull(),
  number: bigint("number", { mode: "bigint" }).notNull(),
  targetIds: uuid("target_ids").array().notNull(),
});

export const targetHealth = pgTable("target_health", {
  targetId: uuid("target_id").primaryKey(),
  openings: integer("openings").notNull().default(0),
  openUntil: instant("open_until"),
  probeBy: uuid("probe_by"),
  probeUntil: instant("probe_until"),
  failingSince: instant("failing_since"),
  lastSuccessAt: instant("last_success_at"),
  lastFailureAt: instant("last_failure_at"),
});

export const workers = pgTable("workers", {
  id: uuid("id").primaryKey(),
  seenAt: instant("seen_at").notNull().defaultNow(),
  beats: bigint("beats", { mode: "number" }).notNull(),
  epoch: bigint("epoch", { mode: "number" }).notNull(),
  overIds: uuid("over_ids").array().notNull(),
  waitingIds: uuid("waiting_ids").array().notNull(),
});

export const workerGroup = pgTable("worker_group", {
  singleton: boolean("singleton").primaryKey().default(true),
  epoch: bigint("epoch", { mode: "number" }).notNull(),
  members: uuid("members").array().notNull(),
});

export const targetSecrets = pgTable("target_secrets", {
  id: uuid("id").primaryKey(),
  targetId: uuid("target_id").notNull(),
  ciphertext: bytea("ciphertext").notNull(),
  truncated: text("truncated").notNull(),
  expiresAt: instant("expires_at"),
  createdAt: instant("created_at").notNull().defaultNow(),
});

/** See configuration/lose-secrets.ts. */
export const lostSecrets = pgTable("lost_secrets", {
  ownerId: uuid("owner_id").notNull(),
  what: text("what").$type<LostSecretKind>().notNull(),
  truncated: text("truncated"),
  lostAt: instant("lost_at").notNull().defaultNow(),
});

export const apiKeys = pgTable("api_keys", {
  id: uuid("id").primaryKey(),
  /** Unique among the keys that are not revoked. */
  name: text("name").notNull(),
  hash: bytea("hash").notNull().unique(),
  scopes: text("scopes").array().$type<Scope[]>().notNull(),
  expiresAt: instant("expires_at"),
  revokedAt: instant("revoked_at"),
  createdAt: instant("created_at").notNull().defaultNow(),
  truncated: text("truncated").notNull().default("sluice_..."),
  lastUsedAt: instant("last_used_at"),
  managedBy: text("managed_by"),
  targetId: uuid("target_id"),
});

export const consoleSessions = pgTable("console_sessions", {
  id: uuid("id").primaryKey(),
  tokenHash: bytea("token_hash").notNull().unique(),
  method: text("method").$type<SignInMethod>().notNull(),
  keyId: uuid("key_id"),
  adminKeyCode: bytea("admin_key_code"),
  identity: text("identity"),
  createdAt: instant("created_at").notNull().defaultNow(),
  expiresAt: instant("expires_at").notNull(),
});

export const consoleCodes = pgTable("console_codes", {
  codeHash: bytea("code_hash").primaryKey(),
  keyId: uuid("key_id"),
  adminKeyCode: bytea("admin_key_code"),
  expiresAt: instant("expires_at").notNull(),
});

export const audit = pgTable("audit", {
  id: uuid("id").primaryKey(),
  keyId: uuid("key_id"),
  keyName: text("key_name").notNull(),
  remoteAddress: text("remote_address"),
  requestId: text("request_id").notNull(),
  action: text("action").$type<AuditAction>().notNull(),
  resourceType: text("resource_type").$type<AuditedType>().notNull(),
  resourceId: text("resource_id").notNull(),
  before: jsonb("before").$type<Record<string, unknown>>(),
  after: jsonb("after").$type<Record<string, unknown>>(),
});

export const idempotencyKeys = pgTable("idempotency_keys", {
  caller: uuid("caller").notNull(),
  keyHash: bytea("key_hash").notNull(),
  fingerprint: bytea("fingerprint").notNull(),
  claim: uuid("claim").notNull().unique(),
  claimedUntil: instant("claimed_until").notNull(),
  tookEffect: boolean("took_effect").notNull().default(false),
  answer: bytea("answer"),
  createdAt: instant("created_at").notNull().defaultNow(),
  meaning: bytea("meaning"),
});

export const eventKeys = pgTable("event_keys", {
  sourceId: uuid("source_id").notNull(),
  webhookId: text("webhook_id").notNull(),
  eventId: uuid("event_id").notNull(),
});

export const events = pgTable("events", {
  id: uuid("id").primaryKey(),
  sourceId: uuid("source_id").notNull(),
  webhookId: text("webhook_id").notNull(),
  type: text("type"),
  occurredAt: instant("occurred_at"),
  receivedAt: instant("received_at").notNull(),
  scheme: text("scheme").$type<EventScheme>().notNull(),
  userMetadata: jsonb("user_metadata").$type<Record<string, unknown>>(),
  contentType: text("content_type"),
  body: bytea("body").notNull(),
  labels: jsonb("labels").$type<Record<string, string>>(),
  filterErrors: jsonb("filter_errors").$type<FilterError[]>(),
  bodyUnbound: boolean("body_unbound").notNull().default(false),
  dataId: text("data_id"),
  contentEncoding: text("content_encoding"),
  bodyRemovedAt: instant("body_removed_at"),
  bodyRemovedBy: text("body_removed_by").$type<BodyRemoval>(),
  /** See delivery/trace-contexts.ts. */
  traceContext: text("trace_context"),
});

/** One row: see delivery/body-retention.ts. */
export const bodyRetention = pgTable("body_retention", {
  singleton: boolean("singleton").primaryKey().default(true),
  reached: uuid("reached").notNull().default("00000000-0000-0000-0000-000000000000"),
  revisited: uuid("revisited").notNull().default("00000000-0000-0000-0000-000000000000"),
  nextVisitAt: instant("next_visit_at").notNull().defaultNow(),
});

/** See delivery/body-retention.ts. */
export const keptBodies = pgTable("kept_bodies", {
  eventId: uuid("event_id").primaryKey(),
});

export const eventTerms = pgTable("event_terms", {
  term: bigint("term", { mode: "bigint" }).notNull(),
  eventId: uuid("event_id").notNull(),
});

export const deliveries = pgTable("deliveries", {
  id: uuid("id").primaryKey(),
  eventId: uuid("event_id").notNull(),
  targetId: uuid("target_id").notNull(),
  sourceId: uuid("source_id").notNull(),
  eventType: text("event_type"),
  webhookId: text("webhook_id").notNull(),
  status: text("status").$type<DeliveryStatus>().notNull(),
  attemptCount: integer("attempt_count").notNull().default(0),
  nextAttemptAt: instant("next_attempt_at"),
  leasedBy: uuid("leased_by"),
  nextTrigger: text("next_trigger").$type<AttemptTrigger>().notNull(),
  deadlineAt: instant("deadline_at").notNull(),
  lastStatusCode: integer("last_status_code"),
  lastError: text("last_error"),
  createdAt: instant("created_at").notNull().defaultNow(),
  finishedAt: instant("finished_at"),
  backoffStart: integer("backoff_start").notNull().default(0),
});

/** See log/stray-deliveries.ts. */
export const strayDeliveries = pgTable("stray_deliveries", {
  id: uuid("id").primaryKey(),
  createdAt: instant("created_at").notNull(),
});

export const attempts = pgTable("attempts", {
  id: uuid("id").primaryKey(),
  deliveryId: uuid("delivery_id").notNull(),
  number: integer("number").notNull(),
  trigger: text("trigger").$type<AttemptTrigger>().notNull(),
  startedAt: instant("started_at").notNull(),
  durationMs: doublePrecision("duration_ms").notNull(),
  statusCode: integer("status_code"),
  error: text("error"),
  responseExcerpt: text("response_excerpt"),
  targetId: uuid("target_id"),
  sourceId: uuid("source_id"),
  eventType: text("event_type"),
  /** See delivery/attempt-details.ts. */
  details: text("details"),
});

export const rejections = pgTable("rejections", {
  id: uuid("id").primaryKey(),
  sourceId: uuid("source_id").notNull(),
  reason: text("reason").$type<RefusalReason>().notNull(),
  webhookId: text("webhook_id"),
  remoteAddress: text("remote_address"),
  sizeBytes: integer("size_bytes"),
  createdAt: instant("created_at").notNull().defaultNow(),
  detail: text("detail").notNull().default(""),
  weight: integer("weight").notNull().default(1),
});

export const retentionState = pgTable("retention_state", {
  singleton: boolean("singleton").primaryKey().default(true),
  nextDropAt: instant("next_drop_at").notNull().defaultNow(),
  overdueDays: integer("overdue_days").notNull().default(0),
  unfinished: jsonb("unfinished").$type<Partial<Record<TargetState, number>>>().notNull().default({}),
  heldDays: integer("held_days").notNull().default(0),
  logDays: integer("log_days"),
  bodyDays: integer("body_days"),
  auditDays: integer("audit_days"),
});

const idsOf = (name: string) => uuid(name).array();

export const changes = pgTable("changes", {
  xid: xid8("xid")
    .notNull()
    .default(sql`pg_current_xact_id()`),
  id: bigint("id", { mode: "number" })
    .notNull()
    .default(sql`nextval('changes_id')`),
  at: instant("at").notNull().defaultNow(),
  eventIds: idsOf("event_ids"),
  attemptIds: idsOf("attempt_ids"),
  createdIds: idsOf("created_ids"),
  succeededIds: idsOf("succeeded_ids"),
  exhaustedIds: idsOf("exhausted_ids"),
  cancelledIds: idsOf("cancelled_ids"),
  retriedIds: idsOf("retried_ids"),
  reopenedIds: idsOf("reopened_ids"),
});

export const statsPosition = pgTable("stats_position", {
  singleton: boolean("singleton").primaryKey().default(true),
  counted: snapshot("counted").notNull(),
  countedAt: instant("counted_at").notNull().defaultNow(),
  cluster: bigint("cluster", { mode: "bigint" }),
});

export const stats = pgTable("stats", {
  resolution: text("resolution").$type<Resolution>().notNull(),
  cut: smallint("cut").notNull(),
  start: instant("start").notNull(),
  targetId: uuid("target_id"),
  sourceId: uuid("source_id"),
  eventType: text("event_type"),
  events: integer("events").notNull(),
  deliveries: integer("deliveries").notNull(),
  succeeded: integer("succeeded").notNull(),
  exhausted: integer("exhausted").notNull(),
  cancelled: integer("cancelled").notNull(),
  retried: integer("retried").notNull(),
  attemptsSucceeded: integer("attempts_succeeded").notNull(),
  attemptsFailed: integer("attempts_failed").notNull(),
  latency: integer("latency").array(),
});

export const waitingSamples = pgTable("waiting_samples", {
  resolution: text("resolution").$type<Resolution>().notNull(),
  start: instant("start").notNull(),
  /** Null for all targets without rows of their own. */
  targetId: uuid("target_id"),
  samples: integer("samples").notNull(),
  waiting: bigint("waiting", { mode: "number" }).notNull(),
  oldestSeconds: integer("oldest_seconds").notNull(),
});

export const statsWaiting = pgTable("stats_waiting", {
  targetId: uuid("target_id").notNull(),
  since: instant("since").notNull(),
  waiting: integer("waiting").notNull(),
});

/** What an operation replays, and what it did so far. Ids are UUIDs. */
export interface ReplayState {
  again: boolean;
  match_subscription: boolean;
  /** A CEL expression; null for every event that the operation's filter finds. */
  expression: string | null;
  /** The number of events that the expression selected. */
  matched: number;
  /** The first failure of a filter; `target` is null for the operation's own expression. */
  first_filter_error: { event: string; target: string | null; error: string } | null;
  targets: ReplayTally[];
}

/** What became of the events that the operation selected, for one target. The numbers add up to `matched`. */
export interface ReplayTally {
  target: string;
  created: number;
  retried: number;
  /** The target has a delivery of the event, which was left as it is. */
  skipped: number;
  /** The target's subscription or filter does not match the event. */
  not_matched: number;
  /** The target's filter failed on the event. */
  filter_errors: number;
  /** The body was removed; or the target was disabled or deleted, or the event passed its retention, during the operation. */
  left_out: number;
}

export const operations = pgTable("operations", {
  id: uuid("id").primaryKey(),
  kind: text("kind").$type<OperationKind>().notNull(),
  state: text("state").$type<OperationState>().notNull().default("running"),
  given: jsonb("given").$type<Record<string, unknown>>().notNull(),
  filter: jsonb("filter").$type<Record<string, unknown>>().notNull(),
  isCounted: boolean("is_counted").notNull().default(false),
  total: integer("total").notNull().default(0),
  done: integer("done").notNull().default(0),
  failed: integer("failed").notNull().default(0),
  cursor: uuid("cursor"),
  nextStepAt: instant("next_step_at").notNull().defaultNow(),
  failures: integer("failures").notNull().default(0),
  error: text("error"),
  keyId: uuid("key_id"),
  keyName: text("key_name").notNull(),
  finishedAt: instant("finished_at"),
  replay: jsonb("replay").$type<ReplayState>(),
  nextReplayStepAt: instant("next_replay_step_at"),
});

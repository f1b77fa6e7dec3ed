// A sender learns why a store did not confirm an event, and nothing that is secret.

import { expect, onTestFinished, test } from "vitest";

import { openLog } from "@sluice/shared/runtime/log";
import { PostgresServer } from "@sluice/store/connection/postgres-server";

import { openQueueBackend } from "./open-backend.ts";
import { RelayIdentity } from "./relay-identity.ts";
import { describeStoreError, NoAnswer } from "./store-error.ts";

const withCode = (code: string, message = "postgres://user:hunter2@db.internal") =>
  Object.assign(new Error(message), { code });
const ofRedis = (message: string) => Object.assign(new Error(message), { name: "ReplyError" });

test.for<[string, unknown]>([
  ["connection refused", withCode("ECONNREFUSED")],
  ["connection refused", Object.assign(new AggregateError([]), { code: "ECONNREFUSED" })],
  ["connection lost", withCode("ECONNRESET")],
  ["connection lost", new Error("Connection terminated unexpectedly")],
  ["connection lost", new Error("Connection is closed.")],
  ["connection lost", new Error("Stream isn't writeable and enableOfflineQueue options is false")],
  ["host name not found", withCode("ENOTFOUND")],
  ["SQLSTATE 28P01", withCode("28P01", 'password authentication failed for user "hunter2"')],
  ["SQLSTATE 53300", withCode("53300")],
  ["unexpected error", withCode("EPERM")],
  ["Redis error OOM", ofRedis("OOM command not allowed when used memory > 'maxmemory'")],
  ["Redis error WRONGPASS", ofRedis("WRONGPASS hunter2")],
  ["no answer", new NoAnswer()],
  ["no answer", new Error("timeout exceeded when trying to connect")],
  ["no answer", new Error("Command timed out")],
  ["unexpected error", withCode("postgres://user:hunter2@db.internal", "hunter2")],
  ["unexpected error", ofRedis("hunter2 in lower case is not a code")],
  ["unexpected error", "postgres://user:hunter2@db.internal"],
])("%s", ([words, error]) => {
  expect(describeStoreError(error)).toBe(words);
});

/** Adds a job while PostgreSQL is away, and returns the message of the error. */
async function readAddError(url: string, name: "intake" | "deliver"): Promise<string> {
  const backend = openQueueBackend({
    postgres: { server: new PostgresServer({ url }) },
    redis: undefined,
    identity: new RelayIdentity(),
    log: openLog("gateway", "silent"),
  });
  const producer = backend.openProducer();
  onTestFinished(async () => {
    await producer.close();
    await backend.close();
  });
  const adding = name === "intake" ? producer.add(name, { events: [] }) : producer.add(name, { targetId: "a" });
  const error: unknown = await adding.catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: "unavailable", retryAfterSeconds: 5 });
  return error instanceof Error ? error.message : "";
}

test("an unconfirmed job is an error that names store, limit and reason, and neither host nor password", async () => {
  const url = "postgres://user:hunter2@127.0.0.1:1/none";
  expect(await readAddError(url, "intake")).toBe(
    "PostgreSQL did not confirm the event within 5 s (connection refused); the sender should retry",
  );
  expect(await readAddError(url, "deliver")).toBe(
    "PostgreSQL did not confirm the wake-up of the target within 5 s (connection refused); try again",
  );
});

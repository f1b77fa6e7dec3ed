// The addresses of the relay's own services, as its settings say them.

import { expect, test } from "vitest";
import { z } from "zod";

import { listOwnServices } from "./list-own-services.ts";
import { commonSettings } from "./common.ts";
import { readConfig } from "./read-config.ts";

const config = z.object(commonSettings);

function list(env: Record<string, string>): string[] {
  const services = listOwnServices(readConfig(config, { DATABASE_URL: "postgres:///sluice?host=/run", ...env }));
  return services.map(
    ({ what, host, port, mayListenOnMore }) => `${what} ${host} ${port}${mayListenOnMore ? " +" : ""}`,
  );
}

const LISTENERS = [
  "ingress (PORT) 0.0.0.0 8080",
  "API (API_PORT) 127.0.0.1 8081",
  "worker (WORKER_PORT) 127.0.0.1 8082",
];

test("the ports of the relay are known by their defaults, and by their settings", () => {
  expect(list({})).toEqual(LISTENERS);
  const moved = {
    HOST: "gateway",
    PORT: "1",
    API_HOST: "10.0.0.1",
    API_PORT: "2",
    WORKER_HOST: "worker",
    WORKER_PORT: "3",
  };
  expect(list(moved)).toEqual([
    "ingress (PORT) gateway 1",
    "API (API_PORT) 10.0.0.1 2",
    "worker (WORKER_PORT) worker 3",
  ]);
});

test.for<[string, string[]]>([
  ["postgres://u:p@db.internal/sluice", ["db.internal 5432"]],
  ["postgresql://u:p@10.0.0.1:6432/sluice?sslmode=require", ["10.0.0.1 6432"]],
  ["postgres://u:p@[fd00::1]:5433/sluice", ["[fd00::1] 5433"]],
  ["postgres://u:p@db.internal:5433/sluice?host=other.internal&port=5434", ["other.internal 5434"]],
  ["postgres:///sluice", ["localhost 5432"]],
  ["postgres:///sluice?host=/var/run/postgresql", []],
  ["postgres://u:p@%2Fvar%2Frun%2Fpostgresql/sluice", []],
])("PostgreSQL of %s is at %j", ([url, places]) => {
  for (const setting of ["DATABASE_URL", "DATABASE_DIRECT_URL"]) {
    const found = list({ [setting]: url }).slice(LISTENERS.length);
    expect(found).toEqual(places.map((place) => `PostgreSQL (${setting}) ${place} +`));
  }
});

test.for<[string, string[]]>([
  ["redis://redis.internal", ["redis.internal 6379"]],
  ["rediss://:p@[::1]:6380/2", ["::1 6380"]],
  ["redis+cluster://a:7001,b:7002", ["a 7001", "b 7002"]],
  ["redis+sentinel://a,b:26380/0?master=m", ["a 26379", "b 26380"]],
])("Redis of %s is at %j", ([url, places]) => {
  expect(list({ REDIS_URL: url }).slice(LISTENERS.length)).toEqual(
    places.map((place) => `Redis (REDIS_URL) ${place} +`),
  );
});

import { expect, test } from "vitest";

import { parseServerState } from "./redis-server-state.ts";

test("the version, the connections, the memory and the append-only file are read from INFO", () => {
  const info = [
    "# Server",
    "redis_version:7.2.4",
    "valkey_version:8.1.1",
    "connected_clients:12",
    "maxclients:10000",
    "used_memory:1048576",
    "maxmemory:0",
    "aof_enabled:1",
    "aof_last_write_status:err",
  ].join("\r\n");
  expect(parseServerState(info)).toEqual({
    version: "8.1.1",
    product: "Valkey",
    connections: 12,
    maxConnections: 10_000,
    usedMemoryBytes: 1_048_576,
    maxMemoryBytes: null,
    appendOnly: true,
    lastWriteOk: false,
  });
});

test("what Redis does not say is null", () => {
  expect(parseServerState("redis_version:7.0.0\r\naof_enabled:0\r\naof_last_write_status:ok\r\n")).toMatchObject({
    version: "7.0.0",
    product: "Redis",
    connections: null,
    appendOnly: false,
    lastWriteOk: null,
  });
  expect(new Set(Object.values(parseServerState("")))).toEqual(new Set([null]));
});

// The replicas that count are those which a failover could choose.

import { expect, test } from "vitest";

import { parseReplication } from "./redis-replication.ts";

test("replicas count when they are online", () => {
  const info = [
    "# Replication",
    "role:master",
    "connected_slaves:3",
    "slave0:ip=127.0.0.1,port=7001,state=online,offset=98,lag=0",
    "slave1:ip=127.0.0.1,port=7002,state=wait_bgsave,offset=0,lag=0",
    "slave2:ip=127.0.0.1,port=7003,state=online,offset=98,lag=1,type=replica",
    "master_failover_state:no-failover",
  ].join("\r\n");
  expect(parseReplication(info)).toEqual({ isPrimary: true, online: 2 });
});

test("a replica is told from a primary", () => {
  expect(parseReplication("role:slave\r\nconnected_slaves:0\r\n")).toEqual({ isPrimary: false, online: 0 });
});

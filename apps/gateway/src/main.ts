// The gateway as a process: the only file of this app that reads the environment.

import { setTimeout as delay } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";

import { readConfig } from "@sluice/shared/settings/read-config";
import { openLog } from "@sluice/shared/runtime/log";
import { runApp } from "@sluice/shared/runtime/process";

import { gatewayConfig } from "./gateway-config.ts";
import { startGateway } from "./gateway.ts";

/** Some probes of a balancer that asks several times a second; short, because a person waits for Ctrl-C. */
const STOP_NOTICE_MS = 1_000;

// Both keep memory down, and decision 21 says at what cost. V8's middle compiler would take all functions of a request at once, and
// malloc keep for good what that needs. And while V8 marks what is alive, the heap grows: it begins when a third of the room
// is used, not when all of it is.
setFlagsFromString("--no-maglev");
setFlagsFromString("--incremental-marking-hard-trigger=35");

const log = openLog("gateway", process.env["LOG_LEVEL"]);
await runApp(
  async () => startGateway(readConfig(gatewayConfig, process.env), log, { stopNotice: () => delay(STOP_NOTICE_MS) }),
  log,
);

// The gateway as a process: the only file of this app that reads the environment.

import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";

import { openLog } from "@sluice/shared/runtime/log";
import { runApp } from "@sluice/shared/runtime/process";
import { RecentLog } from "@sluice/shared/runtime/recent-log";
import { answerVersionFlag } from "@sluice/shared/runtime/version-flag";
import { readConfig } from "@sluice/shared/settings/read-config";

import { gatewayConfig } from "./gateway-config.ts";
import { startGateway } from "./gateway.ts";

/** Long enough for some probes of a balancer that asks several times a second, and short because a person waits for Ctrl-C. */
const STOP_NOTICE_MS = 1_000;

answerVersionFlag();
const recentLog = new RecentLog();
const log = openLog("gateway", process.env["LOG_LEVEL"], undefined, recentLog);
await runApp(
  async () =>
    startGateway(readConfig(gatewayConfig, process.env), log, {
      stopNotice: () => delay(STOP_NOTICE_MS),
      env: process.env,
      recentLog,
      // Beside the bundle of this app; see scripts/bundle.ts.
      cliFile: fileURLToPath(new URL("sluice.mjs", import.meta.url)),
      consoleDirectory: fileURLToPath(new URL("console/", import.meta.url)),
    }),
  log,
);

// The gateway as a process: the only file of this app that reads the environment.

import { gatewayConfig, readConfig } from "@sluice/shared/config";
import { openLog } from "@sluice/shared/log";
import { runApp } from "@sluice/shared/process";

import { startGateway } from "./gateway.ts";

const log = openLog("gateway", process.env["LOG_LEVEL"]);
await runApp(async () => startGateway(readConfig(gatewayConfig, process.env), log), log);

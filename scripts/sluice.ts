// `npm run -s sluice -- …` runs the command line of Sluice in a clone, from its sources, with the settings of `.env`.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { findOwnRelay } from "@sluice/cli/relay/own-relay";
import { runProcess } from "@sluice/cli/run-process";

import { reachCloneStores } from "./relay/clone-stores.ts";
import { dataDirOf, findRunningRelay } from "./relay/running-relay.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

if (existsSync(join(ROOT, ".env"))) process.loadEnvFile(join(ROOT, ".env"));
await runProcess({
  env: process.env,
  // npm runs its commands at the root of the clone, and says where the user is.
  directory: process.env["INIT_CWD"] ?? process.cwd(),
  findOwnRelay: () => {
    const running = findRunningRelay(dataDirOf(ROOT, process.env));
    if (running === undefined || running.apiKeyFile === null) return findOwnRelay(process.env);
    const key = readFileSync(running.apiKeyFile, "utf8").trim();
    return { api: running.apiUrl, key, from: running.apiKeyFile };
  },
  noOwnRelay:
    "No relay runs in this clone: `npm start` starts one. One in containers is reached by `docker compose exec gateway sluice …`, " +
    "and any other after `npm run -s sluice -- login`",
  reachStores: () => reachCloneStores(ROOT, process.env),
});

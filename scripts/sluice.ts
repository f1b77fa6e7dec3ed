// `npm run -s sluice -- …` runs the command line of Sluice in a clone, from its sources, with the settings of `.env`.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { runCli } from "@sluice/cli/run-cli";

import { reachCloneStores } from "./relay/clone-stores.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

if (existsSync(join(ROOT, ".env"))) process.loadEnvFile(join(ROOT, ".env"));
process.exitCode = await runCli(process.argv.slice(2), {
  env: process.env,
  // npm runs its commands at the root of the clone, and says where the user is.
  directory: process.env["INIT_CWD"] ?? process.cwd(),
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  reachStores: () => reachCloneStores(ROOT, process.env),
});

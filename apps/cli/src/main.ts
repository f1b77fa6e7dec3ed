// `sluice` as a process: the only file of this app that reads the environment.

import { findOwnRelay } from "./relay/own-relay.ts";
import { runProcess } from "./run-process.ts";

await runProcess({
  env: process.env,
  directory: process.cwd(),
  findOwnRelay: () => findOwnRelay(process.env),
});

// The rows of the bench, in the order of its table.

import type { Row } from "./row.ts";
import { calls } from "./rows/calls.ts";
import { embedded, endToEnd, fanOut, statements, two } from "./rows/deliver.ts";
import { consoleRow } from "./rows/console.ts";
import { drain } from "./rows/drain.ts";
import { ingest, noOp } from "./rows/ingest.ts";
import { latency } from "./rows/latency.ts";
import { bare, cold, light } from "./rows/light.ts";
import { listen } from "./rows/listen.ts";
import { log } from "./rows/log.ts";
import { burst, crowd } from "./rows/many-targets.ts";
import { memory } from "./rows/memory.ts";
import { pull } from "./rows/pull.ts";
import { start } from "./rows/start.ts";

export const ROWS: readonly Row[] = [
  noOp,
  ingest,
  endToEnd,
  fanOut,
  drain,
  latency,
  pull,
  listen,
  ...light,
  bare,
  cold,
  calls,
  statements,
  memory,
  burst,
  crowd,
  two,
  embedded,
  log,
  consoleRow,
  start,
];

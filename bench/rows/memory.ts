// memory: the memory of the apps at saturation, and of Redis for waiting deliveries.

import { copyFileSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import { processGroup } from "../children.ts";
import { withRelay } from "../flow.ts";
import { MEBIBYTE, watchResidentSets } from "../resident-set.ts";
import type { Rig } from "../rig.ts";
import type { Bench, Row } from "../row.ts";

/** The directory for temporary files is no choice, because some machines do not run programs from there. */
const DIRECTORY = join(import.meta.dirname, "..", "..", "node_modules", ".cache", "bench");

export const memory: Row = {
  name: "memory",
  about: "the highest resident set in a minute at saturation; and the memory of Redis for each waiting delivery",
  run: async (bench) =>
    withRelay(bench, { node: copyNodeIntoSmallPages() }, async ({ rig, gateways, workers, flow }) => {
      bench.progress("memory at saturation");
      const { highestBytes } = await watchResidentSets([...gateways, ...workers], () =>
        flow(bench.quick ? 1_000 : 60_000),
      );
      const [gateway = 0, worker = 0] = highestBytes;
      return [
        { what: "gateway", value: gateway / MEBIBYTE, unit: "MiB", aim: { atMost: 200 } },
        { what: "worker", value: worker / MEBIBYTE, unit: "MiB", aim: { atMost: 220 } },
        {
          what: "Redis, each waiting delivery",
          value: await bytesOfWaiting(bench, rig, gateways[0]?.url ?? ""),
          unit: "bytes",
          aim: { atMost: 50 },
        },
      ];
    }),
};

/** The bytes per delivery in Redis. The deliveries wait for their next attempt at a target that refuses connections. */
async function bytesOfWaiting({ quick, generator }: Bench, rig: Rig, url: string): Promise<number> {
  const count = quick ? 500 : 20_000;
  await rig.query("UPDATE targets SET state = 'disabled'");
  await rig.query("UPDATE configuration SET revision = revision + 1");
  // No program listens on port 9 of loopback.
  await rig.createTarget("http://127.0.0.1:9/hook");
  const before = await rig.redisBytes();
  await generator.run({
    urls: [url],
    bodyBytes: 200,
    pace: { kind: "closed", connections: 16 },
    until: { kind: "count", count },
  });
  const waiting = "SELECT count(*)::int AS n FROM deliveries WHERE next_attempt_at IS NOT NULL";
  while (Number((await rig.query(waiting))[0]?.["n"]) < count) {
    await delay(200);
  }
  return Math.max(0, (await rig.redisBytes()) - before) / count;
}

/**
 * Makes a copy of Node. If an installation or a backup read the whole file, Linux keeps it in large pages, and since 6.18
 * Linux maps each of these pages whole. The same Node then takes about 24 MiB more in each process. A copy has small pages.
 *
 * @returns the path of the copy; on other systems the path of this Node.
 */
function copyNodeIntoSmallPages(): string {
  if (process.platform !== "linux") return process.execPath;
  const path = join(DIRECTORY, "node");
  mkdirSync(DIRECTORY, { recursive: true });
  const remove = () => rmSync(path, { force: true });
  // An overwritten file would keep its large pages.
  remove();
  processGroup().atEnd(remove);
  copyFileSync(process.execPath, path);
  return path;
}

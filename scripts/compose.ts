// `npm run test:compose` plays what an operator does with the compose files, on a real `docker compose`, and says what it
// saw. The exit code is 1 when a stack did not do what the documentation says.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { Clone, runDocker, TEST_IMAGE } from "../tests/compose/clone.ts";
import { CannotPlay, type Scenario } from "../tests/compose/scenario.ts";
import { SCENARIOS } from "../tests/compose/scenarios.ts";

const USAGE = `npm run test:compose -- [scenario …]

Without a scenario, all of them run, some twenty minutes. It needs docker with compose 2.24 or newer, and the images that
the compose files name. What it starts has names and ports of its own, and is removed at the end.

${SCENARIOS.map(({ name, about }) => `  ${name.padEnd(20)}${about}`).join("\n")}

  --keep              leave the stacks as they are at the end`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { help: { type: "boolean", default: false }, keep: { type: "boolean", default: false } },
});

if (values.help) console.log(USAGE);
// A scenario that failed may have left a sender behind, which would go on for ever.
else process.exit(await main());

async function main(): Promise<number> {
  const chosen = positionals.length === 0 ? SCENARIOS : positionals.map(findScenario);
  const docker = await runDocker(["compose", "version"]);
  if (docker.code !== 0) {
    console.error(`docker compose does not answer:\n${docker.output.trimEnd()}`);
    return 1;
  }
  console.log(docker.output.trim());
  const directory = mkdtempSync(join(tmpdir(), "sluice-compose-"));
  let failed = 0;
  for (const scenario of chosen) if (!(await play(scenario, directory))) failed++;
  if (!values.keep) {
    rmSync(directory, { recursive: true, force: true });
    // By name: by its id, an image would be lost to other runs that built the same one.
    const { stdout } = await runDocker(["image", "ls", "--format", "{{.Repository}}:{{.Tag}}", TEST_IMAGE]);
    const images = stdout.split("\n").filter((name) => name !== "");
    if (images.length > 0) await runDocker(["image", "rm", ...images]);
  }
  console.log(failed === 0 ? "\nEvery stack did what the documentation says." : `\n${failed} scenarios failed.`);
  return failed === 0 ? 0 : 1;
}

/** @returns false when the scenario failed. */
async function play({ name, about, run }: Scenario, directory: string): Promise<boolean> {
  console.log(`\n${name}: ${about}`);
  const startedMs = Date.now();
  const undo: (() => unknown)[] = [];
  let clones = 0;
  const say = (text: string) => console.log(`  ${Math.round((Date.now() - startedMs) / 1_000)} s  ${text}`);
  try {
    await run({
      saw: say,
      atEnd: (action) => undo.push(action),
      clone: async (options = {}) => {
        // The name of the directory is the name of the project.
        const project = `sluice-test-${process.pid}-${name}-${++clones}`;
        const clone = await Clone.make(join(directory, project), options);
        undo.push(() => (values.keep ? undefined : clone.remove()));
        return clone;
      },
    });
    return true;
  } catch (error) {
    if (error instanceof CannotPlay) {
      say(`SKIPPED: ${error.message}`);
      return true;
    }
    say(`FAILED: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    return false;
  } finally {
    for (const action of undo.toReversed()) await action();
  }
}

function findScenario(name: string): Scenario {
  const found = SCENARIOS.find((each) => each.name === name);
  if (found === undefined) throw new Error(`There is no scenario ${name}. --help lists them.`);
  return found;
}

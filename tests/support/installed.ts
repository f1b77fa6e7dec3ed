// Which programs of other languages this machine has.

import { spawnSync } from "node:child_process";

/** What shows the version, where it is not `--version`. */
const VERSION_WORDS: Record<string, string[]> = { go: ["version"], helm: ["version"], kubeconform: ["-v"] };

/** @returns the first of the programs that is not installed; undefined when all are. */
export function findMissingTool(names: readonly string[]): string | undefined {
  return names.find((name) => spawnSync(name, VERSION_WORDS[name] ?? ["--version"], { stdio: "ignore" }).status !== 0);
}

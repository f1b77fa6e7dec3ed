// `--version`: every program of a relay says which build it is, before it reads a setting.

import { BUILD } from "./build.ts";

/** Such as `0.1.0 (a3cb993…)`; without the commit where the build does not know it. */
export const BUILD_TEXT = BUILD.commit === "unknown" ? BUILD.version : `${BUILD.version} (${BUILD.commit})`;

/** With the argument `--version`, prints the version and ends the process. */
export function answerVersionFlag(): void {
  if (process.argv[2] !== "--version") return;
  process.stdout.write(`${BUILD_TEXT}\n`);
  process.exit(0);
}

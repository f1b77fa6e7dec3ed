// Which build of Sluice a process runs: the version, and the commit where the build knows it.

import { SLUICE_VERSION } from "../domain/version.ts";

/** The bundler puts the commit here (scripts/bundle.ts). Sources that run as they are do not have it. */
declare const SLUICE_BUILD_COMMIT: string | undefined;

export const BUILD = {
  version: SLUICE_VERSION,
  /** As `git describe --always --dirty` names it; `unknown` when the build had neither SLUICE_COMMIT nor git. */
  commit: typeof SLUICE_BUILD_COMMIT === "string" ? SLUICE_BUILD_COMMIT : "unknown",
};

// A scenario plays what an operator does with the compose files, on a working `docker compose`, and says what it saw.

import type { Clone } from "./clone.ts";

interface Stage {
  /** A line of the report: what was seen, with its figures. */
  saw: (text: string) => void;
  /** The sources of this checkout, or of a commit, in a directory of their own. Its containers and volumes are removed at the end. */
  clone: (options?: CloneOptions) => Promise<Clone>;
  /** Runs at the end of the scenario, the last one first. */
  atEnd: (undo: () => unknown) => void;
}

interface CloneOptions {
  /** A commit; by default this checkout with its changes. */
  commit?: string;
  /** Lines of .env, beside the ports and the names that keep the clone apart from everything else on the machine. */
  env?: Record<string, string>;
}

export interface Scenario {
  name: string;
  about: string;
  /** @throws Error (AssertionError) when the stack did not do what the documentation says. */
  run: (stage: Stage) => Promise<void>;
}

/** The scenario cannot be played here, and the message says why. */
export class CannotPlay extends Error {}

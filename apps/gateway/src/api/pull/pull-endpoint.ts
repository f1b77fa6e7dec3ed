// What the endpoints of a pull target share: their dependencies, and how they find the target.

import { SluiceError } from "@sluice/shared/runtime/errors";
import { notePull } from "@sluice/store/configuration/target-pulls";
import type { TargetRecord } from "@sluice/store/configuration/targets";
import type { Database } from "@sluice/store/connection/database";

import { findTarget } from "../targets/find-target.ts";
import { readTargetId, type TargetsDependencies } from "../targets/target-endpoint.ts";
import type { PullWaits } from "./pull-waits.ts";
import type { PulledAttempts } from "./pulled-attempts.ts";

export interface PullDependencies extends TargetsDependencies {
  /** With the settings of a worker, whose statements these are. */
  pullDb: Database;
  pullWaits: PullWaits;
  pulledAttempts: PulledAttempts;
}

/** Longer than {@link notePull} takes to write again. */
const NOTE_EVERY_MS = 61_000;
const MAX_NOTED = 10_000;

/** Finds pull targets, and notes that they are in use. A request never waits for the note. */
export class PullTargets {
  readonly #dependencies: PullDependencies;
  readonly #notedAtMs = new Map<string, number>();

  constructor(dependencies: PullDependencies) {
    this.#dependencies = dependencies;
  }

  /** @param text the id in the path. @throws SluiceError `invalid_id`, `not_found`, `wrong_kind` */
  async find(text: string): Promise<TargetRecord> {
    const { db, masterKey, log } = this.#dependencies;
    const target = await findTarget(db, masterKey, readTargetId(text));
    if (target.kind !== "pull") {
      throw new SluiceError(
        "wrong_kind",
        `The relay sends to targets of the kind ${target.kind}; only pull targets pull`,
      );
    }
    if (this.#isNoteDue(target.id)) {
      // Failure policy: open. The next pull after a minute tries again.
      notePull(db, target.id).catch((error: unknown) => log.warn({ err: error }, "pull of a target not noted"));
    }
    return target;
  }

  #isNoteDue(id: string): boolean {
    const nowMs = performance.now();
    if (nowMs - (this.#notedAtMs.get(id) ?? Number.NEGATIVE_INFINITY) < NOTE_EVERY_MS) return false;
    if (this.#notedAtMs.size >= MAX_NOTED) this.#notedAtMs.clear();
    this.#notedAtMs.set(id, nowMs);
    return true;
  }
}

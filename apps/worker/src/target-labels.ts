// Which label a target has in the metrics of a worker: its name, or that of all targets without a series of their own.

import { MAX_NAMED_TARGETS, OTHER_TARGETS } from "@sluice/store/journal/busiest-targets";

/** What is read of the targets that a worker holds in memory. */
type KnownTargets = ReadonlyMap<string, { name: string }>;

export class TargetLabels {
  readonly #targets: () => KnownTargets;
  #busiest: ReadonlySet<string> = new Set();

  constructor(targets: () => KnownTargets) {
    this.#targets = targets;
  }

  /** Whether there are more targets than names, so that {@link choose} matters. */
  get isCrowded(): boolean {
    return this.#targets().size > MAX_NAMED_TARGETS;
  }

  /** @param busiest the ids of the targets that keep their names while there are too many. */
  choose(busiest: readonly string[]): void {
    this.#busiest = new Set(busiest);
  }

  labelOf(targetId: string): string {
    const target = this.#targets().get(targetId);
    if (target === undefined) return OTHER_TARGETS;
    return this.isCrowded && !this.#busiest.has(targetId) ? OTHER_TARGETS : target.name;
  }

  /** Every label that a target has now. */
  list(): Set<string> {
    const ids = this.isCrowded ? this.#busiest : this.#targets().keys();
    return new Set([...[...ids].map((id) => this.labelOf(id)), OTHER_TARGETS]);
  }
}

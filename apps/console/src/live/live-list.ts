// The rows that a tab shows: filtered, bounded, and renewed at most four times a second, so that hundreds of entries a second
// neither stall the page nor fill its memory. While it is held, nothing moves and what comes is counted.

import type { SearchParams } from "../data/search-params.ts";
import { type TailRow, passesFilters } from "./tail-row.ts";

/** As many as a person looks through. The lists have the rest. */
export const MOST_ROWS = 200;
/** Rows that are kept without a filter, so that a new filter finds what came a moment ago. */
const KEPT_ROWS = 1_000;
const RENEW_EVERY_MS = 250;

export interface LiveView {
  /** Newest first. */
  rows: readonly TailRow[];
  /** How many matching entries came since the list is held. */
  held: number;
}

/** Calls back when a frame is drawn, and never in a tab that is hidden. */
const nextFrame = (renew: () => void) => requestAnimationFrame(renew);

export class LiveList {
  #kept: TailRow[] = [];
  #matching: TailRow[] = [];
  #new = 0;
  #isHeld = false;
  #isScheduled = false;
  #search: SearchParams = {};
  #view: LiveView = { rows: [], held: 0 };
  readonly #onChange: (view: LiveView) => void;
  readonly #schedule: (renew: () => void) => void;

  constructor(
    onChange: (view: LiveView) => void,
    schedule = (renew: () => void) => void setTimeout(() => nextFrame(renew), RENEW_EVERY_MS),
  ) {
    this.#onChange = onChange;
    this.#schedule = schedule;
  }

  add(rows: readonly TailRow[]): void {
    this.#kept = [...this.#kept, ...rows].slice(-KEPT_ROWS);
    const matching = rows.filter((row) => passesFilters(row, this.#search));
    if (matching.length === 0) return;
    this.#matching = [...this.#matching, ...matching].slice(-MOST_ROWS);
    this.#new += matching.length;
    this.#renewSoon();
  }

  hold(isHeld: boolean): void {
    if (isHeld === this.#isHeld) return;
    this.#isHeld = isHeld;
    if (isHeld) this.#new = 0;
    this.#renewSoon();
  }

  filter(search: SearchParams): void {
    this.#search = search;
    this.#matching = this.#kept.filter((row) => passesFilters(row, search)).slice(-MOST_ROWS);
    this.#new = 0;
    // Whoever changes the filters wants to see what they select, also in a list that is held.
    this.#show(this.#matching.toReversed(), 0);
  }

  clear(): void {
    this.#kept = [];
    this.#matching = [];
    this.#new = 0;
    this.#show([], 0);
  }

  #renewSoon(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#schedule(() => {
      this.#isScheduled = false;
      if (this.#isHeld) this.#show(this.#view.rows, this.#new);
      else this.#show(this.#matching.toReversed(), 0);
    });
  }

  #show(rows: readonly TailRow[], held: number): void {
    this.#view = { rows, held };
    this.#onChange(this.#view);
  }
}

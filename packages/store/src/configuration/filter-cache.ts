// Filters by their texts. Compiling one takes a quarter of a millisecond, most changes of a target leave its filter as
// it is, and many targets may have the same filter.

import { brokenFilter, compileFilter, type Filter } from "@sluice/filter/compile";

/** The most texts that are kept, so that filters which nobody uses any more do not stay for ever. */
const MAX_TEXTS = 20_000;

export class FilterCache {
  readonly #filters = new Map<string, Filter>();

  /**
   * A filter that another version of Sluice stored and this version cannot compile matches nothing and reports an
   * error.
   * @param text null for a target without a filter.
   */
  open(text: string | null): Filter | null {
    if (text === null) return null;
    const known = this.#filters.get(text);
    if (known !== undefined) return known;
    if (this.#filters.size >= MAX_TEXTS) this.#filters.clear();
    const compiled = compileFilter(text);
    const filter = "filter" in compiled ? compiled.filter : brokenFilter(compiled.fault);
    this.#filters.set(text, filter);
    return filter;
  }
}

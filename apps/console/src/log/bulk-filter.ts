// The filters of a list in the form of the bulk endpoints. Pure but for the clock, which fixes relative times.

import { allOf, type SearchParams } from "../data/search-params.ts";
import { resolveTimes } from "../data/time-range.ts";

const LISTS = ["label", "user_metadata", "status_code", "status"];

/** Without any filter, all is meant, and the body says so. @param leftOut filters that the endpoint does not take. */
export function readBulkFilter(search: SearchParams, leftOut: readonly string[] = []): Record<string, unknown> {
  const entries = Object.entries(resolveTimes(search))
    .filter(([name, value]) => value !== undefined && value.length > 0 && !leftOut.includes(name))
    .map(([name, value]) => {
      if (LISTS.includes(name)) return [name, allOf(value)];
      return [name, name === "min_attempts" ? Number(value) : value];
    });
  return { ...Object.fromEntries(entries), ...(entries.length === 0 ? { all: true } : {}) };
}

// The filters of an operation as the address of the list that they select from.

import type { OperationRow } from "../data/records.ts";
import type { SearchParams } from "../data/search-params.ts";

/** The fields of a request that are no filters of a list. A replay's `filter` is an expression, which no list takes. */
const OTHER_FIELDS = ["all", "again", "targets", "match_subscription", "filter"];

export function searchOfOperation({ kind, filter }: Pick<OperationRow, "kind" | "filter">): SearchParams {
  const entries = Object.entries(filter)
    .filter(([name]) => !OTHER_FIELDS.includes(name))
    // What was retried is not exhausted any more, so the status would hide just what the operation changed.
    .filter(([name]) => name !== "status" || kind !== "retry_deliveries")
    .map(([name, value]) => {
      const texts = [value].flat().map(String);
      return [name, texts.length === 1 ? texts[0] : texts];
    });
  return Object.fromEntries(entries) as SearchParams;
}

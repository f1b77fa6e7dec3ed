// Prepares the part of an event that a filter sees. `video.generated` has two shapes, and filters can use the field names of
// both. The body itself never changes.

import { isObject, parseJson } from "@sluice/shared/domain/envelope";
import { roundNumbers } from "@sluice/shared/domain/exact-json";

import type { FilterInput } from "./compile.ts";
import { MANY_FIELDS } from "./maps.ts";

export interface FilteredEvent {
  type: string | null;
  body: Buffer;
  userMetadata: Record<string, unknown> | null;
  labels: Record<string, string> | null;
  bodyUnbound: boolean;
}

const COLON = ":".charCodeAt(0);

/** Pairs of names for one field: in older and in newer documentation of Gemini. */
const VIDEO_FIELDS = [
  ["file_id", "file_name"],
  ["video_uri", "output_file_uri"],
] as const;

/** Parses the body once for all filters of an event. `event.data` is null when the body has no data. */
export function readFilterInput(event: FilteredEvent, sourceName: string | undefined): FilterInput {
  const payload = parseJson(event.body);
  const data = isObject(payload) ? (payload["data"] ?? null) : null;
  return {
    event: {
      type: event.type ?? "",
      data: event.type === "video.generated" && isObject(data) ? withBothNames(data) : data,
      // Filters calculate with doubles.
      user_metadata: roundNumbers(event.userMetadata ?? {}) as Record<string, unknown>,
      labels: event.labels ?? {},
      body_unbound: event.bodyUnbound,
    },
    source: sourceName,
    hasManyFields: hasManyFields(event.body),
  };
}

/** Counts colons, because each field has one. A body with so many in its texts is taken for one with many fields. */
function hasManyFields(body: Buffer): boolean {
  let colons = 0;
  for (let at = body.indexOf(COLON); at !== -1; at = body.indexOf(COLON, at + 1)) {
    colons += 1;
    if (colons > MANY_FIELDS) return true;
  }
  return false;
}

function withBothNames(data: Record<string, unknown>): Record<string, unknown> {
  const both = { ...data };
  for (const [older, newer] of VIDEO_FIELDS) {
    if (Object.hasOwn(data, newer)) both[older] ??= data[newer];
    else if (Object.hasOwn(data, older)) both[newer] = data[older];
  }
  return both;
}

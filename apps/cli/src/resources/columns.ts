// The columns that several lists have.

import type { ApiObject } from "../endpoint/call.ts";
import type { ShownNames } from "../endpoint/names.ts";
import { styleOfState, styleOfStatusCode } from "../output/style.ts";
import type { Column } from "../output/table.ts";

type ApiColumn = Column<ApiObject>;

export const ID: ApiColumn = { title: "ID", value: ({ id }) => id };

export const stateColumn = (field: "state" | "status" = "state"): ApiColumn => ({
  title: field.toUpperCase(),
  value: (row) => row[field],
  style: (row) => styleOfState(row[field]),
});

export const plainColumn = (field: string, changes: Partial<ApiColumn> = {}): ApiColumn => ({
  title: field.toUpperCase().replaceAll("_", " "),
  value: (row) => row[field],
  ...changes,
});

/** A target or a source by its name. */
export const nameColumn = (
  field: "target" | "source",
  names: ShownNames,
  changes: Partial<ApiColumn> = {},
): ApiColumn => ({
  title: field.toUpperCase(),
  value: (row) => names.or(row[field]),
  shrinksTo: 8,
  ...changes,
});

/** The attempts of a delivery, without what is the same in all of them. */
export const ATTEMPT_COLUMNS: readonly ApiColumn[] = [
  plainColumn("number", { title: "#", isNumber: true }),
  plainColumn("started_at", { title: "STARTED" }),
  plainColumn("trigger", { spare: 2 }),
  { title: "CODE", value: ({ status_code: code }) => code, style: ({ status_code: code }) => styleOfStatusCode(code) },
  { title: "MS", value: ({ duration_ms: ms }) => Math.round(ms), isNumber: true },
  plainColumn("error", { shrinksTo: 12 }),
  plainColumn("response_excerpt", { title: "RESPONSE", shrinksTo: 12, spare: 1 }),
];

/** The deliveries of an event. */
export const deliveryColumns = (names: ShownNames): readonly ApiColumn[] => [
  ID,
  nameColumn("target", names),
  stateColumn("status"),
  plainColumn("attempt_count", { title: "TRIES", isNumber: true }),
  {
    title: "CODE",
    value: ({ last_status_code: code }) => code,
    style: ({ last_status_code: code }) => styleOfStatusCode(code),
  },
  plainColumn("next_attempt_at", { title: "NEXT", spare: 1 }),
  plainColumn("last_error", { title: "ERROR", shrinksTo: 10, spare: 2 }),
];

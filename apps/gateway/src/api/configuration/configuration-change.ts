// Says what was changed of a resource, by what the audit trail was told. That is what the API shows, so there is no secret in it.

import { isDeepStrictEqual } from "node:util";

import type { AuditedChange } from "@sluice/store/requests/audit";

import type { ConfigurationChange, ResourceType } from "./configuration-schema.ts";

/** What changes by itself, or follows from other fields. */
const OBSERVED = new Set([
  "id",
  "created_at",
  "updated_at",
  "state_changed_at",
  "state_reason",
  "health",
  "lost_secrets",
  "upstream",
  "last_used_at",
]);

const isEnd = ({ action }: AuditedChange) => action.endsWith(".deleted") || action === "key.revoked";

/** @returns undefined when nothing was changed. */
export function toConfigurationChange(
  resource: { type: ResourceType; name: string },
  changes: readonly AuditedChange[],
): ConfigurationChange | undefined {
  const [first] = changes;
  const last = changes.at(-1);
  if (first === undefined || last === undefined) return undefined;
  if (first.before === undefined) return { ...resource, action: "create", fields: [], changes_credential: false };
  if (isEnd(last)) return { ...resource, action: "delete", fields: [], changes_credential: false };
  const before: Record<string, unknown> = { ...first.before };
  const fields = Object.entries({ ...last.after })
    .filter(([field, after]) => !OBSERVED.has(field) && !isDeepStrictEqual(before[field], after))
    .map(([field, after]) => ({ field, before: before[field], after }));
  return { ...resource, action: "update", fields, changes_credential: fields.length === 0 };
}

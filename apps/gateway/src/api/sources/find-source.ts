// How an endpoint finds its source. A source that does not exist, or is of the wrong kind, ends the request.

import { notFound, type Reference } from "@sluice/store/configuration/names";
import { wrongKind } from "@sluice/store/configuration/rotation";
import { getSource, getSourceForChange, type SourceRecord } from "@sluice/store/configuration/sources";
import type { Connection } from "@sluice/store/connection/database";
import type { SourceKind } from "@sluice/store/schema";

/** @throws SluiceError `not_found` */
export async function findSource(on: Connection, reference: Reference): Promise<SourceRecord> {
  const record = await getSource(on, reference);
  if (record === undefined) throw notFound("source", reference);
  return record;
}

/** Locks the source: until the transaction ends, no other one changes it. @throws SluiceError `not_found` */
export async function lockSource(tx: Connection, reference: Reference): Promise<SourceRecord> {
  const record = await getSourceForChange(tx, reference);
  if (record === undefined) throw notFound("source", reference);
  return record;
}

/** @throws SluiceError `not_found`, `wrong_kind` */
export async function findSourceOfKind(on: Connection, id: string, kind: SourceKind): Promise<SourceRecord> {
  const record = await findSource(on, id);
  if (record.kind !== kind) throw wrongKind(kind);
  return record;
}

// A cursor says where a page of a list ended. It is opaque and bound to its list and filters: with other filters, the
// same id would silently skip rows.

import { createHash } from "node:crypto";

import { SluiceError } from "@sluice/shared/runtime/errors";

const FINGERPRINT_BYTES = 8;
const UUID_BYTES = 16;

export interface ListCursor {
  /** The cursor of the page that follows the row with this UUID. */
  write: (lastId: string) => string;
  /** The UUID that a cursor holds. @throws SluiceError `invalid_cursor` */
  read: (cursor: string) => string;
}

/**
 * @param list the name of the list.
 * @param filters those that the query applies. The keys MUST always be in the same order: their JSON is compared.
 */
export function cursorOf(list: string, filters: object = {}): ListCursor {
  const fingerprint = createHash("sha256")
    .update(JSON.stringify([list, filters]))
    .digest()
    .subarray(0, FINGERPRINT_BYTES);
  return {
    write: (lastId) =>
      Buffer.concat([fingerprint, Buffer.from(lastId.replaceAll("-", ""), "hex")]).toString("base64url"),
    read: (cursor) => {
      const bytes = Buffer.from(cursor, "base64url");
      // Buffer.from() skips characters that are not base64url, so the text is compared as well.
      if (bytes.length !== FINGERPRINT_BYTES + UUID_BYTES || bytes.toString("base64url") !== cursor) {
        throw invalidCursor("is not a cursor of this API");
      }
      if (!bytes.subarray(0, FINGERPRINT_BYTES).equals(fingerprint)) {
        throw invalidCursor(
          "belongs to another list or to other filters; repeat the filters of the page that it came with",
        );
      }
      const hex = bytes.toString("hex", FINGERPRINT_BYTES);
      return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
    },
  };
}

/** @param detail what is wrong, as the end of a sentence that begins with "The cursor". */
export function invalidCursor(detail: string): SluiceError {
  return new SluiceError("invalid_cursor", `The cursor ${detail}`, { faults: [{ pointer: "?cursor", detail }] });
}

// A cursor says where a page of a list ended. It is opaque and bound to its list and filters: with other filters, the
// same id would silently skip rows.

import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";

import { uuidText } from "@sluice/shared/domain/uuid";
import { SluiceError } from "@sluice/shared/runtime/errors";

const FINGERPRINT_BYTES = 8;
const UUID_BYTES = 16;
const CHECKSUM_BYTES = 4;
const DETAILS_FROM = FINGERPRINT_BYTES + UUID_BYTES;

export interface ListCursor {
  /**
   * The cursor of the page that follows the row with this UUID.
   * @param details what the list needs beside the row; none by default.
   */
  write: (lastId: string, details?: string) => string;
  /** @throws SluiceError `invalid_cursor` */
  read: (cursor: string) => CursorContent;
}

export interface CursorContent {
  lastId: string;
  details: string;
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
    write: (lastId, details = "") =>
      sealCursor(Buffer.concat([fingerprint, Buffer.from(lastId.replaceAll("-", ""), "hex"), Buffer.from(details)])),
    read: (cursor) => {
      const bytes = unsealCursor(cursor);
      if (bytes.length < DETAILS_FROM) throw invalidCursor("is not a cursor of this API");
      if (!bytes.subarray(0, FINGERPRINT_BYTES).equals(fingerprint)) {
        throw invalidCursor(
          "belongs to another list or to other filters; repeat the filters of the page that it came with",
        );
      }
      const lastId = uuidText(bytes.subarray(FINGERPRINT_BYTES, DETAILS_FROM));
      return { lastId, details: bytes.toString("utf8", DETAILS_FROM) };
    },
  };
}

/** The row of a cursor of a list that needs no details. @throws SluiceError `invalid_cursor` when the cursor holds some */
export function readLastId({ lastId, details }: CursorContent): string {
  if (details !== "") throw invalidCursor("is not a cursor of this list");
  return lastId;
}

/** The text of a cursor, with a checksum. Any change of one character gives a text that {@link unsealCursor} refuses. */
export function sealCursor(content: Buffer): string {
  return Buffer.concat([content, checksumOfCursor(content)]).toString("base64url");
}

/** @throws SluiceError `invalid_cursor` for a text that {@link sealCursor} did not write. */
export function unsealCursor(cursor: string): Buffer {
  const bytes = Buffer.from(cursor, "base64url");
  const content = bytes.subarray(0, -CHECKSUM_BYTES);
  // Buffer.from() skips characters that are not base64url, so the text is compared as well.
  const isWhole =
    checksumOfCursor(content).equals(bytes.subarray(-CHECKSUM_BYTES)) && bytes.toString("base64url") === cursor;
  if (!isWhole) throw invalidCursor("is not a cursor of this API, or was damaged on its way");
  return content;
}

/** A CRC, and not a part of a hash: it finds every change within four bytes in a row, and a hash nearly every one. */
function checksumOfCursor(content: Buffer): Buffer {
  const checksum = Buffer.alloc(CHECKSUM_BYTES);
  checksum.writeUInt32BE(crc32(content));
  return checksum;
}

/** @param detail what is wrong, as the end of a sentence that begins with "The cursor". */
export function invalidCursor(detail: string): SluiceError {
  return new SluiceError("invalid_cursor", `The cursor ${detail}`, { faults: [{ pointer: "?cursor", detail }] });
}

// JSON is sent as UTF-8 (RFC 8259, 8.1). Without this, each byte that is not UTF-8 would be taken as U+FFFD: the caller would
// get a 201, and other text would be stored than the caller has.

import { isUtf8 } from "node:buffer";

import type { MiddlewareHandler } from "hono";

import { SluiceError } from "@sluice/shared/runtime/errors";

import { announcesBody } from "./empty-body.ts";
import { isJsonType } from "./json-type.ts";

/** MUST run after the limit on the size of a body, because this reads the body. Hono keeps it for the endpoint. */
export const refuseBrokenText: MiddlewareHandler = async (c, next) => {
  if (announcesBody(c.req) && isJsonType(c.req.header("content-type"))) {
    if (!isUtf8(await readBytes(c.req.arrayBuffer()))) {
      const faults = [{ pointer: "", detail: "must be valid UTF-8" }];
      throw new SluiceError("invalid_request", "The body is not valid UTF-8, which JSON must be", { faults });
    }
  }
  await next();
};

/** @throws SluiceError `body_interrupted` */
async function readBytes(body: Promise<ArrayBuffer>): Promise<ArrayBuffer> {
  try {
    return await body;
  } catch (error) {
    throw new SluiceError("body_interrupted", "The connection ended before the body was complete", { cause: error });
  }
}

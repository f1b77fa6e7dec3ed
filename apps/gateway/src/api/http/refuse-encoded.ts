// The API reads no compressed body. Without this, the bytes would be refused as JSON that is not valid, which does not help.

import type { MiddlewareHandler } from "hono";

import { SluiceError } from "@sluice/shared/runtime/errors";

export const refuseEncoded: MiddlewareHandler = async (c, next) => {
  const encoding = c.req.header("content-encoding")?.trim().toLowerCase() ?? "";
  if (encoding !== "" && encoding !== "identity") {
    throw new SluiceError(
      "unsupported_media_type",
      "Send the body without content-encoding: it must not be compressed",
    );
  }
  await next();
};

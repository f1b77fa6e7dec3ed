// /cli/sluice.mjs: the command `sluice` as one file, so that everybody who reaches a relay has the command of its version. It
// needs no key, because it holds nothing but this software.

import { readFile } from "node:fs/promises";

import type { OpenAPIHono } from "@hono/zod-openapi";
import { SluiceError } from "@sluice/shared/runtime/errors";

import type { ApiEnv } from "./api-env.ts";
import { etagOfFile } from "./etag.ts";

export interface ServedCliDependencies {
  /** Where the bundle of the command is; undefined for a gateway that runs from its sources. */
  cliFile?: string | undefined;
}

export function serveCli(app: OpenAPIHono<ApiEnv>, { cliFile }: ServedCliDependencies): void {
  app.get("/cli/sluice.mjs", async (c) => {
    // Read for each request, so that a gateway does not keep in memory what it rarely needs.
    const content = cliFile === undefined ? undefined : await readFile(cliFile).catch(() => undefined);
    if (content === undefined) {
      throw new SluiceError(
        "not_found",
        "This gateway runs from its sources and has no bundle of the command to serve",
      );
    }
    // A copy is asked for again before it is used: an upgrade of the relay changes it.
    c.header("cache-control", "no-cache");
    c.header("etag", etagOfFile(content));
    c.header("x-content-type-options", "nosniff");
    return c.body(new Uint8Array(content), 200, { "content-type": "text/javascript; charset=utf-8" });
  });
}

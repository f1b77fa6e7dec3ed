// The files of the console at /console. It is one page: every path that is no file gets the page, which reads the path itself.
// The content security policy lets the page load nothing but its own files and ask nobody but this relay.

import { readFile } from "node:fs/promises";
import { extname, join } from "node:path";

import { type Context, Hono } from "hono";

import { SluiceError } from "@sluice/shared/runtime/errors";

import type { OwnSite } from "../access/own-site.ts";
import type { ApiEnv } from "../http/api-env.ts";
import { acceptsCoding } from "../http/compression.ts";
import { etagOfFile } from "../http/etag.ts";

export interface ConsoleFilesDependencies {
  /** Where the built console is; undefined for a gateway that runs from its sources. */
  consoleDirectory?: string | undefined;
}

const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "worker-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

const PAGE = "index.html";
const ASSETS = "assets/";
/** A name in each part, so that no path leads out of the directory, or to a hidden file. */
const FILE = /^(?:[\w-][\w.-]*\/)*[\w-][\w.-]*\.[a-z0-9]+$/i;
const TYPES: Record<string, string> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".json": "application/json",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".ico": "image/x-icon",
  ".woff2": "font/woff2",
  ".webmanifest": "application/manifest+json",
};
/** The compressed copies that scripts/bundle.ts writes beside a file, the best first. */
const COPIES = [
  { coding: "br", suffix: ".br" },
  { coding: "gzip", suffix: ".gz" },
] as const;

export function createConsoleFiles({ consoleDirectory }: ConsoleFilesDependencies, site: OwnSite): Hono<ApiEnv> {
  const app = new Hono<ApiEnv>();
  app.get("/*", async (c) => {
    site.requireHost(c);
    const { pathname, search } = new URL(c.req.url);
    if (pathname === "/console") return c.redirect(`/console/${search}`);
    return answerFile(c, pathname.slice("/console/".length));
  });
  return app;

  async function answerFile(c: Context<ApiEnv>, path: string): Promise<Response> {
    const isFile = FILE.test(path) && TYPES[extname(path)] !== undefined;
    const found = isFile ? await read(c, path) : undefined;
    if (found !== undefined) return found;
    // A page of an older version asks for an asset that is gone. The page itself would not be JavaScript.
    if (path.startsWith(ASSETS))
      throw new SluiceError("not_found", "The console has no such file; load the page again");
    const page = await read(c, PAGE);
    if (page !== undefined) return page;
    throw new SluiceError(
      "not_found",
      "This gateway runs from its sources and has no console to serve. Start the relay with `npm start`, or from its image",
    );
  }

  async function read(c: Context<ApiEnv>, path: string): Promise<Response | undefined> {
    if (consoleDirectory === undefined) return undefined;
    const type = TYPES[extname(path)] ?? "";
    const copies = COPIES.filter(({ coding }) => acceptsCoding(c.req.header("accept-encoding"), coding));
    for (const { coding, suffix } of [...copies, { coding: undefined, suffix: "" }]) {
      const content = await readFile(join(consoleDirectory, path + suffix)).catch(() => undefined);
      if (content === undefined) continue;
      c.header("cache-control", path.startsWith(ASSETS) ? "public, max-age=31536000, immutable" : "no-cache");
      c.header("etag", etagOfFile(content));
      c.header("vary", "Accept-Encoding");
      if (coding !== undefined) c.header("content-encoding", coding);
      c.header("content-security-policy", POLICY);
      c.header("x-content-type-options", "nosniff");
      c.header("referrer-policy", "no-referrer");
      c.header("cross-origin-opener-policy", "same-origin");
      return c.body(new Uint8Array(content), 200, { "content-type": type });
    }
    return undefined;
  }
}

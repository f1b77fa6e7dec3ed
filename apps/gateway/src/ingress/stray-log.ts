// Requests that find no source: mostly an address with a mistake in it, which its owner looks for in the log.

import { cutText } from "@sluice/shared/domain/cut-text";
import type { Logger } from "@sluice/shared/runtime/log";

/** At most one line in this time, because anybody can send such requests. */
const EVERY_MS = 1_000;
const MAX_PATH_LENGTH = 200;
/** A segment of so many characters may be a token. */
const MAX_SHOWN_SEGMENT = 64;
const TOKEN = /^(?:it|cb)_/;

/** @returns the function that takes the path of each such request. @param nowMs a clock that only goes forward. */
export function strayLog(log: Logger, nowMs = () => performance.now()): (path: string) => void {
  let loggedAtMs = Number.NEGATIVE_INFINITY;
  let unlogged = 0;
  return (path) => {
    if (nowMs() - loggedAtMs < EVERY_MS) {
      unlogged += 1;
      return;
    }
    loggedAtMs = nowMs();
    log.info({ path: showPath(path), ...(unlogged > 0 ? { unlogged } : {}) }, "a request found no source at its path");
    unlogged = 0;
  };
}

/** The path without what could be a token. */
function showPath(path: string): string {
  const segments = path
    .split("/")
    .map((segment) => (TOKEN.test(segment) || segment.length > MAX_SHOWN_SEGMENT ? "[redacted]" : segment));
  return cutText(segments.join("/"), MAX_PATH_LENGTH);
}

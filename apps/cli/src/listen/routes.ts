// Which address on this machine gets an event: by the type of the event, else the common one.

import { matchesOperational, matchesSubscription, SUBSCRIPTION } from "@sluice/shared/domain/subscription";

import { wrongUsage } from "../options.ts";

export interface Routes {
  /** For events that no other route takes; undefined when they are only printed. */
  common: URL | undefined;
  /** In the order of the command line: the first that matches takes the event. */
  byType: readonly { pattern: string; url: URL }[];
}

/** @param maps such as `batch.*=http://localhost:3000/batches`. @throws SluiceError `invalid_request` that names the text. */
export function readRoutes(common: string | undefined, maps: readonly string[]): Routes {
  return {
    common: common === undefined ? undefined : readLocalUrl(common),
    byType: maps.map((text) => {
      const [, pattern = "", url = ""] = /^([^=]*)=(.*)$/.exec(text) ?? [];
      if (!SUBSCRIPTION.test(pattern)) {
        throw wrongUsage(`--map must be such as "batch.*=http://localhost:3000/batches": ${text}`);
      }
      return { pattern, url: readLocalUrl(url) };
    }),
  };
}

export function findRoute({ common, byType }: Routes, type: string | null): URL | undefined {
  return byType.find(({ pattern }) => isTypeOf(pattern, type))?.url ?? common;
}

const isTypeOf = (pattern: string, type: string | null) =>
  matchesSubscription([pattern], type) || (type !== null && matchesOperational([pattern], type));

function readLocalUrl(text: string): URL {
  // A port alone, or a host and a port, is what people type.
  const whole = /^\d{1,5}(?:\/.*)?$/.test(text)
    ? `http://localhost:${text}`
    : /^https?:\/\//.test(text)
      ? text
      : `http://${text}`;
  if (text === "" || !URL.canParse(whole)) throw wrongUsage(`This is no address of a service: "${text}"`);
  const url = new URL(whole);
  if (!/^[\w.:[\]-]+$/.test(url.hostname)) throw wrongUsage(`This is no address of a service: "${text}"`);
  if (url.username !== "" || url.password !== "")
    throw wrongUsage("The address of the service must not hold credentials");
  return url;
}

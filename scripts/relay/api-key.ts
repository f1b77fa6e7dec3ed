// The first API key of a relay. This file imports no package, because `npm start` and the image load it at every start.

import { randomBytes } from "node:crypto";

export function makeFirstApiKey(): string {
  return `sluice_${randomBytes(32).toString("base64url")}`;
}

// Refuses a URI that leads to a forbidden address, as far as that is known without DNS, so that the caller sees the
// mistake immediately. The protection itself stands where the relay connects, and checks every address that DNS returns.

import { type AddressGuard, portOf } from "@sluice/shared/address/guard";

import { invalidRequest } from "./invalid-request.ts";

/**
 * @param uri an absolute URL.
 * @param pointer the field that holds the URL, such as `/uri`.
 * @throws SluiceError `invalid_request`
 */
export function refuseForbiddenAddress(guard: AddressGuard, uri: string, pointer: string): void {
  const url = new URL(uri);
  const reason = guard.refuseHost(url.hostname, portOf(url));
  if (reason !== undefined) throw invalidRequest([{ pointer, detail: `is a forbidden address: ${reason}` }]);
}

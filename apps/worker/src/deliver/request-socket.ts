// Tells a request on which connection undici sends it. undici says so only on its diagnostics channel, which does not name
// the handler of the request. But undici writes a request right after it has told the handler that the request starts,
// so the message belongs to the handler that was told last.

import { subscribe } from "node:diagnostics_channel";
import type { Socket } from "node:net";

import type { DiagnosticsChannel } from "undici";

let starting: { onSocket: (socket: Socket) => void } | undefined;

// https://undici.nodejs.org/#/docs/api/DiagnosticsChannel: `undici:client:sendHeaders`. Node's own `fetch` publishes
// there too, between the requests of the worker.
subscribe("undici:client:sendHeaders", (message) => {
  starting?.onSocket((message as DiagnosticsChannel.ClientSendHeadersMessage).socket);
  starting = undefined;
});

/** Has the request that is written next tell its connection. To be called when undici starts the request. */
export function expectSocket(request: { onSocket: (socket: Socket) => void }): void {
  starting = request;
}

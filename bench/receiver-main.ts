// The receiver of all targets runs as a process of its own. It answers 200 to every request, counts the requests, and
// measures the age of each event.

import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, createServer as createPort } from "node:net";

import { type Arrivals, type FromReceiver, now, type ToReceiver } from "./messages.ts";

/** The interval of the reports to the generator, which waits for them. */
const TELL_MS = 10;

let arrivals: Arrivals;
let ids: Set<string>;
let withLatencies: boolean;
let told = 0;
reset(false);

function reset(latencies: boolean): void {
  arrivals = { count: 0, repeated: 0, firstMs: undefined, lastMs: undefined, latenciesMs: [] };
  ids = new Set();
  withLatencies = latencies;
  told = 0;
}

const server = createServer((request, response) => {
  const at = now();
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    response.end();
    arrivals.count += 1;
    arrivals.firstMs ??= at;
    arrivals.lastMs = at;
    const id = `${request.url} ${String(request.headers["webhook-id"])}`;
    if (ids.has(id)) arrivals.repeated += 1;
    ids.add(id);
    if (!withLatencies) return;
    const { data } = JSON.parse(Buffer.concat(chunks).toString()) as { data: { due_at: number } };
    arrivals.latenciesMs.push(at - data.due_at);
  });
});
// The relay keeps idle connections for four seconds. The receiver must not close one before that.
server.keepAliveTimeout = 60_000;
server.listen(0, "127.0.0.1", () => {
  send({ kind: "listening", url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
});
const urls: string[] = [];

/** Each port is an origin of its own, for which the relay has connections of its own. */
async function openPorts(count: number): Promise<void> {
  while (urls.length < count) {
    const port = createPort((socket) => server.emit("connection", socket)).listen(0, "127.0.0.1");
    await once(port, "listening");
    urls.push(`http://127.0.0.1:${(port.address() as AddressInfo).port}`);
  }
  send({ kind: "opened", urls });
}

process.on("message", (message: ToReceiver) => {
  if (message.kind === "open") {
    void openPorts(message.ports);
    return;
  }
  if (message.kind === "reset") {
    reset(message.latencies);
    return;
  }
  const latenciesMs = [...Float64Array.from(arrivals.latenciesMs).toSorted()];
  send({ kind: "report", arrivals: { ...arrivals, latenciesMs } });
});
process.on("disconnect", () => process.exit());
setInterval(() => {
  if (arrivals.count === told) return;
  told = arrivals.count;
  send({ kind: "count", count: told });
}, TELL_MS);

function send(message: FromReceiver): void {
  process.send?.(message);
}

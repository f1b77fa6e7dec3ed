// A target runs as a process of its own, so that a fault can hang or kill it. It writes each request to its log before it
// answers, and the log outlives every process.

import { createHash } from "node:crypto";
import { openSync, writeSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { buffer, text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";

import { Webhook } from "standardwebhooks";

import { loopbackAddress, type Mode, MODES, type Reception, TAKEN_PATH } from "./receiver.ts";

const { PORT = "", ADDRESSES = "1", SECRET = "", LOG = "" } = process.env;
const log = openSync(LOG, "a");
const webhook = new Webhook(SECRET);
/** Each answer takes a while, so that some deliveries are always in flight. */
const WORK_MS = { min: 5, max: 25 };
const TRICKLE_EVERY_MS = 500;
const HUGE_CHUNK = Buffer.alloc(64 * 1024, "x");
const HUGE_CHUNKS = 512;

let mode: Mode = "ok";

const write = (line: Reception) => void writeSync(log, `${JSON.stringify(line)}\n`);

// The targets of real services have addresses of their own, to which the relay keeps connections of their own.
for (let index = Number(ADDRESSES) - 1; index >= 0; index--) {
  const server = createServer((request, response) => {
    handle(request, response).catch(() => request.destroy());
  });
  server.listen(Number(PORT), loopbackAddress(index));
}
process.on("disconnect", () => process.exit(0));
process.on("SIGTERM", () => process.exit(0));

async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.url === "/readyz") {
    response.end();
    return;
  }
  if (request.url === "/mode") {
    const wanted = await text(request);
    mode = MODES.find((known) => known === wanted) ?? mode;
    response.end();
    return;
  }
  const body = await buffer(request);
  const { headers } = request;
  const header = (name: string) => String(headers[name] ?? "");
  write({
    atMs: Date.now(),
    webhookId: header("webhook-id"),
    deliveryId: header("sluice-delivery-id"),
    attempt: Number(header("sluice-attempt")),
    sha256: createHash("sha256").update(body).digest("hex"),
    isSigned: isSigned(body, headers),
    // Only a sender that follows a redirect asks for another path.
    mode: request.url === TAKEN_PATH ? mode : "followed",
    isTaken: request.url === TAKEN_PATH && (mode === "ok" || mode === "huge"),
  });
  await answer(response, mode);
}

function isSigned(body: Buffer, headers: IncomingMessage["headers"]): boolean {
  try {
    webhook.verify(body, headers as Record<string, string>);
    return true;
  } catch {
    return false;
  }
}

async function answer(response: ServerResponse, how: Mode): Promise<void> {
  const isOpen = () => response.socket?.destroyed === false;
  switch (how) {
    case "ok":
      await delay(WORK_MS.min + Math.random() * (WORK_MS.max - WORK_MS.min));
      response.end("taken");
      return;
    case "hang":
      return;
    case "reset":
      response.socket?.resetAndDestroy();
      return;
    case "trickle":
      response.writeHead(200);
      while (isOpen()) {
        response.write(".");
        await delay(TRICKLE_EVERY_MS);
      }
      return;
    case "429":
      response.writeHead(429, { "retry-after": "1" }).end();
      return;
    case "503":
    case "410":
      response.writeHead(Number(how)).end();
      return;
    case "302":
      response.writeHead(302, { location: "/elsewhere" }).end();
      return;
    case "huge":
      response.writeHead(200);
      for (let chunk = 0; chunk < HUGE_CHUNKS && isOpen(); chunk++) {
        if (!response.write(HUGE_CHUNK)) await delay(5);
      }
      response.end();
  }
}

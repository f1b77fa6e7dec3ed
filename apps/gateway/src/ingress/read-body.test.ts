import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { connect } from "node:net";

import { expect, onTestFinished, test } from "vitest";

import { closeServer, listen } from "@sluice/shared/runtime/http-server";
import { within } from "@sluice/shared/runtime/within";

import { IngressMemory } from "./ingress-memory.ts";
import { BodyReader } from "./read-body.ts";

test("reading ends at once when the sender left before its body was needed", async () => {
  const server = createServer();
  const url = await listen(server, { host: "127.0.0.1", port: 0 }, "PORT");
  onTestFinished(() => closeServer(server, 0));
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  const requested = once(server, "request") as Promise<[IncomingMessage, ServerResponse]>;
  socket.write("POST /in/gemini HTTP/1.1\r\nhost: relay\r\ncontent-length: 10\r\n\r\n12345");
  const [incoming, outgoing] = await requested;
  const left = once(outgoing, "close");
  socket.destroy();
  await left;
  const bodies = new BodyReader({ maxBytes: 1_000, maxCount: 10, memory: new IngressMemory(10_000) });
  // Far more time than it takes to notice that the sender is gone.
  expect(await within(40_000, bodies.read(incoming, outgoing))).toEqual({ kind: "interrupted" });
});

// The demonstration's receiver as a process of its own. `npm run demo` runs it in the worker's container, because a
// worker in a container cannot reach a port on the loopback of this machine.
// It reads the signing secret as one line from stdin, prints its URL, and ends when stdin ends.

import { once } from "node:events";
import { createInterface } from "node:readline";

import { startDemoReceiver } from "./receiver.ts";

const input = createInterface({ input: process.stdin });
const ended = once(input, "close");
const [secret] = (await once(input, "line")) as [string];
const receiver = await startDemoReceiver(secret);
console.log(receiver.url);
await ended;
await receiver.stop();

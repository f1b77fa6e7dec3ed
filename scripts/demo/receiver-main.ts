// The demonstration's receiver as a process of its own. `npm run demo` runs it in the worker's container, because a
// worker in a container cannot reach a port on the loopback of this machine.
// It reads the signing secret as one line from stdin, prints its URL, and ends when stdin ends.
// It listens on the container's address in its network, because a worker connects to loopback only where
// TARGET_LOOPBACK allows it. The receiver takes nothing without a signature of the target's secret.

import { once } from "node:events";
import { networkInterfaces } from "node:os";
import { createInterface } from "node:readline";

import { startDemoReceiver } from "./receiver.ts";

const input = createInterface({ input: process.stdin });
const ended = once(input, "close");
const [secret] = (await once(input, "line")) as [string];
const addresses = Object.values(networkInterfaces()).flatMap((all) => all ?? []);
const inNetwork = addresses.find(({ family, internal }) => family === "IPv4" && !internal);
const receiver = await startDemoReceiver(secret, { host: inNetwork?.address ?? "127.0.0.1", port: 0 });
console.log(receiver.url);
await ended;
await receiver.stop();

// The control interface over HTTP, for a simulator that runs as a process of its own: the calls of the TypeScript interface
// as `POST /simulator/{part}/{call}`, with one JSON object as the arguments.

import type { IncomingMessage, ServerResponse } from "node:http";

import { z } from "zod";

import { commandsOf, type ControlledParts } from "./control-commands.ts";
import { Misuse } from "./misuse.ts";

export const CONTROL_PATH = "/simulator/";

export class Control {
  readonly #commands: ReturnType<typeof commandsOf>;

  constructor(parts: ControlledParts) {
    this.#commands = commandsOf(parts);
  }

  async answer(request: IncomingMessage, response: ServerResponse, url: URL, text: string): Promise<void> {
    const { status, body } = await this.#run(request.method, url.pathname.slice(CONTROL_PATH.length), text);
    response.writeHead(status, { "content-type": "application/json" }).end(`${JSON.stringify(body)}\n`);
  }

  async #run(method: string | undefined, name: string, text: string): Promise<{ status: number; body: unknown }> {
    const command = this.#commands.get(name);
    if (method !== "POST" || command === undefined) {
      const calls = [...this.#commands.keys()].map((known) => `POST ${CONTROL_PATH}${known}`);
      return { status: 404, body: { error: `There is no ${method} ${CONTROL_PATH}${name}`, calls } };
    }
    try {
      return { status: 200, body: (await command(text === "" ? {} : JSON.parse(text))) ?? {} };
    } catch (error) {
      const message = describe(error);
      if (message === undefined) throw error;
      return { status: 400, body: { error: message } };
    }
  }
}

/** Undefined for what is no fault of the caller. */
function describe(error: unknown): string | undefined {
  if (error instanceof z.ZodError) {
    return error.issues.map(({ path, message }) => `${path.join(".") || "the body"}: ${message}`).join("; ");
  }
  if (error instanceof SyntaxError) return "the body is not JSON";
  return error instanceof Misuse ? error.message : undefined;
}

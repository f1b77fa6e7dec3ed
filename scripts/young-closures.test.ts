import { execFile } from "node:child_process";
import { promisify } from "node:util";

import { expect, test } from "vitest";

import { keepClosuresYoung } from "./young-closures.ts";

const run = promisify(execFile);

const COMMAND = `
  class Command {
    constructor(reply) {
      this.arrow = () => reply;
      this.later ??= async (x) => [reply, x];
      this["function"] = function () { return "é" + reply; };
      this.nested = () => { const inner = {}; return inner.closure = () => reply; };
    }
  }`;
/** Where V8 makes the functions of a command, a digit for each, and what they do. */
const USE = `
  const command = new Command("done");
  const made = [command.arrow, command.later, command.function, command.nested()];
  console.log(made.map((one) => Number(%InYoungGeneration(one))).join(""));
  console.log(command.arrow(), command.function(), command.nested()());`;

async function output(code: string): Promise<string> {
  return (await run(process.execPath, ["--allow-natives-syntax", "--eval", code])).stdout.trim();
}

test("functions that are assigned to properties are made among the young objects, and do what they did", async () => {
  expect(await output(COMMAND + USE)).toBe("0000\ndone édone done");
  expect(await output(keepClosuresYoung("command.cjs", COMMAND) + USE)).toBe("1111\ndone édone done");
});

test("what is no assignment of a function to a property stays as it is", () => {
  const code = `const a = () => 1; b = () => 2; c.d = a; e.f = g(() => 3); h = { i: () => 4 }; class J { k = () => 5; }`;
  expect(keepClosuresYoung("a.cjs", code)).toBe(code);
});

test("what is not JavaScript is refused with its path", () => {
  expect(() => keepClosuresYoung("a/broken.js", "const = 1")).toThrow("a/broken.js: ");
});

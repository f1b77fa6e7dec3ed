// The conventions of every command: stdout is data, errors go to stderr, and the exit code says what kind of error.

import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";

import { SLUICE_VERSION } from "@sluice/shared/domain/version";
import { SluiceError } from "@sluice/shared/runtime/errors";
import { expect, test } from "vitest";

import { writeStyled } from "./output/style.ts";
import { EXIT, exitCodeOf } from "./exit-codes.ts";
import { runCli } from "./run-cli.ts";

async function run(...args: string[]) {
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
  const code = await runCli(args, { env: {}, directory: "/", stdin, stdout, stderr });
  const [out, err] = await Promise.all([text(stdout.end()), text(stderr.end())]);
  return { code, out, err };
}

test("--version prints the version alone", async () => {
  expect(await run("--version")).toEqual({ code: EXIT.ok, out: `${SLUICE_VERSION}\n`, err: "" });
});

test("help that was asked for is data, and help after a mistake is not", async () => {
  const asked = await run("--help");
  expect(asked).toMatchObject({ code: EXIT.ok, err: "" });
  expect(asked.out).toContain("Usage: sluice [options] [command]");
  const missing = await run();
  expect(missing).toMatchObject({ code: EXIT.usage, out: "" });
  expect(missing.err).toContain("Usage: sluice [options] [command]");
});

test("the whole help fits into 80 columns, but for what somebody copies", async () => {
  for (const command of ["doctor", "open", "login", "rekey", "backup", "restore", "targets create"]) {
    const { out } = await run(...command.split(" "), "--help");
    for (const line of out.split("\n"))
      if (!/https?:|[/`]\S{20}/.test(line)) expect(line.length, line).toBeLessThanOrEqual(80);
  }
});

test.for([
  [["--no-such-option"], "unknown option '--no-such-option'"],
  [["no-such-command"], "unknown command 'no-such-command'"],
  [["master-key", "new", "--no-such-option"], "unknown option '--no-such-option'"],
  [["master-key", "new", "more"], "too many arguments for 'new'"],
] as const)("%j is a mistake in the usage, which stderr names", async ([args, message]) => {
  const { code, out, err } = await run(...args);
  expect({ code, out }).toEqual({ code: EXIT.usage, out: "" });
  expect(err).toContain(message);
});

test("a new master key is 32 random bytes in base64", async () => {
  const [first, second] = [await run("master-key", "new"), await run("master-key", "new")];
  expect(Buffer.from(first.out, "base64")).toHaveLength(32);
  expect(first.out).not.toBe(second.out);
});

const withCode = (code: string) => Object.assign(new Error("of a driver"), { code });

test.for([
  [new SluiceError("invalid_configuration", ""), EXIT.usage],
  [new SluiceError("invalid_request", ""), EXIT.usage],
  [new SluiceError("unauthenticated", ""), EXIT.notAllowed],
  [new SluiceError("forbidden", ""), EXIT.notAllowed],
  [new SluiceError("not_found", ""), EXIT.notFoundOrConflict],
  [new SluiceError("name_taken", ""), EXIT.notFoundOrConflict],
  [new SluiceError("unavailable", ""), EXIT.unavailable],
  [new SluiceError("master_key_mismatch", ""), EXIT.failed],
  [withCode("ECONNREFUSED"), EXIT.unavailable],
  [new AggregateError([withCode("ECONNREFUSED"), withCode("ECONNREFUSED")]), EXIT.unavailable],
  [withCode("57P03"), EXIT.unavailable],
  [withCode("42P01"), EXIT.failed],
  [new Error("anything else"), EXIT.failed],
] as const)("%j ends with %i", ([error, code]) => {
  expect(exitCodeOf(error)).toBe(code);
});

async function writeRed(isTTY: boolean, env: NodeJS.ProcessEnv) {
  const stream = Object.assign(new PassThrough(), { isTTY });
  writeStyled(stream, { env }, "red", "error:");
  return text(stream.end());
}

test("only a terminal gets colours, and NO_COLOR takes them away", async () => {
  expect(await writeRed(true, {})).toBe("\u001b[31merror:\u001b[39m");
  expect(await writeRed(true, { NO_COLOR: "1" })).toBe("error:");
  expect(await writeRed(false, {})).toBe("error:");
});

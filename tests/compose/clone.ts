// A clone of the repository as an operator has it: a directory with the files, a .env, and `docker compose` in it. Its
// names and ports are its own, because the machine may run other stacks, also one named `sluice`.

import { execFile } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { generateSigningSecret } from "@sluice/signature/secret";

import { readDocumentedCommands } from "../support/documented-commands.ts";
import { claimPort } from "../support/ports.ts";
import { CannotPlay } from "./scenario.ts";

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL("../..", import.meta.url));
/** Shared by all clones of a run, and by no other run: its clones may be of another commit. */
export const TEST_IMAGE = `sluice-test-${process.pid}`;
/** What `docker` needs of the environment. Settings of the caller MUST NOT reach the stacks. */
const INHERITED = ["PATH", "HOME", "DOCKER_HOST", "DOCKER_CONFIG", "DOCKER_CONTEXT", "XDG_RUNTIME_DIR"];
/** A test compares it with docs/upgrading.md. */
export const UPGRADE = [
  ["build"],
  ["up", "--exit-code-from", "secrets", "secrets"],
  ["up", "--exit-code-from", "migrate", "migrate"],
  ["up", "-d", "--wait", "gateway"],
  ["up", "-d", "--wait"],
];
const COMMAND_LIMIT_MS = 900_000;
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;

export interface Finished {
  code: number;
  /** stdout and stderr, as a terminal shows them. */
  output: string;
  stdout: string;
}

export class Clone {
  readonly directory: string;
  readonly ports: { ingress: number; api: number };
  /** The secret of the source `gemini`. */
  readonly secret = generateSigningSecret().text;
  readonly #env = new Map<string, string>();

  private constructor(directory: string, ports: { ingress: number; api: number }) {
    this.directory = directory;
    this.ports = ports;
  }

  /** @param directory gives the project its name, as for an operator. */
  static async make(directory: string, { commit, env = {} }: { commit?: string; env?: Record<string, string> }) {
    const clone = new Clone(directory, { ingress: await claimPort(), api: await claimPort() });
    await clone.checkOut(commit);
    clone.set({
      PORT: String(clone.ports.ingress),
      API_PORT: String(clone.ports.api),
      GEMINI_SIGNING_SECRET: clone.secret,
      SLUICE_IMAGE: TEST_IMAGE,
      ...env,
    });
    return clone;
  }

  /** The name of the project, where neither .env nor a compose file has another one. */
  get project(): string {
    return basename(this.directory);
  }

  get ingressUrl(): string {
    return `http://127.0.0.1:${this.ports.ingress}`;
  }

  get apiUrl(): string {
    return `http://127.0.0.1:${this.ports.api}`;
  }

  /** Replaces every file but .env, as `git checkout` does. @param commit by default this checkout with its changes. */
  async checkOut(commit?: string): Promise<void> {
    mkdirSync(this.directory, { recursive: true });
    for (const name of readdirSync(this.directory)) {
      if (name !== ".env") rmSync(join(this.directory, name), { recursive: true });
    }
    if (commit === undefined) {
      const listed = await run("git", ["-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
        maxBuffer: MAX_OUTPUT_BYTES,
      });
      for (const path of listed.stdout.split("\0").filter((each) => each !== "" && existsSync(join(ROOT, each)))) {
        mkdirSync(dirname(join(this.directory, path)), { recursive: true });
        cpSync(join(ROOT, path), join(this.directory, path));
      }
      return;
    }
    const archive = join(this.directory, "source.tar");
    await run("git", ["-C", ROOT, "archive", "--output", archive, commit]).catch((error: Error) => {
      throw new CannotPlay(`this checkout has no commit ${commit} (${error.message.split("\n")[0]})`);
    });
    await run("tar", ["-xf", archive, "-C", this.directory]);
    rmSync(archive);
  }

  /** Changes a text of a file, which must have it. */
  edit(path: string, from: string, to: string): void {
    const file = join(this.directory, path);
    const text = readFileSync(file, "utf8");
    if (!text.includes(from)) throw new Error(`${path} has no ${JSON.stringify(from)}`);
    writeFileSync(file, text.replaceAll(from, to));
  }

  /** Sets variables in .env; an empty one is removed. */
  set(variables: Record<string, string>): void {
    for (const [name, value] of Object.entries(variables)) {
      if (value === "") this.#env.delete(name);
      else this.#env.set(name, value);
    }
    const lines = [...this.#env].map(([name, value]) => `${name}=${value}\n`);
    writeFileSync(join(this.directory, ".env"), lines.join(""));
  }

  /** Runs `docker compose …` in the directory. It does not throw: a scenario looks at the code. */
  compose(...words: string[]): Promise<Finished> {
    return runDocker(["compose", ...words], this.directory);
  }

  /** As {@link compose}, for a command that must work. @returns stdout. */
  async mustCompose(...words: string[]): Promise<string> {
    const { code, output, stdout } = await this.compose(...words);
    if (code !== 0) throw new Error(`docker compose ${words.join(" ")} ended with ${code}:\n${output.trimEnd()}`);
    return stdout;
  }

  /** Types the commands of a page, as they stand there, in the directory. @throws Error when one of them fails. */
  async follow(page: string, name: string): Promise<Finished> {
    const script = readDocumentedCommands(page, name);
    const done = await runCommand("bash", ["--norc", "-euo", "pipefail", "-c", script], this.directory);
    if (done.code !== 0) throw new Error(`${page}.md (${name}) ended with ${done.code}:\n${done.output.trimEnd()}`);
    return done;
  }

  /** The way to the version of the checkout, as docs/upgrading.md has it; `&&` stands between the commands. */
  async upgrade(): Promise<void> {
    for (const words of UPGRADE) await this.mustCompose(...words);
  }

  /** The containers of a service, also those that have ended. */
  async containers(service: string): Promise<{ ID: string; Name: string; State: string; ExitCode: number }[]> {
    const lines = await this.mustCompose("ps", "--all", "--no-trunc", "--format", "json", service);
    return lines
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line));
  }

  /** What the service `secrets` made, as docs/getting-started.md reads it. */
  async apiKey(): Promise<string> {
    const words = ["exec", "-T", "gateway", "cat", "/var/lib/sluice/admin-api-key"];
    return (await this.mustCompose(...words)).trim();
  }

  /** Removes the containers, networks and volumes. */
  async remove(): Promise<void> {
    // Every profile: without it, Prometheus would go on.
    await this.compose("--profile", "*", "down", "--volumes", "--remove-orphans", "--timeout", "5");
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** Runs `docker …` with nothing of the caller's environment but what docker itself needs. */
export function runDocker(words: string[], directory = ROOT): Promise<Finished> {
  return runCommand("docker", words, directory);
}

function runCommand(command: string, words: string[], directory: string): Promise<Finished> {
  const inherited = Object.fromEntries(INHERITED.map((name) => [name, process.env[name]]));
  const options = {
    cwd: directory,
    env: { ...inherited, COMPOSE_ANSI: "never", BUILDKIT_PROGRESS: "plain", COMPOSE_PROGRESS: "plain" },
    timeout: COMMAND_LIMIT_MS,
    maxBuffer: MAX_OUTPUT_BYTES,
  };
  return new Promise((resolve) => {
    execFile(command, words, options, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : 1;
      resolve({ code, output: stdout + stderr, stdout });
    });
  });
}

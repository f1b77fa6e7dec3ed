// CONFIG_FILE: read and applied at the start, which fails with it, and again on SIGHUP, which changes nothing when it fails.

import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import { invalidFile, readSettingsFile, type SettingsFile } from "@sluice/settings-file/settings-file";
import { SluiceError } from "@sluice/shared/runtime/errors";
import type { Logger } from "@sluice/shared/runtime/log";

import type { AppliedConfiguration } from "./api/configuration/configuration-schema.ts";

/** Applies a configuration as the API does, and throws what it would answer. */
type ApplyConfiguration = (configuration: unknown, options: { prune: boolean }) => Promise<AppliedConfiguration>;

interface ApplyFileOptions {
  prune: boolean;
  log: Logger;
  /** Aborts when the gateway stops. */
  signal: AbortSignal;
}

/** Another gateway is applying the same file: this one waits, and finds nothing left to change. */
const AGAIN_MS = 500;
const POINTER_PREFIX = "/configuration";

export class ConfigFile {
  readonly #path: string;
  readonly #env: NodeJS.ProcessEnv;
  /** The application under way. Two signals at once are two applications, one after the other. */
  #running: Promise<void> = Promise.resolve();

  constructor(path: string, env: NodeJS.ProcessEnv) {
    this.#path = path;
    this.#env = env;
  }

  /** @throws SluiceError `invalid_configuration` with the line of each fault. */
  read(): SettingsFile {
    let text: string;
    try {
      text = readFileSync(this.#path, "utf8");
    } catch (error) {
      const reason = error instanceof Error && "code" in error ? String(error.code) : "unreadable";
      throw new SluiceError(
        "invalid_configuration",
        `CONFIG_FILE names a file that cannot be read (${reason}): ${this.#path}`,
      );
    }
    const directory = dirname(this.#path);
    const readFile = (path: string) => readFileSync(resolve(directory, path), "utf8");
    return readSettingsFile(text, this.#path, { env: this.#env, readFile });
  }

  /** @throws SluiceError `invalid_configuration` with the line of each fault. Nothing is changed then. */
  async apply(apply: ApplyConfiguration, { prune, log, signal }: ApplyFileOptions): Promise<void> {
    const { configuration, locate } = this.read();
    for (;;) {
      try {
        const { changes, unchanged, left } = await apply(configuration, { prune });
        // Names only: an answer can hold a generated secret.
        const changed = changes.map(({ type, name, action }) => `${action} ${type} ${name}`);
        log.info({ file: this.#path, changed, unchanged, left: left.length }, "settings applied");
        return;
      } catch (error) {
        if (!(error instanceof SluiceError)) throw error;
        if (error.code === "unavailable" && !signal.aborted) {
          await delay(AGAIN_MS, undefined, { signal }).catch(() => undefined);
          continue;
        }
        if (error.faults.length === 0) throw error;
        const faults = error.faults.map((fault) => ({ ...fault, pointer: withoutPrefix(fault.pointer) }));
        throw invalidFile(this.#path, locate(faults));
      }
    }
  }

  /** Failure policy: open. The relay goes on with the settings that it has, and the log says what is wrong. */
  applyAgain(apply: ApplyConfiguration, options: ApplyFileOptions): Promise<void> {
    const run = async () => {
      try {
        await this.apply(apply, options);
      } catch (error) {
        if (error instanceof SluiceError && error.code !== "internal")
          options.log.error(
            { code: error.code, file: this.#path },
            `settings not applied, nothing was changed: ${error.message}`,
          );
        else options.log.error({ err: error, file: this.#path }, "settings not applied");
      }
    };
    this.#running = this.#running.then(run);
    return this.#running;
  }
}

const withoutPrefix = (pointer: string) =>
  pointer.startsWith(POINTER_PREFIX) ? pointer.slice(POINTER_PREFIX.length) : pointer;

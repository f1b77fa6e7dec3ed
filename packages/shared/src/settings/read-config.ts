// Reads the configuration of an app from its environment variables, and reports all faults together, each with its
// name. For a secret `NAME`, the environment may have `NAME_FILE` instead: the path of a file that holds the secret.

import { readFileSync } from "node:fs";

import { z } from "zod";

import { type Fault, SluiceError } from "../runtime/errors.ts";

/** Marks a setting as a secret, which a file may hold. MUST be the outermost step of the setting's schema. */
export function secretSetting<T extends z.ZodType>(setting: T): T {
  return setting.meta({ isSecret: true });
}

export function isSecretSetting(setting: unknown): boolean {
  return setting instanceof z.ZodType && setting.meta()?.["isSecret"] === true;
}

/**
 * Parses the environment. An empty variable counts as absent, because compose files leave variables empty.
 * @throws SluiceError `invalid_configuration` with one fault for each wrong variable.
 */
export function readConfig<T extends z.ZodObject>(schema: T, env: NodeJS.ProcessEnv): z.infer<T> {
  const faults: Fault[] = [];
  const values: Record<string, string | undefined> = {};
  for (const name of Object.keys(schema.shape)) values[name] = env[name] === "" ? undefined : env[name];
  for (const [name, setting] of Object.entries(schema.shape)) {
    const path = env[`${name}_FILE`];
    if (!isSecretSetting(setting) || path === undefined || path === "") continue;
    if (values[name] !== undefined) {
      faults.push({ pointer: name, detail: `is given twice; set only one of ${name} and ${name}_FILE` });
      continue;
    }
    try {
      const text = readFileSync(path, "utf8").trim();
      if (text === "") faults.push({ pointer: `${name}_FILE`, detail: `names an empty file: ${path}` });
      else values[name] = text;
    } catch (error) {
      const reason = error instanceof Error && "code" in error ? String(error.code) : "unreadable";
      faults.push({ pointer: `${name}_FILE`, detail: `names a file that cannot be read (${reason}): ${path}` });
    }
  }
  const parsed = schema.safeParse(values);
  if (!parsed.success) {
    for (const issue of parsed.error.issues) {
      const name = String(issue.path[0]);
      if (faults.some((fault) => fault.pointer.startsWith(name))) continue;
      faults.push({ pointer: name, detail: values[name] === undefined ? "is required" : issue.message });
    }
  }
  if (faults.length > 0 || !parsed.success) {
    const lines = faults.map((fault) => `  ${fault.pointer} ${fault.detail}`).join("\n");
    throw new SluiceError("invalid_configuration", `The environment is not valid:\n${lines}`, { faults });
  }
  return parsed.data;
}

// Reads an app's configuration from its environment variables, once, and reports every fault at once, by name.
// A secret `NAME` may come as `NAME_FILE`, the path of a file that holds it.

import { readFileSync } from "node:fs";
import { z } from "zod";

import { type Fault, SluiceError } from "../runtime/errors.ts";

/** Marks a setting as a secret, which may come from a file. MUST be the outermost step of the setting's schema. */
export function secretSetting<T extends z.ZodType>(setting: T): T {
  return setting.meta({ isSecret: true });
}

function isSecret(setting: unknown): boolean {
  return setting instanceof z.ZodType && setting.meta()?.["isSecret"] === true;
}

/**
 * Parses the environment. An empty variable counts as absent, as compose files leave them.
 * @throws SluiceError `invalid_configuration` with one fault per variable, by its name.
 */
export function readConfig<T extends z.ZodObject>(schema: T, env: NodeJS.ProcessEnv): z.infer<T> {
  const faults: Fault[] = [];
  const values: Record<string, string | undefined> = {};
  for (const name of Object.keys(schema.shape)) values[name] = env[name] === "" ? undefined : env[name];
  for (const [name, setting] of Object.entries(schema.shape)) {
    const path = env[`${name}_FILE`];
    if (!isSecret(setting) || path === undefined || path === "") continue;
    if (values[name] !== undefined) {
      faults.push({ pointer: name, detail: `is given twice: as ${name} and as ${name}_FILE` });
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

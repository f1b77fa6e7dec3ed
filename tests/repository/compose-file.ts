// Reads a compose file as Compose does: with merge keys, and with the tags that remove or replace a part of another file.

import { readFileSync } from "node:fs";

import { parse, type Tags } from "yaml";

export interface ComposeService {
  image: string;
  build?: unknown;
  restart?: string;
  profiles?: string[];
  environment?: Record<string, string>;
  volumes?: unknown[];
  ports?: unknown;
  networks?: string[];
  cap_add?: string[];
  extra_hosts?: string[];
  container_name?: string;
}

export interface ComposeFile {
  text: string;
  name?: string;
  services: Record<string, ComposeService | undefined>;
  volumes?: Record<string, { name?: string } | null>;
  networks?: Record<string, { name?: string } | null>;
}

/** What stands at `!reset` is gone. */
const RESET = { tag: "!reset", resolve: () => ({ tag: "!reset" }) };
/** What stands at `!override` replaces, and is not merged. */
const OVERRIDE = { tag: "!override" };

/** @param path from the root of the repository. */
export function readComposeFile(path: string): ComposeFile {
  const text = readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");
  const customTags: Tags = [
    RESET,
    { ...RESET, collection: "seq" },
    { ...OVERRIDE, collection: "seq" },
    { ...OVERRIDE, collection: "map" },
  ];
  return { ...(parse(text, { merge: true, customTags }) as Omit<ComposeFile, "text">), text };
}

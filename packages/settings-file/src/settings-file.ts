// Reads a file of settings: YAML with placeholders for secrets. It knows nothing of what the fields mean: the API judges them, and
// this file finds the line of what the API refuses.

import {
  type Document,
  isMap,
  isNode,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  visit,
} from "yaml";

import { type Fault, SluiceError } from "@sluice/shared/runtime/errors";

import { type PlaceholderSources, replacePlaceholders } from "./placeholders.ts";

export interface SettingsFile {
  /** What the file says, with its secrets. */
  configuration: unknown;
  /** Says where in the file each fault is. @param faults their pointers are JSON pointers into the configuration. */
  locate: (faults: readonly Fault[]) => string[];
}

/**
 * @param name of the file, for messages.
 * @throws SluiceError `invalid_configuration` with every fault and its line: no YAML, or a placeholder without a value.
 */
export function readSettingsFile(text: string, name: string, sources: PlaceholderSources): SettingsFile {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, merge: true });
  const place = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return `${name}:${line}:${col}`;
  };
  const faults = [...document.errors, ...document.warnings].map(({ pos, message }) => `${place(pos[0])} ${message}`);
  if (faults.length === 0) {
    visit(document, {
      Scalar: (key, node) => {
        if (key === "key" || typeof node.value !== "string") return;
        const replaced = replacePlaceholders(node.value, sources);
        if ("fault" in replaced) faults.push(`${place(node.range?.[0] ?? 0)} ${replaced.fault}`);
        else node.value = replaced.text;
      },
    });
  }
  if (faults.length > 0) throw invalidFile(name, faults);
  const locate = (found: readonly Fault[]) =>
    found.map(({ pointer, detail }) => {
      const { node, isWhole } = findNode(document, pointer);
      const field = isWhole ? pointer : `${pointer} (in what begins here)`;
      return `${place(node?.range?.[0] ?? 0)} ${field === "" ? "the file" : field} ${detail}`;
    });
  return { configuration: toValue(document, name), locate };
}

/** @param lines one for each fault. */
export function invalidFile(name: string, lines: readonly string[]): SluiceError {
  return new SluiceError(
    "invalid_configuration",
    `The file of settings ${name} is not valid:\n${lines.map((line) => `  ${line}`).join("\n")}`,
  );
}

function toValue(document: Document.Parsed, name: string): unknown {
  try {
    const value: unknown = document.toJS({ maxAliasCount: 1_000 });
    // A file of comments only says that there is nothing.
    return value ?? {};
  } catch (error) {
    throw invalidFile(name, [`${name}:1:1 ${error instanceof Error ? error.message : "cannot be read"}`]);
  }
}

/** @returns the node of a JSON pointer, or the innermost one around it that is in the file. */
function findNode(document: Document.Parsed, pointer: string): { node: Node | null; isWhole: boolean } {
  let node: Node | null = document.contents;
  for (const part of pointer.split("/").slice(1)) {
    const name = part.replaceAll("~1", "/").replaceAll("~0", "~");
    const found = childOf(node, name);
    if (found === undefined) return { node, isWhole: false };
    node = found;
  }
  return { node, isWhole: true };
}

function childOf(node: Node | null, name: string): Node | undefined {
  if (isSeq(node)) {
    const item = node.items[Number(name)];
    return isNode(item) ? item : undefined;
  }
  if (!isMap(node)) return undefined;
  const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === name);
  if (!isPair(pair)) return undefined;
  // The key, so that the line is that of the field, also where its value is a list on the next line.
  return isScalar(pair.value) || pair.value === null ? (pair.key as Node) : (pair.value as Node);
}

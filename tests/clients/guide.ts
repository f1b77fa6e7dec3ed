// Reads docs/clients.md: what to run for each client, in order, and the files to write before.

import { readFileSync } from "node:fs";

/** A step of a section: a shell script to run, or a file to write. */
type Step = { kind: "run"; script: string } | { kind: "write"; name: string; text: string };

export interface ClientGuide {
  /** The title of the section. */
  title: string;
  steps: Step[];
}

const GUIDE = new URL("../../docs/clients.md", import.meta.url);
/** A block of shell, or a block of another language below the name of its file. */
const BLOCK = /^(?:`(?<name>[^`\n]+)`:\n\n)?```(?<language>\w+)\n(?<text>.*?)^```$/gms;

/** The sections of the page that make a client. */
export function readClientGuides(): ClientGuide[] {
  const sections = readFileSync(GUIDE, "utf8").split(/^## /m).slice(1);
  return sections
    .map((section) => ({ title: section.slice(0, section.indexOf("\n")), steps: readSteps(section) }))
    .filter(({ steps }) => steps.length > 0);
}

const readSteps = (section: string): Step[] =>
  [...section.matchAll(BLOCK)].map(({ groups }): Step => {
    const { name, language, text = "" } = groups ?? {};
    if (name !== undefined) return { kind: "write", name, text };
    if (language !== "sh") throw new Error(`docs/clients.md has a block of ${language} without the name of its file`);
    return { kind: "run", script: text };
  });

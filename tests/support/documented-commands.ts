// The commands of a page of the documentation, as they stand there: below `<!-- runs: name -->`.

import { readFileSync } from "node:fs";

/** @param page below `docs`, as `runbooks/backup`. @throws Error when the page has no such block. */
export function readDocumentedCommands(page: string, name: string): string {
  const text = readFileSync(new URL(`../../docs/${page}.md`, import.meta.url), "utf8");
  const block = new RegExp(`<!-- runs: ${name} -->\n\n\`\`\`sh\n([^]*?)\`\`\``).exec(text)?.[1];
  if (block === undefined) throw new Error(`docs/${page}.md has no block ${name}`);
  return block;
}

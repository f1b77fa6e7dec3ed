// Makes the page of the console and its files from apps/console, for browsers. The gateway serves them as they are, so each
// text comes compressed as well.

import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { extname, join } from "node:path";
import { brotliCompressSync, gzipSync } from "node:zlib";

import { build } from "vite";

/** Pictures and fonts are compressed already. */
const TEXTS = new Set([".html", ".js", ".css", ".svg", ".json"]);
/** A smaller file fits into one packet, compressed or not. */
const MIN_BYTES = 1_024;

/**
 * @param root the folder apps/console.
 * @param directory where the files go. What was there is replaced.
 * @returns the paths of the modules in the files.
 */
export async function bundleConsole(root: string, directory: string): Promise<readonly string[]> {
  // vite keeps what it finds here, and React would be the one for development.
  process.env["NODE_ENV"] = "production";
  const made = `${directory}.${process.pid}`;
  const built = await build({
    root,
    configFile: join(root, "vite.config.ts"),
    logLevel: "warn",
    build: { outDir: made, emptyOutDir: true, reportCompressedSize: false },
  });
  for (const path of readdirSync(made, { recursive: true, encoding: "utf8" })) {
    if (TEXTS.has(extname(path))) writeCompressed(join(made, path));
  }
  // A relay may be serving the old files.
  const old = `${directory}.old`;
  rmSync(old, { recursive: true, force: true });
  try {
    renameSync(directory, old);
  } catch {
    // There was none.
  }
  renameSync(made, directory);
  rmSync(old, { recursive: true, force: true });
  const outputs = [built].flat().flatMap((one) => ("output" in one ? one.output : []));
  return outputs.flatMap((file) => (file.type === "chunk" ? file.moduleIds : []));
}

function writeCompressed(path: string): void {
  const content = readFileSync(path);
  if (content.length < MIN_BYTES) return;
  writeFileSync(`${path}.br`, brotliCompressSync(content));
  writeFileSync(`${path}.gz`, gzipSync(content, { level: 9 }));
}

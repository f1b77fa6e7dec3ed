// Reads /metrics as Prometheus does.

import type { Relay } from "./relay.ts";

interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

export interface Scrape {
  /** What each metric is, by its name: `counter`, `gauge` or `histogram`. */
  types: Map<string, string>;
  samples: Sample[];
}

/** @param text in the text format of Prometheus, 0.0.4. @throws Error for a line that is not in it. */
function readScrape(text: string): Scrape {
  const types = new Map<string, string>();
  const samples: Sample[] = [];
  for (const line of text.split("\n").filter((each) => each !== "")) {
    const type = /^# TYPE (\w+) (\w+)$/.exec(line);
    if (type?.[1] !== undefined && type[2] !== undefined) types.set(type[1], type[2]);
    if (line.startsWith("#")) continue;
    const [, name, labels = "", value] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
    if (name === undefined) throw new Error(`Not a sample: ${line}`);
    const pairs = [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, key, label = ""]) => [key, label]);
    samples.push({ name, labels: Object.fromEntries(pairs) as Record<string, string>, value: Number(value) });
  }
  return { types, samples };
}

export async function scrapeGateway(relay: Relay): Promise<Scrape> {
  return readScrape(await relay.readMetrics());
}

/** The worker with which the relay started. */
export async function scrapeWorker(relay: Relay): Promise<Scrape> {
  return readScrape(await (await fetch(`${relay.workerUrl}/metrics`)).text());
}

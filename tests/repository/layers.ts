// Which way imports run: a file imports only from its own room and from the rooms below it.

import type { SourceFile } from "./source-tree.ts";

/** From the bottom up. Rooms of one layer do not import each other. */
interface Layers {
  /** Finds the room of a path as its first group. Files that do not match stand in no room and import what they like. */
  room: RegExp;
  order: string[][];
}

const LAYERS: Layers[] = [
  {
    room: /^(?:apps|packages)\/([^/]+)\/src\//,
    order: [
      ["shared", "client"],
      ["signature", "filter", "gemini", "tracing", "settings-file"],
      ["store"],
      ["attempt"],
      ["queue"],
      ["gateway", "worker", "cli", "console", "gemini-simulator"],
    ],
  },
  { room: /^apps\/gateway\/src\/([^/]+)\//, order: [["http"], ["ingress", "api"]] },
  {
    room: /^apps\/gateway\/src\/api\/([^/]+)\//,
    order: [
      ["http"],
      ["openapi"],
      ["sources", "log"],
      ["upstream", "jobs", "access"],
      ["acting", "system"],
      ["targets"],
      ["webhook-service", "configuration", "pull", "console"],
    ],
  },
  {
    room: /^apps\/console\/src\/([^/]+)\//,
    order: [
      ["data", "style"],
      ["ui"],
      ["list"],
      ["shell"],
      ["log", "records", "live", "overview", "setup"],
      ["targets", "sources"],
    ],
  },
  {
    room: /^apps\/worker\/src\/([^/]+)\//,
    order: [["breaker", "chat"], ["deliver"], ["intake", "chores"], ["upstream"]],
  },
];

/** @returns a line for each import against the direction, and for each room that no layer names. */
export function findImportsAgainstDirection(files: readonly SourceFile[]): string[] {
  return LAYERS.flatMap((layers) =>
    files.flatMap((file) => {
      // A test may look at its subject from above.
      if (file.path.endsWith(".test.ts")) return [];
      const from = layerOf(layers, file.path);
      if (from === undefined) return [];
      if (from.level === -1) return [`${file.path} is in the room ${from.room}, which has no place in the layers`];
      return file.imports.flatMap(({ path }) => {
        const to = path === undefined ? undefined : layerOf(layers, path);
        if (to === undefined || to.room === from.room || to.level < from.level) return [];
        return [`${file.path} (${from.room}) imports ${path} (${to.room})`];
      });
    }),
  );
}

function layerOf({ room, order }: Layers, path: string): { room: string; level: number } | undefined {
  const name = room.exec(path)?.[1];
  return name === undefined ? undefined : { room: name, level: order.findIndex((layer) => layer.includes(name)) };
}

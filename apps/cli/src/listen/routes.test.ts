// Which local address gets an event, and which texts name an address.

import { expect, test } from "vitest";

import { findRoute, readRoutes } from "./routes.ts";

test("an event goes by the first route of its type, else to the common address", () => {
  const routes = readRoutes("3000/all", [
    "video.generated=localhost:4000",
    "batch.*=https://here.test/b",
    "batch.failed=5000",
  ]);
  const routed = (type: string | null) => findRoute(routes, type)?.href;
  expect(routed("video.generated")).toBe("http://localhost:4000/");
  expect(routed("batch.failed")).toBe("https://here.test/b");
  expect(routed("interaction.completed")).toBe("http://localhost:3000/all");
  expect(routed(null)).toBe("http://localhost:3000/all");
  // The older name of the same event.
  expect(findRoute(readRoutes(undefined, ["batch.succeeded=1"]), "batch.completed")?.href).toBe("http://localhost:1/");
  expect(findRoute(readRoutes(undefined, ["sluice.*=1"]), "sluice.target.failing")?.href).toBe("http://localhost:1/");
  expect(findRoute(readRoutes(undefined, ["batch.*=1"]), "video.generated")).toBeUndefined();
});

test.for(["", "http://", "http://user:secret@localhost", "not an address"])("%j is no address", (text) => {
  expect(() => readRoutes(text, [])).toThrow(/address/);
});

test.for(["batch.*", "=3000", "batch=*=3000", "ba tch=3000"])("%j is no route", (text) => {
  expect(() => readRoutes(undefined, [text])).toThrow(/--map|address/);
});

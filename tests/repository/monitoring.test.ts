// The dashboard, the rules and their documentation agree. tests/monitoring.test.ts runs them.

import { readFileSync } from "node:fs";

import { expect, test } from "vitest";

import { readPanels, readRules, readTestedAlerts } from "../support/monitoring-files.ts";

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");

/** The anchors of a document, as GitHub makes them. */
const anchorsOf = (path: string) =>
  [...read(path).matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, "")
      .replaceAll(" ", "-"),
  );

test("each alert leads to its section of the runbook, says what is wrong, and has a unit test in which it fires", () => {
  const anchors = anchorsOf("docs/operations.md");
  const rules = readRules();
  expect(rules.length).toBeGreaterThan(10);
  for (const { alert, annotations, labels } of rules) {
    const [path, anchor = ""] = annotations["runbook"]?.split("#") ?? [];
    expect([path, anchor], alert).toEqual(["docs/operations.md", alert.toLowerCase()]);
    expect(anchors, alert).toContain(anchor);
    expect(annotations, alert).toMatchObject({ summary: expect.any(String), description: expect.any(String) });
    expect(["critical", "warning"], alert).toContain(labels["severity"]);
  }
  const names = rules.map(({ alert }) => alert);
  expect(new Set(readTestedAlerts())).toEqual(new Set(names));
  const documented = [...read("docs/monitoring.md").matchAll(/^\| `(Sluice\w+)` \|/gm)].map(([, name]) => name);
  expect(documented).toEqual(names);
});

test("the dashboard has panels with distinct ids that do not overlap, each with a title and a description", () => {
  const panels = readPanels();
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  for (const panel of panels) {
    const { x, w } = panel.gridPos;
    expect(x + w, panel.title).toBeLessThanOrEqual(24);
    if (panel.type !== "row") expect([panel.title, panel.description], panel.title).not.toContain(undefined);
    const overlapping = panels.filter((other) => other.id !== panel.id && overlaps(panel.gridPos, other.gridPos));
    expect(
      overlapping.map(({ title }) => title),
      panel.title,
    ).toEqual([]);
  }
});

interface Place {
  x: number;
  y: number;
  w: number;
  h: number;
}

const overlaps = (a: Place, b: Place) => a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;

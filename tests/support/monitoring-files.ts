// The dashboard and the alerting rules of deploy/, as the tests need them.

import { readFileSync } from "node:fs";

import { parse } from "yaml";

const read = (path: string) => readFileSync(new URL(`../../deploy/${path}`, import.meta.url), "utf8");

interface AlertingRule {
  alert: string;
  expr: string;
  labels: Record<string, string>;
  annotations: Record<string, string>;
}

interface Panel {
  id: number;
  title: string;
  type: string;
  description?: string;
  gridPos: { x: number; y: number; w: number; h: number };
  targets?: { expr: string; legendFormat: string }[];
}

export const readRules = (): AlertingRule[] =>
  (parse(read("prometheus/rules.yaml")) as { groups: { rules: AlertingRule[] }[] }).groups.flatMap(
    ({ rules }) => rules,
  );

/** The names of the alerts that some unit test of the rules expects to fire. */
export const readTestedAlerts = (): string[] => {
  const { tests } = parse(read("prometheus/rules.test.yaml")) as {
    tests: { alert_rule_test: { alertname: string; exp_alerts: object[] }[] }[];
  };
  return tests
    .flatMap((test) => test.alert_rule_test)
    .filter((test) => test.exp_alerts.length > 0)
    .map((test) => test.alertname);
};

export const readPanels = (): Panel[] => (JSON.parse(read("grafana/sluice.json")) as { panels: Panel[] }).panels;

/** The selectors of an expression, such as `sluice_workers{job="a"}`: what it reads before it computes. */
export function selectorsOf(expression: string): string[] {
  return [...expression.matchAll(/\b(?:sluice|process|nodejs)_\w+(?:\{[^}]*\})?/g)].map(([selector]) => selector);
}

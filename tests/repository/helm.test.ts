// The Helm chart: its values are checked, what it makes is what Kubernetes takes, and it publishes the public port alone.
// `helm` and `kubeconform` make and check the manifests where they are installed; CONTRIBUTING.md says how to get them.

import { execFile, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { gatewayConfig } from "@sluice/gateway/gateway-config";
import { SLUICE_VERSION } from "@sluice/shared/domain/version";
import { workerConfig } from "@sluice/worker/worker-config";
import { Ajv } from "ajv";
import { describe, expect, onTestFinished, test } from "vitest";
import { parse, parseAllDocuments } from "yaml";

import { findMissingTool } from "../support/installed.ts";

const CHART = fileURLToPath(new URL("../../deploy/helm/sluice", import.meta.url));
const run = promisify(execFile);
const read = (path: string) => readFileSync(join(CHART, path), "utf8");
const schema = JSON.parse(read("values.schema.json")) as Record<string, unknown>;
const defaults = parse(read("values.yaml")) as Record<string, unknown>;
/** The oldest Kubernetes that the chart allows, and a new one. */
const OLDEST = "1.27.0";
/** Without the name of the Secret the chart installs nothing. */
const MINIMUM = { existingSecret: "relay" };
/** Every value that adds something. */
const EVERYTHING = {
  ...MINIMUM,
  image: { digest: `sha256:${"0".repeat(64)}` },
  imagePullSecrets: [{ name: "pull" }],
  secretKeys: {
    databaseDirectUrl: "direct",
    databaseOwnerUrl: "owner",
    geminiSigningSecret: "s",
    geminiApiKey: "k",
    metricsKey: "m",
    otlpHeaders: "o",
  },
  settings: { LOG_LEVEL: "debug", MAX_BODY_BYTES: 1_048_576 },
  gateway: {
    settings: { PUBLIC_URL: "https://hooks.example.com", LOG_LEVEL: "warn" },
    autoscaling: { enabled: true },
    podAnnotations: { note: "a" },
    podLabels: { team: "b" },
    nodeSelector: { disk: "ssd" },
    tolerations: [{ key: "x", operator: "Exists" }],
    affinity: { podAntiAffinity: {} },
    topologySpreadConstraints: [{ maxSkew: 1, topologyKey: "zone", whenUnsatisfiable: "DoNotSchedule" }],
    priorityClassName: "high",
    extraEnv: [{ name: "REDIS_CA_FILE", value: "/ca/redis.pem" }],
    extraVolumes: [{ name: "ca", configMap: { name: "ca" } }],
    extraVolumeMounts: [{ name: "ca", mountPath: "/ca" }],
    dataVolume: { persistentVolumeClaim: { claimName: "data" } },
  },
  worker: { autoscaling: { enabled: true, waiting: { enabled: true, matchLabels: { relay: "a" } } } },
  migration: { mode: "init" },
  ingress: { enabled: true, className: "nginx", tlsSecretName: "tls", annotations: { note: "a" } },
  networkPolicy: {
    ingressFrom: [{ namespaceSelector: { matchLabels: { name: "proxies" } } }],
    apiFrom: [{ namespaceSelector: {} }],
    metricsFrom: [{ namespaceSelector: {} }],
    gatewayEgress: [{ to: [{ ipBlock: { cidr: "10.0.0.0/8" } }] }],
    workerEgress: [{}],
  },
  serviceMonitor: { enabled: true, labels: { release: "prometheus" } },
};

interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name: string; annotations?: Record<string, string> };
  // oxlint-disable-next-line typescript/no-explicit-any -- a manifest is what a test asserts about it.
  [part: string]: any;
}

test("the chart has the version of the relay", () => {
  expect(parse(read("Chart.yaml"))).toMatchObject({ version: SLUICE_VERSION, appVersion: SLUICE_VERSION });
});

test("the schema takes the default values with the name of a Secret, and refuses what it does not know, by name", () => {
  const validate = new Ajv({ allErrors: true, strict: false }).compile(schema);
  expect(validate(defaults)).toBe(false);
  expect(validate({ ...defaults, ...MINIMUM })).toBe(true);
  const faults: [object, string][] = [
    [{ gatway: {} }, "gatway"],
    [{ settings: { MASTER_KEY: "a" } }, "MASTER_KEY"],
    [{ settings: { API_HOST: "a" } }, "API_HOST"],
    [{ settings: { log_level: "a" } }, "log_level"],
    [{ migration: { mode: "job" } }, "/migration/mode"],
    [{ image: { repository: "a", digest: "sha256:1" } }, "/image/digest"],
  ];
  for (const [values, name] of faults) {
    expect(validate({ ...defaults, ...MINIMUM, ...values }), name).toBe(false);
    expect(JSON.stringify(validate.errors)).toContain(name);
  }
});

test("the schema refuses every secret among the settings, and what the chart itself decides", () => {
  const { shape } = gatewayConfig;
  const settings = { ...shape, ...workerConfig.shape };
  const secret = Object.entries(settings).filter(([, setting]) => setting.meta()?.["isSecret"] === true);
  const refused = (schema["$defs"] as { settings: { propertyNames: { not: { enum: string[] } } } }).settings
    .propertyNames.not.enum;
  expect(secret.map(([name]) => name).filter((name) => !refused.includes(name))).toEqual([]);
});

const missing = findMissingTool(["helm"]);

describe.skipIf(missing !== undefined)(`with helm${missing === undefined ? "" : " (not installed)"}`, () => {
  test("helm lint has no complaint", async () => {
    const { stdout } = await run("helm", ["lint", "--strict", CHART, "--set", "existingSecret=relay"]);
    expect(stdout).toContain("1 chart(s) linted, 0 chart(s) failed");
    await expect(run("helm", ["lint", "--strict", CHART])).rejects.toMatchObject({
      stdout: expect.stringContaining("existingSecret"),
    });
  });

  test("each process gets the secrets that it needs, as files, and no other", async () => {
    const { manifests } = await render({ ...EVERYTHING, migration: { mode: "hook" } });
    const filesOf = (kind: string, name: string) =>
      find(manifests, kind, name)["spec"].template.spec.volumes[0].secret.items.map(
        ({ key, path }: { key: string; path: string }) => `${path}=${key}`,
      );
    const both = ["DATABASE_DIRECT_URL=direct", "DATABASE_URL=database-url", "GEMINI_API_KEY=k"];
    const headers = "OTEL_EXPORTER_OTLP_HEADERS=o";
    const worker = [...both, "MASTER_KEY=master-key", headers, "REDIS_URL=redis-url"];
    const ofGateway = [
      "GEMINI_SIGNING_SECRET=s",
      "MASTER_KEY=master-key",
      "METRICS_KEY=m",
      headers,
      "REDIS_URL=redis-url",
    ];
    const gateway = ["ADMIN_API_KEY=admin-api-key", ...both, ...ofGateway];
    expect(filesOf("Deployment", "relay-sluice-worker")).toEqual(worker);
    expect(filesOf("Deployment", "relay-sluice-gateway")).toEqual(gateway);
    expect(filesOf("Job", "relay-sluice-migrate")).toEqual(["DATABASE_URL=owner"]);
  });

  test("every Pod is confined, and has 60 seconds to stop", async () => {
    const { manifests } = await render({ ...MINIMUM });
    const pods = manifests.filter(({ kind }) => kind === "Deployment" || kind === "Job");
    expect(pods).toHaveLength(3);
    for (const { kind, spec } of pods) {
      const pod = spec.template.spec;
      expect(pod).toMatchObject({
        automountServiceAccountToken: false,
        securityContext: { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } },
      });
      if (kind === "Deployment") expect(pod.terminationGracePeriodSeconds).toBe(60);
      for (const container of pod.containers) {
        expect(container.securityContext).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ["ALL"] },
        });
        expect(container.resources.limits.memory).toBeDefined();
      }
    }
  });

  test("the migration is a Job before the release, or a container of each Pod, or yours", async () => {
    const { manifests } = await render({ ...MINIMUM });
    expect(find(manifests, "Job", "relay-sluice-migrate").metadata.annotations).toMatchObject({
      "helm.sh/hook": "pre-install,pre-upgrade",
    });
    for (const [mode, containers] of [
      ["init", ["migrate"]],
      ["none", []],
    ] as const) {
      const other = (await render({ ...MINIMUM, migration: { mode } })).manifests;
      expect(other.some(({ kind }) => kind === "Job")).toBe(false);
      for (const name of ["gateway", "worker"]) {
        const pod = find(other, "Deployment", `relay-sluice-${name}`)["spec"].template.spec;
        expect((pod.initContainers ?? []).map((container: { name: string }) => container.name)).toEqual(containers);
      }
    }
  });

  test("the public port alone is published", async () => {
    const { manifests } = await render(EVERYTHING);
    const paths = find(manifests, "Ingress", "relay-sluice")["spec"].rules[0].http.paths;
    expect(paths).toEqual([
      {
        path: "/in",
        pathType: "Prefix",
        backend: { service: { name: "relay-sluice-ingress", port: { name: "http" } } },
      },
    ]);
    const services = manifests.filter(({ kind }) => kind === "Service");
    for (const { metadata, spec } of services)
      expect(spec.ports.map(({ targetPort }: { targetPort: string }) => targetPort)).toEqual([
        { "relay-sluice-ingress": "ingress", "relay-sluice-api": "api", "relay-sluice-worker": "health" }[
          metadata.name
        ],
      ]);
    const plain = (await render(MINIMUM)).manifests;
    expect(plain.some(({ kind }) => kind === "Ingress" || kind === "ServiceMonitor")).toBe(false);
    expect(find(plain, "NetworkPolicy", "relay-sluice-worker")["spec"].ingress).toEqual([]);
  });

  test("settings reach the process as they are written: numbers in digits, and its own before the common ones", async () => {
    const { manifests } = await render(EVERYTHING);
    expect(find(manifests, "ConfigMap", "relay-sluice-gateway")["data"]).toEqual({
      LOG_LEVEL: "warn",
      MAX_BODY_BYTES: "1048576",
      PUBLIC_URL: "https://hooks.example.com",
    });
    expect(find(manifests, "ConfigMap", "relay-sluice-worker")["data"]).toMatchObject({ LOG_LEVEL: "debug" });
  });

  test("workers scale by processor and by what waits, and gateways by processor", async () => {
    const { manifests } = await render(EVERYTHING);
    const metricsOf = (name: string) =>
      find(manifests, "HorizontalPodAutoscaler", `relay-sluice-${name}`)["spec"].metrics;
    expect(metricsOf("gateway")).toHaveLength(1);
    expect(metricsOf("worker")[1]).toEqual({
      type: "External",
      external: {
        metric: { name: "sluice_deliveries_waiting", selector: { matchLabels: { relay: "a" } } },
        target: { type: "AverageValue", averageValue: "1000" },
      },
    });
    for (const name of ["gateway", "worker"])
      expect(find(manifests, "Deployment", `relay-sluice-${name}`)["spec"].replicas).toBeUndefined();
  });

  test("kubeconform takes every manifest, for the oldest Kubernetes and for the newest one", async ({ skip }) => {
    if (findMissingTool(["kubeconform"]) !== undefined) return skip("kubeconform is not installed");
    const schemas = findSchemas();
    if (schemas === undefined) return skip("the Python package kubernetes-validate, which has the schemas, is missing");
    const versions = readdirSync(schemas).filter((name) => name.endsWith("-local-strict"));
    const newest = versions.toSorted((a, b) => a.localeCompare(b, undefined, { numeric: true })).at(-1) ?? "";
    const directory = mkdtempSync(join(tmpdir(), "sluice-kubeconform-"));
    onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
    for (const values of [MINIMUM, EVERYTHING, { ...MINIMUM, migration: { mode: "none" } }]) {
      const { text, manifests } = await render(values);
      const file = join(directory, "manifests.yaml");
      writeFileSync(file, text);
      for (const version of [`v${OLDEST}-local-strict`, newest]) {
        copySchemas(join(schemas, version), directory, manifests);
        // ServiceMonitor is not of Kubernetes itself.
        const words = ["-strict", "-summary", "-output", "json", "-skip", "ServiceMonitor", "-schema-location"];
        const { stdout } = await run("kubeconform", [
          ...words,
          join(directory, "{{.ResourceKind}}{{.KindSuffix}}.json"),
          file,
        ]);
        const { summary } = JSON.parse(stdout) as { summary: Record<string, number> };
        const monitors = manifests.filter(({ kind }) => kind === "ServiceMonitor").length;
        expect(summary).toEqual({ valid: manifests.length - monitors, invalid: 0, errors: 0, skipped: monitors });
      }
    }
  });
});

/** The folder with a folder for each version of Kubernetes. */
function findSchemas(): string | undefined {
  const code =
    "from importlib.util import find_spec; print(find_spec('kubernetes_validate').submodule_search_locations[0])";
  const { status, stdout } = spawnSync("python3", ["-c", code], { encoding: "utf8" });
  const folder = join(stdout?.trim() ?? "", "kubernetes-json-schema");
  return status === 0 && existsSync(folder) ? folder : undefined;
}

/** The schemas of these manifests, where kubeconform finds them: it does not follow a reference to a web page. */
function copySchemas(from: string, to: string, manifests: Manifest[]): void {
  const fileOf = ({ kind, apiVersion }: Manifest) => {
    const [group = "", version = ""] = apiVersion.includes("/") ? apiVersion.split("/") : ["", apiVersion];
    return `${[kind.toLowerCase(), group.split(".")[0], version].filter((part) => part !== "").join("-")}.json`;
  };
  const names = new Set(manifests.filter(({ kind }) => kind !== "ServiceMonitor").map(fileOf));
  for (const name of [...names, "_definitions.json"]) {
    const { $id: _, ...rest } = JSON.parse(readFileSync(join(from, name), "utf8")) as Record<string, unknown>;
    writeFileSync(join(to, name), JSON.stringify(rest).replaceAll('"/api/_definitions.json', '"_definitions.json'));
  }
}

async function render(values: object): Promise<{ text: string; manifests: Manifest[] }> {
  const directory = mkdtempSync(join(tmpdir(), "sluice-helm-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const file = join(directory, "values.json");
  writeFileSync(file, JSON.stringify(values));
  const { stdout } = await run("helm", ["template", "relay", CHART, "--kube-version", OLDEST, "--values", file], {
    maxBuffer: 16 * 1024 * 1024,
  });
  const manifests = parseAllDocuments(stdout).map((document) => document.toJS() as Manifest | null);
  return { text: stdout, manifests: manifests.filter((each) => each !== null) };
}
function find(manifests: Manifest[], kind: string, name: string): Manifest {
  const found = manifests.find((each) => each.kind === kind && each.metadata.name === name);
  if (found === undefined) throw new Error(`There is no ${kind} ${name}`);
  return found;
}

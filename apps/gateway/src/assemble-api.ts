// Puts together what the API needs: its readers, its address guards, and the parts that the gateway has opened.

import { type AddressGuard, createAddressGuard } from "@sluice/shared/address/guard";
import { OwnServices } from "@sluice/shared/address/own-services";
import type { Logger } from "@sluice/shared/runtime/log";
import type { Readiness } from "@sluice/shared/runtime/health";
import { listOwnServices } from "@sluice/shared/settings/list-own-services";
import type { RelayFiguresReader } from "@sluice/store/delivery/relay-figures";
import { reconcileNow } from "@sluice/store/upstream/jobs-readers";
import type { Tracing } from "@sluice/tracing/tracing";

import type { ApiDependencies } from "./api/api.ts";
import type { Tails } from "./api/log/tails.ts";
import type { PullWaits } from "./api/pull/pull-waits.ts";
import { PulledAttempts } from "./api/pull/pulled-attempts.ts";
import type { SystemReaders } from "./api/system/read-system.ts";
import type { SystemDependencies } from "./api/system/system.ts";
import type { GatewayConfig } from "./gateway-config.ts";
import type { GatewayStores } from "./gateway-stores.ts";
import type { FindClientAddress } from "./http/client-address.ts";
import { TrustedProxies } from "./http/trusted-proxies.ts";
import type { AssembledIngress } from "./ingress/assemble-ingress.ts";
import type { Metrics } from "./metrics.ts";

/** Several requests to wake one target within this time add only one job. */
const WAKE_WINDOW_MS = 100;

interface Guards {
  targets: AddressGuard;
  keySets: AddressGuard;
}

export function createGuards({ TARGET_ALLOW, TARGET_DENY, ...config }: GatewayConfig): Guards {
  const ownServices = new OwnServices(listOwnServices(config));
  const open = (setting: "TARGET_LOOPBACK" | "JWKS_LOOPBACK") => ({ isOpen: config[setting] === "allow", setting });
  const common = { deny: TARGET_DENY, ownServices };
  return {
    targets: createAddressGuard({ ...common, allow: TARGET_ALLOW, loopback: open("TARGET_LOOPBACK") }),
    // Without TARGET_ALLOW, which lists services inside: the keys of Google are outside.
    keySets: createAddressGuard({ ...common, allow: [], loopback: open("JWKS_LOOPBACK") }),
  };
}

export const poolsOf = ({ apiDb, ingressDb, pullDb }: GatewayStores) => ({
  api: apiDb.pool,
  ingress: ingressDb.pool,
  pulls: pullDb.pool,
});

export function openSystemReaders(
  config: GatewayConfig,
  { stores, readiness, figures }: { stores: GatewayStores; readiness: Readiness; figures: RelayFiguresReader },
): SystemReaders {
  const { producer } = stores;
  return {
    db: stores.apiDb,
    pools: poolsOf(stores),
    publicUrl: config.PUBLIC_URL,
    startedAtMs: Date.now(),
    queueBackend: stores.backend.kind,
    redis: producer.redis,
    setAside: producer.setAside,
    readReadiness: () => readiness.read(),
    readFigures: () => figures.read(),
    readQueueDepth: () => producer.depth("intake"),
  };
}

interface ApiParts {
  stores: GatewayStores;
  ingress: AssembledIngress;
  tails: Tails;
  pullWaits: PullWaits;
  metrics: Metrics;
  findClientAddress: FindClientAddress;
  guards: Guards;
  tracing: Tracing | undefined;
}

export function assembleApiDependencies(
  config: GatewayConfig,
  { stores, ingress, tails, pullWaits, metrics, findClientAddress, guards, tracing }: ApiParts,
  log: Logger,
): Omit<ApiDependencies, keyof SystemDependencies> {
  const { apiDb, pullDb, masterKey, producer } = stores;
  return {
    db: apiDb,
    pullDb,
    tails,
    pullWaits,
    pulledAttempts: new PulledAttempts({
      count: (target, delivery, result) => metrics.pulls.countAttempt(target, delivery, result),
      tracing,
      log,
    }),
    masterKey,
    adminApiKey: config.ADMIN_API_KEY,
    metricsKey: config.METRICS_KEY,
    geminiSigningSecret: config.GEMINI_SIGNING_SECRET?.reveal(),
    wakeTarget: (targetId) => {
      pullWaits.hint(targetId);
      return producer.add(
        "deliver",
        { targetId },
        { key: `now-${targetId}-${Math.floor(Date.now() / WAKE_WINDOW_MS)}` },
      );
    },
    testTarget: (targetId, deliveryId) => producer.add("deliver", { targetId, deliveryId }),
    publicUrl: config.PUBLIC_URL,
    addressGuard: guards.targets,
    keySetGuard: guards.keySets,
    geminiApiKey: config.GEMINI_API_KEY,
    geminiBaseUrl: config.GEMINI_BASE_URL,
    geminiRequestsPerHour: config.GEMINI_REQUESTS_PER_HOUR,
    reconcileNow: (sourceId, sinceMs) => reconcileNow(apiDb, sourceId, sinceMs),
    corsOrigins: config.CORS_ORIGINS ?? [],
    trustedProxies: new TrustedProxies(config.TRUSTED_PROXIES),
    apiHosts: config.API_HOSTS,
    consoleIdentities: consoleIdentitiesOf(config),
    setAside: producer.setAside,
    readQueueDepth: () => producer.depth("intake"),
    sourcesChanged: () => ingress.sources.refresh(),
    examine: ingress.examine,
    metrics,
    findClientAddress,
    tracing,
    log,
  };
}

/** @returns undefined where no proxy signs people in. */
function consoleIdentitiesOf({ CONSOLE_IDENTITY_HEADER: header, CONSOLE_IDENTITIES: rules }: GatewayConfig) {
  return header === undefined ? undefined : { header, rules };
}

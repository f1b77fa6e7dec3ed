// The addresses of the console, and the screen of each. The first page loads its own screen; the others follow when the browser
// has nothing to do, so that a click waits for data alone.

import { createRootRoute, createRoute, createRouter, lazyRouteComponent } from "@tanstack/react-router";

import { parseSearch, type SearchParams, stringifySearch } from "./data/search-params.ts";
import { BrokenScreen, NoScreen } from "./shell/broken.tsx";
import { GoScreen } from "./shell/go.tsx";
import { Shell } from "./shell/shell.tsx";
import { SignedIn } from "./shell/sign-in.tsx";

const root = createRootRoute({
  component: Shell,
  notFoundComponent: NoScreen,
  errorComponent: BrokenScreen,
  validateSearch: (search: Record<string, unknown>): SearchParams => search as SearchParams,
});

type Loader = Parameters<typeof lazyRouteComponent>[0];

const loaders: Loader[] = [];

function screen(path: string, load: Loader, name: string) {
  loaders.push(load);
  return createRoute({
    getParentRoute: () => root,
    path,
    component: lazyRouteComponent(load, name as never),
    errorComponent: BrokenScreen,
  });
}

/** Loads all screens, one after the other. A screen that cannot be loaded now is tried again when it is opened. */
export async function loadScreens(): Promise<void> {
  for (const load of loaders) await load().catch(() => undefined);
}

const routes = [
  createRoute({ getParentRoute: () => root, path: "/go/$", component: GoScreen }),
  createRoute({ getParentRoute: () => root, path: "/sign-in", component: SignedIn }),
  screen("/", () => import("./overview/overview-screen.tsx"), "OverviewScreen"),
  screen("/events", () => import("./log/events-screen.tsx"), "EventsScreen"),
  screen("/events/$id", () => import("./log/event-screen.tsx"), "EventScreen"),
  screen("/deliveries", () => import("./log/deliveries-screen.tsx"), "DeliveriesScreen"),
  screen("/deliveries/$id", () => import("./log/delivery-screen.tsx"), "DeliveryScreen"),
  screen("/live", () => import("./live/live-screen.tsx"), "LiveScreen"),
  screen("/operations", () => import("./records/operations-screen.tsx"), "OperationsScreen"),
  screen("/operations/$id", () => import("./records/operation-screen.tsx"), "OperationScreen"),
  screen("/rejections", () => import("./records/rejections-screen.tsx"), "RejectionsScreen"),
  screen("/rejections/$id", () => import("./records/rejection-screen.tsx"), "RejectionScreen"),
  screen("/set-aside", () => import("./records/set-aside-screen.tsx"), "SetAsideScreen"),
  screen("/set-aside/$id", () => import("./records/set-aside-event-screen.tsx"), "SetAsideEventScreen"),
  screen("/audit", () => import("./records/audit-screen.tsx"), "AuditScreen"),
  screen("/audit/$id", () => import("./records/audit-entry-screen.tsx"), "AuditEntryScreen"),
  screen("/system", () => import("./records/system-screen.tsx"), "SystemScreen"),
  screen("/targets", () => import("./targets/targets-screen.tsx"), "TargetsScreen"),
  screen("/targets/new", () => import("./targets/target-form-screen.tsx"), "NewTargetScreen"),
  screen("/targets/$id", () => import("./targets/target-screen.tsx"), "TargetScreen"),
  screen("/targets/$id/edit", () => import("./targets/target-form-screen.tsx"), "EditTargetScreen"),
  screen("/sources", () => import("./sources/sources-screen.tsx"), "SourcesScreen"),
  screen("/sources/new", () => import("./sources/source-form-screen.tsx"), "NewSourceScreen"),
  screen("/sources/$id", () => import("./sources/source-screen.tsx"), "SourceScreen"),
  screen("/sources/$id/edit", () => import("./sources/source-form-screen.tsx"), "EditSourceScreen"),
  screen("/jobs", () => import("./sources/jobs-screen.tsx"), "JobsScreen"),
  screen("/jobs/$id", () => import("./sources/job-screen.tsx"), "JobScreen"),
  screen("/keys", () => import("./setup/keys-screen.tsx"), "KeysScreen"),
  screen("/keys/$id", () => import("./setup/key-screen.tsx"), "KeyScreen"),
];

export const router = createRouter({
  routeTree: root.addChildren(routes),
  basepath: "/console",
  parseSearch,
  stringifySearch,
  defaultPreload: "intent",
  scrollRestoration: true,
});

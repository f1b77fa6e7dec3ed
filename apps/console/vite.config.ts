// Builds the console for `/console/` of the gateway. `npx vite` serves it from its sources instead, in front of the relay at
// SLUICE_API: a change is seen at once.

import { defineConfig } from "vite";

const relay = process.env["SLUICE_API"] ?? "http://127.0.0.1:8081";
const inFront = {
  target: relay,
  changeOrigin: true,
  // The relay compares Origin with its own address, before which this server stands.
  headers: { origin: new URL(relay).origin },
};

export default defineConfig({
  base: "/console/",
  oxc: { jsx: { runtime: "automatic" } },
  build: {
    // The first versions that know light-dark(): without them, the build would write it out for one theme.
    target: ["chrome123", "firefox120", "safari17.5"],
    // The content security policy allows no data: URL but pictures.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    emptyOutDir: true,
    rolldownOptions: {
      // The libraries mark what runs in a browser, where all of this runs.
      onLog: (level, log, handle) => (log.code === "MODULE_LEVEL_DIRECTIVE" ? undefined : handle(level, log)),
    },
  },
  server: {
    proxy: Object.fromEntries(
      ["/v1", "/console/session", "/console/codes", "/healthz", "/readyz", "/openapi.json", "/docs"].map((path) => [
        path,
        inFront,
      ]),
    ),
  },
});

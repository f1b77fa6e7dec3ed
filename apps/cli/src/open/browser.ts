// Opens a link in the browser of the person, where there is one.

import { spawn } from "node:child_process";

/** @returns the program that opens links, with the arguments before the link; undefined on a machine without a screen. */
export function findBrowser(
  env: NodeJS.ProcessEnv,
  platform: NodeJS.Platform,
): readonly [string, ...string[]] | undefined {
  // A link from a session over SSH is for the machine at the other end.
  if (env["SSH_CONNECTION"]) return undefined;
  if (env["BROWSER"]) return [env["BROWSER"]];
  if (platform === "darwin") return ["open"];
  if (platform === "win32") return ["rundll32", "url.dll,FileProtocolHandler"];
  return env["DISPLAY"] || env["WAYLAND_DISPLAY"] ? ["xdg-open"] : undefined;
}

/** @returns whether the program was started and has not failed at once. */
export function openLink([program, ...args]: readonly [string, ...string[]], link: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const child = spawn(program, [...args, link], { stdio: "ignore", detached: true });
  child.once("error", () => resolve(false));
  child.once("exit", (code) => resolve(code === 0));
  // A browser that was not running yet runs on as this child.
  const timer = setTimeout(() => resolve(true), STARTED_MS);
  child.unref();
  return promise.finally(() => clearTimeout(timer));
}

const STARTED_MS = 2_000;

// The program Chromium, for tests of pages.

import { findInstalled, installByApt } from "./apt.ts";

const NAMES = ["chromium", "chromium-browser", "google-chrome"];

/** The path of the program; undefined when it is not on PATH. */
export const findChromium = (): string | undefined => findInstalled(NAMES);

/** Installs it with apt, which needs root. @returns the reason when that fails; undefined on success. */
export const installChromium = (): Promise<string | undefined> => installByApt(NAMES.slice(0, 2));

// What a person likes: theme, time zone, columns. Nothing else is kept in the browser's storage.

import { useSyncExternalStore } from "react";

export interface Taste {
  theme: "system" | "light" | "dark";
  zone: "local" | "utc";
  /** By list: the columns that are not shown. */
  hiddenColumns: Record<string, string[]>;
}

const STORAGE_KEY = "sluice.taste";
const DEFAULT: Taste = { theme: "system", zone: "local", hiddenColumns: {} };

let taste = readTaste();
const listeners = new Set<() => void>();

function readTaste(): Taste {
  try {
    return { ...DEFAULT, ...(JSON.parse(localStorage.getItem(STORAGE_KEY) ?? "{}") as Partial<Taste>) };
  } catch {
    // A browser can refuse its storage, and anybody can write there.
    return DEFAULT;
  }
}

export function changeTaste(change: Partial<Taste>): void {
  taste = { ...taste, ...change };
  applyTheme();
  try {
    localStorage.setItem(STORAGE_KEY, JSON.stringify(taste));
  } catch {
    // Failure policy: open. The choice holds until the page is left.
  }
  for (const tell of listeners) tell();
}

/** Lets `light-dark()` follow the choice. */
export function applyTheme(): void {
  document.documentElement.style.colorScheme = taste.theme === "system" ? "light dark" : taste.theme;
}

export function useTaste(): Taste {
  return useSyncExternalStore(
    (tell) => {
      listeners.add(tell);
      return () => listeners.delete(tell);
    },
    () => taste,
  );
}

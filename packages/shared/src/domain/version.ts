// The version of this code, and the order of versions. A database says which versions may use it.

/** The version of package.json, which a test compares: the bundle of an app has no package.json beside it. */
export const SLUICE_VERSION = "0.1.0";

/** Whether a version such as `0.10.2` is the same as another one, or newer. False when either is no version. */
export function isAtLeast(version: string, oldest: string): boolean {
  const [own, least] = [readVersion(version), readVersion(oldest)];
  if (own === undefined || least === undefined) return false;
  const differs = own.findIndex((part, index) => part !== least[index]);
  return differs === -1 || (own[differs] ?? 0) > (least[differs] ?? 0);
}

function readVersion(text: string): number[] | undefined {
  return /^\d{1,9}\.\d{1,9}\.\d{1,9}$/.test(text) ? text.split(".").map(Number) : undefined;
}

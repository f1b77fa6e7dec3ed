// What changed between two states of a resource, field by field. Pure.

export interface FieldDifference {
  /** The way to the field: `retry.base_seconds`. */
  path: string;
  /** Undefined when the field was not there. */
  before: unknown;
  after: unknown;
  isChanged: boolean;
}

type ResourceState = Record<string, unknown> | null;

/** @returns all fields of both states in the order of the newer one, each object in its place opened. */
export function compareStates(before: ResourceState, after: ResourceState): FieldDifference[] {
  const [earlier, later] = [flatten(before), flatten(after)];
  const paths = new Set([...later.keys(), ...earlier.keys()]);
  return [...paths].map((path) => {
    const [old, now] = [earlier.get(path), later.get(path)];
    return { path, before: old, after: now, isChanged: JSON.stringify(old) !== JSON.stringify(now) };
  });
}

/** Lists of plain values stay whole: they are read as one. */
function flatten(state: ResourceState): Map<string, unknown> {
  const fields = new Map<string, unknown>();
  const add = (path: string, value: unknown): void => {
    const isOpened =
      typeof value === "object" &&
      value !== null &&
      Object.keys(value).length > 0 &&
      !(Array.isArray(value) && value.every((one) => typeof one !== "object"));
    if (!isOpened) return void fields.set(path, value);
    for (const [name, inner] of Object.entries(value)) add(path === "" ? name : `${path}.${name}`, inner);
  };
  for (const [name, value] of Object.entries(state ?? {})) add(name, value);
  return fields;
}

// The form in which api-endpoints.ts describes the endpoints of the API, for callers who choose one at run time.

export interface ApiField {
  name: string;
  /** A list has texts. A map has texts by name. An object has `fields`. */
  kind: "string" | "integer" | "number" | "boolean" | "list" | "map" | "object";
  /** The only values, of the field or of the entries of a list. */
  values?: readonly string[];
  isTime?: boolean;
  isNullable?: boolean;
  isRequired?: boolean;
  description?: string;
  fields?: readonly ApiField[];
}

export interface ApiEndpoint {
  method: string;
  path: string;
  summary: string;
  query: readonly ApiField[];
  body: readonly ApiField[];
  /** Whether `Sluice-Force` changes what a file of settings manages. */
  takesForce: boolean;
}

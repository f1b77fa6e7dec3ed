// The part of the address after `?`: plain parameters, as the API has them. A repeated parameter is a list.

export type SearchParams = Record<string, string | string[] | undefined>;

export function parseSearch(text: string): SearchParams {
  const search: SearchParams = {};
  for (const [name, value] of new URLSearchParams(text)) {
    const known = search[name];
    search[name] = known === undefined ? value : [known, value].flat();
  }
  return search;
}

export function stringifySearch(search: Record<string, unknown>): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(search)) {
    for (const one of [value].flat()) {
      if (typeof one === "string" && one !== "") params.append(name, one);
    }
  }
  // Colons and commas are legal in a query, and easier to read.
  const text = params.toString().replaceAll("%3A", ":").replaceAll("%2C", ",");
  return text === "" ? "" : `?${text}`;
}

/** The parameter as one text; the first of several. */
export const oneOf = (value: string | string[] | undefined): string => [value].flat()[0] ?? "";

/** The parameter as a list. */
export const allOf = (value: string | string[] | undefined): string[] =>
  [value].flat().filter((one) => one !== undefined);

/** Whether the parameters select anything. */
export const isEmptySearch = (search: SearchParams): boolean =>
  Object.values(search).every((value) => value === undefined || value.length === 0);

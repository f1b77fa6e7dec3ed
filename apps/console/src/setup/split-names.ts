// Names that a person types into one field.

/** Names separated by spaces, commas or lines. */
export const splitNames = (text: string): string[] => text.split(/[\s,]+/).filter((name) => name !== "");

// Estimates how large the program of a pattern is before the pattern is compiled, because compiling `(abc…){1000}` takes
// longer than the limit of the program's size is meant to allow.

/** An escape such as `\d`, `\pL`, `\p{Greek}` or `\x{1F600}`; a class; a repetition; or one character. */
const TOKEN = /\\[pPx]\{[^}]*\}|\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\{(\d+)(,(\d*))?\}|./gsu;

/** @returns at least about the number of RE2 instructions. A pattern that is not valid has some number, too. */
export function estimateProgramSize(pattern: string): number {
  /** The instructions of each open group, and of what a repetition would repeat. */
  const groups = [{ size: 0, last: 0 }];
  for (const [token, least, , most] of pattern.matchAll(TOKEN)) {
    const group = groups.at(-1) ?? { size: 0, last: 0 };
    if (token === "(") groups.push({ size: 0, last: 0 });
    else if (token === ")" && groups.length > 1) {
      groups.pop();
      const outer = groups.at(-1) ?? group;
      outer.size += outer.last;
      outer.last = group.size + group.last + 2;
    } else if (least !== undefined) group.last = (group.last + 1) * Math.max(1, Number(least), Number(most ?? 0));
    else if (token === "*" || token === "+" || token === "?") group.last += 1;
    else {
      group.size += group.last;
      group.last = 1;
    }
  }
  return groups.reduce((sum, { size, last }) => sum + size + last, 2);
}

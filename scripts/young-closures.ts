// Rewrites JavaScript for V8, which takes a function that is made for each command for one that lives as long as the
// process.

import { parseSync, Visitor } from "rolldown/utils";

/**
 * `this.reject = (error) => …` becomes `this.reject = Object((error) => …)`, which is the same function. V8 makes one that
 * is written where it is assigned to a property among the old objects of its heap, as if it were a method of a prototype,
 * and there it keeps what it refers to until the whole heap is collected: of a command to a store, its arguments and its
 * reply (docs/decisions/0020-what-is-dead-holds-nothing.md).
 *
 * @param path says by its extension what `code` is.
 * @throws Error for what is not JavaScript.
 */
export function keepClosuresYoung(path: string, code: string): string {
  const { program, errors } = parseSync(path, code);
  if (errors[0] !== undefined) throw new Error(`${path}: ${errors[0].message}`);
  const insertions: { at: number; text: string }[] = [];
  new Visitor({
    AssignmentExpression: ({ left, right }) => {
      if (left.type !== "MemberExpression") return;
      if (right.type !== "ArrowFunctionExpression" && right.type !== "FunctionExpression") return;
      insertions.push({ at: right.start, text: "Object(" }, { at: right.end, text: ")" });
    },
  }).visit(program);
  let rewritten = "";
  let copied = 0;
  for (const { at, text } of insertions.toSorted((a, b) => a.at - b.at)) {
    rewritten += code.slice(copied, at) + text;
    copied = at;
  }
  return rewritten + code.slice(copied);
}

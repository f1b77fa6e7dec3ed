// What is wrong with a filter itself, in contrast to what fails on one event.

import type { ASTNode } from "@marcbachmann/cel-js";

/** A fault in the filter itself, found while it is compiled. `offset` is in UTF-16 units. */
export class EvaluationFault extends Error {
  readonly offset: number;

  constructor(message: string, node: ASTNode, offset = node.start) {
    super(message);
    this.offset = offset;
  }
}

/** @throws EvaluationFault when the argument is not a text in quotes. `what` names the argument in the message. */
export function readQuoted(node: ASTNode | undefined, call: ASTNode, what: string): string {
  if (node?.op === "value" && typeof node.args === "string") return node.args;
  throw new EvaluationFault(`${what} as a string in quotes`, node ?? call);
}

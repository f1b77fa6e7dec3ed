// Parses JSON and refuses text that two readers could read differently. When a name comes twice, JSON.parse takes the
// last member and another reader the first. A double stores 9007199254740993 as ...992, and another reader keeps it
// exact. A token that says two things is an attack (RFC 8725, 2.8; RFC 7519, 4; RFC 8259, 6).

import { isExactNumber } from "@sluice/shared/domain/exact-json";

/** So many characters of a number stand in the message. */
const MAX_SHOWN = 40;
/** Levels of nesting. An event has three. Code that compares values is recursive, and some thousand levels end the stack. */
const MAX_DEPTH = 256;

/** JSON that two readers could read differently. The message may quote a number, and nothing else of the text. */
export class AmbiguousJson extends SyntaxError {}

/**
 * @throws SyntaxError when the text is not JSON. AmbiguousJson when an object has a member twice, a double cannot store a
 * number exactly, or the nesting is too deep.
 */
export function parseStrictJson(text: string): unknown {
  const value: unknown = JSON.parse(text);
  refuseAmbiguity(text);
  return value;
}

/**
 * Walks through text that is known to be JSON.
 * @throws AmbiguousJson at the first ambiguity.
 */
function refuseAmbiguity(text: string): void {
  // Strings, punctuation and numbers. The literals true, false and null are never ambiguous.
  const tokens = text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\],:]|-?[0-9][0-9.eE+-]*/g);
  /** The member names of each open object. Undefined for an open array. */
  const open: (Set<string> | undefined)[] = [];
  let lastString = '""';
  for (const [token] of tokens) {
    if (open.length > MAX_DEPTH) throw new AmbiguousJson(`the nesting is deeper than ${MAX_DEPTH} levels`);
    switch (token) {
      case "{":
        open.push(new Set());
        break;
      case "[":
        open.push(undefined);
        break;
      case "}":
      case "]":
        open.pop();
        break;
      case ":": {
        const names = open.at(-1);
        const name = String(JSON.parse(lastString));
        if (names?.has(name)) throw new AmbiguousJson("an object has a member twice");
        names?.add(name);
        break;
      }
      case ",":
        break;
      default:
        if (token.startsWith('"')) lastString = token;
        else if (!isExactNumber(token))
          throw new AmbiguousJson(`a double cannot store the number ${token.slice(0, MAX_SHOWN)}`);
    }
  }
}

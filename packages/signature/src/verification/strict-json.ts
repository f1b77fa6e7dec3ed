// JSON without ambiguity: what two readers could read differently is refused. JSON.parse takes the last of two
// members of one name and another reader the first; a double holds 9007199254740993 as ...992 and another reader
// as it is. A token that says two things is an attack (RFC 8725, 2.8; RFC 7519, 4; RFC 8259, 6).

/** Levels. Comparing is recursive and would end the stack at some thousands; an event has three. */
const MAX_DEPTH = 256;

/**
 * @throws SyntaxError when the text is not JSON, an object has a member twice, a number is not held as it is
 * written, or it is nested too deep.
 */
export function parseStrictJson(text: string): unknown {
  const value: unknown = JSON.parse(text);
  refuseAmbiguity(text);
  return value;
}

/** Walks text that is known to be JSON; keeps the names of the objects that are open. */
function refuseAmbiguity(text: string): void {
  // Strings, the marks that open and close, and numbers; literals pass.
  const tokens = text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\],:]|-?[0-9][0-9.eE+-]*/g);
  const open: (Set<string> | undefined)[] = [];
  let lastString = '""';
  for (const [token] of tokens) {
    if (open.length > MAX_DEPTH) throw new SyntaxError("nested too deep");
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
        if (names?.has(name)) throw new SyntaxError("a member comes twice");
        names?.add(name);
        break;
      }
      case ",":
        break;
      default:
        if (token.startsWith('"')) lastString = token;
        else if (!isExact(token)) throw new SyntaxError("a number is not held as it is written");
    }
  }
}

/** Two numbers of at most this many digits are two doubles. */
const EXACT_DIGITS = 15;
/** Below it doubles are sparse. */
const MIN_NORMAL = 2 ** -1022;

/** Whether no other number is read as the same double, but for other spellings of this one. */
function isExact(token: string): boolean {
  const value = Number(token);
  if (String(value) === token) return true;
  const digits = token
    .replace(/[eE].*$/, "")
    .replace(/[-.]/g, "")
    .replace(/^0+|0+$/g, "");
  if (digits === "") return true;
  return digits.length <= EXACT_DIGITS && Number.isFinite(value) && Math.abs(value) >= MIN_NORMAL;
}

// A webhook as somebody captured it: a whole HTTP/1.1 request in a file, or its headers and its body apart. The body stays as its
// bytes are, because a signature covers bytes.

import { SluiceError } from "@sluice/shared/runtime/errors";

export interface CapturedWebhook {
  /** The path of the request line; undefined when only headers and a body are given. */
  path: string | undefined;
  /** By names in lower case. A header that came several times is one list (RFC 9110, 5.3). */
  headers: Record<string, string>;
  body: Buffer;
}

const REQUEST_LINE = /^[A-Z]+ (\S+) HTTP\/\d(?:\.\d)?$/;

/**
 * Reads a request as a proxy, `nc` or tcpdump shows it: a request line, which may be missing, headers, an empty line, and the
 * body. What follows after `content-length` bytes is left out.
 * @throws SluiceError `invalid_request` that names the line.
 */
export function parseCapturedRequest(bytes: Buffer): CapturedWebhook {
  const { head, body } = splitRequest(bytes);
  const lines = head.split(/\r?\n/);
  const [, path] = REQUEST_LINE.exec(lines[0] ?? "") ?? [];
  const headers = parseHeaders(path === undefined ? lines : lines.slice(1), path === undefined ? 1 : 2);
  return { path, headers, body: readBody(body, headers) };
}

/** @param firstNumber the number of the first line, for the message of a fault. */
export function parseHeaders(lines: readonly string[], firstNumber = 1): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [index, line] of lines.entries()) {
    const [, name, value] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):\s*(.*?)\s*$/.exec(line) ?? [];
    if (name === undefined || value === undefined) {
      throw new SluiceError("invalid_request", `Line ${firstNumber + index} is no header such as "webhook-id: msg_1"`);
    }
    const key = name.toLowerCase();
    headers[key] = headers[key] === undefined ? value : `${headers[key]}, ${value}`;
  }
  return headers;
}

function splitRequest(bytes: Buffer): { head: string; body: Buffer } {
  const ends = ["\r\n\r\n", "\n\n"].map((mark) => ({ at: bytes.indexOf(mark), length: mark.length }));
  const [end] = ends.filter(({ at }) => at !== -1).toSorted((one, other) => one.at - other.at);
  if (end === undefined) return { head: bytes.toString("latin1").replace(/\r?\n$/, ""), body: Buffer.alloc(0) };
  return { head: bytes.subarray(0, end.at).toString("latin1"), body: bytes.subarray(end.at + end.length) };
}

function readBody(bytes: Buffer, headers: Record<string, string>): Buffer {
  if (/\bchunked\b/i.test(headers["transfer-encoding"] ?? "")) return joinCapturedChunks(bytes);
  const length = headers["content-length"];
  return length === undefined || !/^\d+$/.test(length) ? bytes : bytes.subarray(0, Number(length));
}

/** RFC 9112, 7.1. A captured request may lack its last chunks: what is there is the body. */
function joinCapturedChunks(bytes: Buffer): Buffer {
  const chunks: Buffer[] = [];
  for (let at = 0; ;) {
    const end = bytes.indexOf("\r\n", at);
    const [, digits] =
      /^([0-9A-Fa-f]{1,8})\s*(?:;.*)?$/.exec(bytes.subarray(at, Math.max(at, end)).toString("latin1")) ?? [];
    if (digits === undefined) {
      throw new SluiceError(
        "invalid_request",
        `The body is said to be chunked, and has no size of a chunk at byte ${at}`,
      );
    }
    const size = Number.parseInt(digits, 16);
    const from = end + 2;
    chunks.push(bytes.subarray(from, from + size));
    at = from + size + 2;
    if (size === 0 || at >= bytes.length) return Buffer.concat(chunks);
  }
}

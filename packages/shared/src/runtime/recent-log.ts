// The latest warnings and errors of a process, in memory, for people who have no access to its log. They are the lines that the
// log has anyway, so that they hold no body, no secret and no signature.

const MAX_LINES = 200;
/** A longer line, such as one with a deep stack, is kept without its fields. */
const MAX_LINE_LENGTH = 8 * 1024;
/** pino writes the level first. */
const KEPT = /^\{"level":"(?:warn|error|fatal)"/;

type KeptLevel = "warn" | "error" | "fatal";

export interface KeptLogLine {
  /** RFC 3339. */
  time: string;
  level: KeptLevel;
  message: string;
  fields: Record<string, unknown>;
}

export class RecentLog {
  readonly #lines: string[] = [];

  /** Keeps a line of JSON if it is a warning or an error. @returns the line, for the log. */
  note(line: string): string {
    if (KEPT.test(line)) {
      this.#lines.push(line.length > MAX_LINE_LENGTH ? withoutFields(line) : line);
      if (this.#lines.length > MAX_LINES) this.#lines.shift();
    }
    return line;
  }

  /** @returns the lines, oldest first. */
  read(): KeptLogLine[] {
    return this.#lines.map(parseLine);
  }
}

function parseLine(line: string): KeptLogLine {
  const { time, level, msg, app: _app, ...fields } = JSON.parse(line) as Record<string, unknown>;
  return { time: String(time), level: level as KeptLevel, message: typeof msg === "string" ? msg : "", fields };
}

function withoutFields(line: string): string {
  const { level, time, message } = parseLine(line);
  return JSON.stringify({ level, time, msg: message.slice(0, MAX_LINE_LENGTH), is_cut: true });
}

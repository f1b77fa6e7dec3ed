// When a failed delivery is tried again: exponential backoff with full jitter, and `Retry-After`.

export interface BackoffSettings {
  baseSeconds: number;
  capSeconds: number;
}

/**
 * Milliseconds to the next attempt: evenly spread between the base and base·2^failures, at most the cap. Full
 * jitter, because deliveries that failed together (a target went down) must not come back together; not under
 * the base, because a target that failed just now needs a moment.
 * @param failures how many attempts have failed, 1 or more.
 * @param random from [0, 1).
 */
export function backoffMs(failures: number, { baseSeconds, capSeconds }: BackoffSettings, random: number): number {
  const ceiling = Math.min(capSeconds, baseSeconds * 2 ** Math.min(failures, 60));
  const floor = Math.min(baseSeconds, ceiling);
  return Math.round((floor + random * (ceiling - floor)) * 1000);
}

/**
 * `Retry-After` (RFC 9110, 10.2.3) in milliseconds from now: whole seconds or an HTTP date; undefined when it is
 * neither. A date that is past is 0.
 */
export function readRetryAfter(value: string | undefined, nowMs: number): number | undefined {
  if (value === undefined) return undefined;
  const text = value.trim();
  if (/^[0-9]{1,10}$/.test(text)) return Number(text) * 1000;
  const atMs = readHttpDate(text, nowMs);
  return atMs === undefined ? undefined : Math.max(0, atMs - nowMs);
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const TIME = "(?<hour>[01][0-9]|2[0-3]):(?<minute>[0-5][0-9]):(?<second>[0-5][0-9]|60)";
const MONTH = `(?<month>${MONTHS.join("|")})`;
/** All three are in GMT, also the last, which does not say so: RFC 9110, 5.6.7. */
const HTTP_DATES = [
  `(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), (?<day>[0-9]{2}) ${MONTH} (?<year>[0-9]{4}) ${TIME} GMT`,
  `(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, (?<day>[0-9]{2})-${MONTH}-(?<year>[0-9]{2}) ${TIME} GMT`,
  `(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) ${MONTH} (?<day>[0-9]{2}| [0-9]) ${TIME} (?<year>[0-9]{4})`,
].map((pattern) => new RegExp(`^${pattern}$`));

/** Not by Date.parse, which reads the third form in the machine's own time zone, and much that is no date. */
function readHttpDate(text: string, nowMs: number): number | undefined {
  const found = HTTP_DATES.map((form) => form.exec(text)?.groups).find((groups) => groups !== undefined);
  if (found === undefined) return undefined;
  const [day, hour, minute, second] = [found["day"], found["hour"], found["minute"], found["second"]].map(Number);
  const month = MONTHS.indexOf(found["month"] ?? "");
  const date = new Date(Date.UTC(fullYear(found["year"] ?? "", nowMs), month, day, hour, minute, second));
  // The 31st of February.
  return date.getUTCMonth() === month || second === 60 ? date.getTime() : undefined;
}

/** Two digits are of this century, unless that is more than 50 years ahead: RFC 9110, 5.6.7. */
function fullYear(digits: string, nowMs: number): number {
  if (digits.length === 4) return Number(digits);
  const thisYear = new Date(nowMs).getUTCFullYear();
  const year = thisYear - (thisYear % 100) + Number(digits);
  return year > thisYear + 50 ? year - 100 : year;
}

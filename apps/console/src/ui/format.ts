// Numbers, sizes, durations and times as people read them.

const NUMBER = new Intl.NumberFormat("en");

export const formatCount = (count: number): string => NUMBER.format(count);

export const plural = (count: number, one: string, many = `${one}s`): string =>
  `${formatCount(count)} ${count === 1 ? one : many}`;

export function formatBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  const units = ["KiB", "MiB", "GiB", "TiB"];
  let value = bytes;
  let unit = "B";
  for (const next of units) {
    if (value < 1024) break;
    value /= 1024;
    unit = next;
  }
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${unit}`;
}

export function formatMs(ms: number): string {
  if (ms < 1) return "< 1 ms";
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 10_000) return `${Number((ms / 1_000).toFixed(2))} s`;
  return formatDuration(ms);
}

/** The two largest units: `2 h 5 min`. */
export function formatDuration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1_000));
  const parts = [
    [Math.floor(seconds / 86_400), "d"],
    [Math.floor(seconds / 3_600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "min"],
    [seconds % 60, "s"],
  ] as const;
  const first = parts.findIndex(([count]) => count > 0);
  if (first === -1) return "0 s";
  return parts
    .slice(first, first + 2)
    .filter(([count]) => count > 0)
    .map(([count, unit]) => `${count} ${unit}`)
    .join(" ");
}

/** A setting, which may be a fraction of a second. */
export const formatSeconds = (seconds: number): string =>
  seconds < 1 ? `${seconds} s` : formatDuration(seconds * 1_000);

const formats = new Map<string, Intl.DateTimeFormat>();

function formatterOf(zone: "local" | "utc", options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `${zone}${JSON.stringify(options)}`;
  let format = formats.get(key);
  if (format === undefined) {
    format = new Intl.DateTimeFormat("en-GB", {
      ...options,
      hour12: false,
      ...(zone === "utc" && { timeZone: "UTC" }),
    });
    formats.set(key, format);
  }
  return format;
}

const CLOCK = { hour: "2-digit", minute: "2-digit", second: "2-digit" } as const;
const DAY = { day: "numeric", month: "short" } as const;

/** A time with its day, and the year when it is not this one: `29 Nov 14:02:07`. */
export function formatTime(at: string | number, zone: "local" | "utc", nowMs: number): string {
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return String(at);
  const isThisYear = date.getUTCFullYear() === new Date(nowMs).getUTCFullYear();
  const day = formatterOf(zone, isThisYear ? DAY : { ...DAY, year: "numeric" }).format(date);
  return `${day} ${formatterOf(zone, CLOCK).format(date)}`;
}

/** What `formatTime` leaves out: `.250`. */
export const formatMillis = (at: string): string => new Date(at).toISOString().slice(19, 23);

/** The clock alone: `14:02:07`. */
export const formatClock = (at: string, zone: "local" | "utc"): string => formatterOf(zone, CLOCK).format(new Date(at));

/** `3 min ago`, `in 20 s`. */
export function formatAgo(atMs: number, nowMs: number): string {
  const ms = atMs - nowMs;
  if (Math.abs(ms) < 1_500) return "now";
  const [largest = ""] = formatDuration(Math.abs(ms)).split(/(?<=[a-z]) /);
  return ms < 0 ? `${largest} ago` : `in ${largest}`;
}

const twoDigits = (value: number) => String(Math.floor(Math.abs(value))).padStart(2, "0");

/** The zone of the browser as people know it: `Europe/Berlin, UTC+01:00`. */
export function zoneName(at = new Date()): string {
  const { timeZone } = new Intl.DateTimeFormat().resolvedOptions();
  const minutes = -at.getTimezoneOffset();
  if (minutes === 0) return timeZone === "UTC" ? "UTC" : `${timeZone}, UTC`;
  return `${timeZone}, UTC${minutes < 0 ? "−" : "+"}${twoDigits(minutes / 60)}:${twoDigits(minutes % 60)}`;
}

/** A place on the axis of a chart: the day over days, else hours and minutes. */
export const formatTick = (atMs: number, zone: "local" | "utc", isDay: boolean): string =>
  formatterOf(zone, isDay ? DAY : { hour: "2-digit", minute: "2-digit" }).format(atMs);

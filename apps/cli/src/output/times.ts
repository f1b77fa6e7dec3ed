// Times: people see those of their own clock, and machines get them as the API has them.

const TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?Z$/;
const UNITS_MS: Record<string, number> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };
const two = (value: number) => String(value).padStart(2, "0");

/** Whether the API means a time by a text. */
export function isApiTime(text: string): boolean {
  return TIME.test(text);
}

/** `2026-11-30 16:08:12` on the clock of this machine. */
export function localTime(text: string): string {
  const time = new Date(text);
  const date = [time.getFullYear(), two(time.getMonth() + 1), two(time.getDate())].join("-");
  return `${date} ${[time.getHours(), time.getMinutes(), time.getSeconds()].map(two).join(":")}`;
}

/** `90s`, `15m`, `1h`, `7d`, `2w` in milliseconds; undefined for another text. */
export function readDuration(text: string): number | undefined {
  const [, amount, unit = ""] = /^(\d+(?:\.\d+)?)([smhdw])$/.exec(text) ?? [];
  return amount === undefined ? undefined : Number(amount) * (UNITS_MS[unit] ?? 0);
}

const STEPS = [
  ["d", 86_400],
  ["h", 3_600],
  ["min", 60],
  ["s", 1],
] as const;

/** A duration in its two largest units, such as `3 d 4 h`. */
export function durationText(seconds: number): string {
  let left = Math.max(0, Math.round(seconds));
  const parts = STEPS.flatMap(([unit, size]) => {
    const amount = Math.floor(left / size);
    left -= amount * size;
    return amount > 0 ? [`${amount} ${unit}`] : [];
  });
  return parts.slice(0, 2).join(" ") || "0 s";
}

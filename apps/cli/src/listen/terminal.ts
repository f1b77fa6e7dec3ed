// A terminal that shows one picture and reads keys. It takes the other screen of the terminal and gives the first one back at the
// end, so that nothing of what was there is lost.

import { emitKeypressEvents } from "node:readline";
import type { ReadStream, WriteStream } from "node:tty";

import type { Painter } from "../output/style.ts";
import type { Line } from "./live-list.ts";

const ENTER_SCREEN = "\u001B[?1049h\u001B[?25l";
const LEAVE_SCREEN = "\u001B[?25h\u001B[?1049l";
const HOME = "\u001B[H";
const CLEAR_LINE_END = "\u001B[K";
const CLEAR_SCREEN_END = "\u001B[J";
/** Many events at once make one picture. */
const DRAW_AFTER_MS = 30;

const STYLES = {
  head: "bold",
  plain: undefined,
  selected: "inverse",
  good: "green",
  bad: "red",
  faint: "gray",
} as const;

export interface TerminalOptions {
  stdin: ReadStream;
  stdout: WriteStream;
  paint: Painter;
  draw: (width: number, height: number) => Line[];
  /** @param key as node:readline names it, such as "up", "return", "q" or "ctrl+c". */
  onKey: (key: string) => void;
}

export class Terminal {
  readonly #options: TerminalOptions;
  #timer: NodeJS.Timeout | undefined;
  readonly #redraw = () => this.draw();
  readonly #onKeypress = (_text: string | undefined, key: { name?: string; sequence?: string; ctrl?: boolean }) => {
    const name = key.name ?? key.sequence ?? "";
    this.#options.onKey(key.ctrl === true ? `ctrl+${name}` : name);
  };

  constructor(options: TerminalOptions) {
    this.#options = options;
  }

  get size(): { width: number; height: number } {
    const { columns: width, rows: height } = this.#options.stdout;
    return { width, height };
  }

  open(): void {
    const { stdin, stdout } = this.#options;
    emitKeypressEvents(stdin);
    stdin.setRawMode(true);
    stdin.on("keypress", this.#onKeypress);
    stdin.resume();
    stdout.write(ENTER_SCREEN);
    stdout.on("resize", this.#redraw);
    this.#paint();
  }

  /** Shows the picture as it is soon. */
  draw(): void {
    this.#timer ??= setTimeout(() => this.#paint(), DRAW_AFTER_MS);
  }

  close(): void {
    const { stdin, stdout } = this.#options;
    clearTimeout(this.#timer);
    stdout.off("resize", this.#redraw);
    stdin.off("keypress", this.#onKeypress);
    stdin.setRawMode(false);
    stdin.pause();
    stdout.write(LEAVE_SCREEN);
  }

  #paint(): void {
    this.#timer = undefined;
    const { stdout, draw } = this.#options;
    const lines = draw(stdout.columns, stdout.rows).map((line) => this.#styled(line) + CLEAR_LINE_END);
    stdout.write(HOME + lines.join("\r\n") + CLEAR_SCREEN_END);
  }

  #styled({ text, style }: Line): string {
    return this.#options.paint(STYLES[style], text);
  }
}

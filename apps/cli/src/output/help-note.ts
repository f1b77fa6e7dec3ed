// What the help of a command says below its options, as wide as the terminal: commander wraps everything but this.

import type { AddHelpTextContext } from "commander";

import { wrapText } from "./text.ts";

const COMMON_WIDTH = 80;

/** For `addHelpText("after", …)`. */
export const helpNote =
  (note: string) =>
  ({ command, error }: AddHelpTextContext): string => {
    const output = command.configureOutput();
    const width = (error ? output.getErrHelpWidth?.() : output.getOutHelpWidth?.()) ?? COMMON_WIDTH;
    return `\n${wrapText(note, width).join("\n")}`;
  };

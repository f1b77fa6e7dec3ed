// CEL's macros over lists and over the keys of maps: `all`, `exists`, `exists_one`, `filter` and `map`.

import type { ASTNode } from "@marcbachmann/cel-js";

import { type Compile, decide, type EvaluationStep, type Frame, type Names, toBool } from "./step.ts";
import { EvaluationFault, isMap, keysOf, typeName } from "./values.ts";

/** One argument of a macro after its variable, as a function of the item. */
type ItemStep = (item: unknown) => unknown;
type Macro = (items: readonly unknown[], body: readonly ItemStep[], frame: Frame) => unknown;

const MACROS: Readonly<Record<string, Macro>> = {
  all: (items, [test], frame) => decide(items, false, (item) => toBool(test?.(item), frame.meter)),
  exists: (items, [test], frame) => decide(items, true, (item) => toBool(test?.(item), frame.meter)),
  exists_one: (items, [test], frame) => items.filter((item) => toBool(test?.(item), frame.meter)).length === 1,
  filter: (items, [test], frame) => items.filter((item) => toBool(test?.(item), frame.meter)),
  map: (items, [first, second], frame) =>
    second === undefined
      ? items.map((item) => first?.(item))
      : items.filter((item) => toBool(first?.(item), frame.meter)).map(second),
};

export const isMacro = (name: string): boolean => Object.hasOwn(MACROS, name);

/** @throws EvaluationFault when the variable is not a name, or the name is in use. */
export function compileMacro(compile: Compile, node: ASTNode & { op: "rcall" }, names: Names): EvaluationStep {
  const [name, receiver, [variable, ...body]] = node.args;
  const macro = MACROS[name];
  if (macro === undefined || variable?.op !== "id" || body.length === 0) {
    throw new EvaluationFault(`${name}() takes the name of a variable and an expression`, node);
  }
  if (names.has(variable.args)) throw new EvaluationFault(`the name ${variable.args} is already in use`, variable);
  const range = compile(receiver, names);
  const slot = names.size;
  const inner = new Map(names).set(variable.args, slot);
  const steps = body.map((step) => compile(step, inner));
  return (frame) => {
    const container = range(frame);
    if (!Array.isArray(container) && !isMap(container)) {
      throw frame.meter.fail(`${name}() needs a list or a map and got a ${typeName(container)}`);
    }
    const items: readonly unknown[] = Array.isArray(container) ? container : keysOf(container, frame.meter);
    const itemSteps = steps.map((step) => (item: unknown) => {
      frame.slots[slot] = item;
      return step(frame);
    });
    return macro(items, itemSteps, frame);
  };
}

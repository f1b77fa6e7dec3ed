// Which of the first steps are done. Pure.

import type { Schemas } from "@sluice/client/client";

export interface FirstRunState {
  sources: readonly Schemas["Source"][];
  targets: readonly Schemas["Target"][];
  /** The newest event of each source that has any. */
  newestEvents: readonly Pick<Schemas["Event"], "source" | "scheme">[];
  /** Whether a target of the operator took a delivery, such as a test. */
  hasDelivered: boolean;
}

interface FirstSteps {
  hasSecret: boolean;
  hasTarget: boolean;
  hasDelivered: boolean;
  hasEvent: boolean;
  isComplete: boolean;
  ownTargets: readonly Schemas["Target"][];
}

/** `npm start` and `npm run demo` make a source and a target of this name. They are examples, and tick nothing off. */
const DEMO_NAME = "sluice-demo";
/** How Gemini proves an event. Events that were sent through the API prove nothing about the webhook. */
const GEMINI_SCHEMES: readonly string[] = ["v1", "v1a", "jwt"];

/** The targets that the operator made. */
export const targetsOfOperator = (targets: FirstRunState["targets"]) =>
  targets.filter(({ name }) => name !== DEMO_NAME);

export function findDone({ sources, targets, newestEvents, hasDelivered }: FirstRunState): FirstSteps {
  const own = sources.filter(({ name }) => name !== DEMO_NAME);
  const ownTargets = targetsOfOperator(targets);
  const steps = {
    hasSecret: own.some(
      ({ signing_secrets, public_keys, name }) => name !== "api" && signing_secrets.length + public_keys.length > 0,
    ),
    hasTarget: ownTargets.length > 0,
    hasDelivered: ownTargets.length > 0 && hasDelivered,
    hasEvent: newestEvents.some(
      ({ source, scheme }) => own.some(({ id }) => id === source) && GEMINI_SCHEMES.includes(scheme),
    ),
  };
  // An event that was verified needed a key, whichever way the source came to it.
  const hasSecret = steps.hasSecret || steps.hasEvent;
  return {
    ...steps,
    hasSecret,
    isComplete: hasSecret && steps.hasTarget && steps.hasDelivered && steps.hasEvent,
    ownTargets,
  };
}

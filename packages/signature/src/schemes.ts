// The signature schemes of Gemini, by the kind of webhook. A static source never accepts a scheme of dynamic webhooks, and
// a dynamic source never accepts a scheme of static webhooks: a key for one kind proves nothing about the other.

export const SCHEMES_OF = {
  static: ["v1"],
  dynamic: ["v1a", "jwt"],
} as const;

export type Scheme = (typeof SCHEMES_OF)[keyof typeof SCHEMES_OF][number];

/** What a dynamic source does with a JWT that does not prove the body: refuse the request, or mark the event. */
export type BodyUnboundPolicy = "reject" | "mark";

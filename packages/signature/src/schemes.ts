// The schemes of signatures that Gemini uses, and which kind of webhook each belongs to. A static source never
// accepts a scheme of dynamic webhooks, and the reverse: a key of one proves nothing about the other.

export const SCHEMES_OF = {
  static: ["v1"],
  dynamic: ["v1a", "jwt"],
} as const;

export type Scheme = (typeof SCHEMES_OF)[keyof typeof SCHEMES_OF][number];

/** What a dynamic source does with a JWT that says nothing about the body: refuse it, or take the event and mark it. */
export type BodyUnboundPolicy = "reject" | "mark";

-- The webhook that a source has at Gemini: how it was last seen there, what differs, and what is under way. One process at a
-- time works on a row (`claimed_by`, `claimed_until`).
CREATE TABLE upstreams (
  source_id uuid PRIMARY KEY REFERENCES sources ON DELETE CASCADE,
  -- Null until the first registration has succeeded.
  webhook_id text,
  -- What was registered: what is seen at Gemini is compared with it.
  uri text NOT NULL,
  subscribed_events text[] NOT NULL DEFAULT '{}',
  -- As Gemini answered last: {state, uri, subscribed_events, secrets: [{truncated, expire_time}]}.
  seen jsonb,
  checked_at timestamptz,
  -- Why the last try failed: {code, detail, since}.
  problem jsonb,
  -- [{code, detail}]
  drift jsonb NOT NULL DEFAULT '[]',
  -- What was begun and not finished: {kind, step, began_at, failures, ...}. It is committed before Gemini is asked.
  intent jsonb,
  next_check_at timestamptz,
  claimed_by uuid,
  claimed_until timestamptz,
  rotate_every_days integer,
  next_rotation_at timestamptz,
  heal text NOT NULL DEFAULT 'off',
  -- When the relay enabled the webhook again by itself in the last 24 hours.
  healed_at timestamptz[] NOT NULL DEFAULT '{}',
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
--> statement-breakpoint
CREATE INDEX upstreams_due ON upstreams (next_check_at);

-- Keys as an operator manages them, who changed what, and the answers that an Idempotency-Key gets again.

ALTER TABLE api_keys
  -- How a person recognises it. Of a key that was made before this column, only the hash is known.
  ADD COLUMN truncated text NOT NULL DEFAULT 'sluice_...',
  -- Written once a minute at most.
  ADD COLUMN last_used_at timestamptz;
--> statement-breakpoint
-- One row for each change, written by the transaction that made it. Not partitioned: people and scripts make these, and
-- they are kept for long.
CREATE TABLE audit (
  id uuid PRIMARY KEY,
  -- Null for the key of the environment.
  key_id uuid,
  -- As it was called then.
  key_name text NOT NULL,
  remote_address text,
  request_id text NOT NULL,
  action text NOT NULL,
  resource_type text NOT NULL,
  -- As the API shows it, with its prefix.
  resource_id text NOT NULL,
  -- As the API showed it, and so without secrets; null where there was nothing.
  before jsonb,
  after jsonb
);
--> statement-breakpoint
CREATE INDEX audit_resource ON audit (resource_id, id);
--> statement-breakpoint
CREATE INDEX audit_key ON audit (key_id, id);
--> statement-breakpoint
CREATE INDEX audit_action ON audit (action, id);
--> statement-breakpoint
-- What a POST with an Idempotency-Key is answered with when it comes again.
CREATE TABLE idempotency_keys (
  -- The API key; the nil UUID for that of the environment.
  caller uuid NOT NULL,
  -- SHA-256 of the Idempotency-Key.
  key_hash bytea NOT NULL,
  -- SHA-256 of method, path and body.
  fingerprint bytea NOT NULL,
  -- Of the request that works on it: one that was taken for dead no longer finds it, and changes nothing.
  claim uuid NOT NULL,
  claimed_until timestamptz NOT NULL,
  -- Set by the transaction that makes the change.
  took_effect boolean NOT NULL DEFAULT false,
  -- Encrypted: it may hold a secret that is shown once. Null until the request is answered.
  answer bytea,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (caller, key_hash),
  UNIQUE (claim)
);
--> statement-breakpoint
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);

-- What is done to many deliveries at once, and how far it is.

CREATE TABLE operations (
  id uuid PRIMARY KEY,
  kind text NOT NULL,
  state text NOT NULL DEFAULT 'running',
  -- The filter as the API shows it, and as the store takes it.
  given jsonb NOT NULL,
  filter jsonb NOT NULL,
  -- What matches is counted first; until then `total` is how many are counted.
  is_counted boolean NOT NULL DEFAULT false,
  total integer NOT NULL DEFAULT 0,
  done integer NOT NULL DEFAULT 0,
  failed integer NOT NULL DEFAULT 0,
  -- The last id that the walk through the log has passed.
  cursor uuid,
  next_step_at timestamptz NOT NULL DEFAULT now(),
  -- Of steps, in a row.
  failures integer NOT NULL DEFAULT 0,
  error text,
  -- Null for the key of the environment.
  key_id uuid,
  key_name text NOT NULL,
  finished_at timestamptz
);
--> statement-breakpoint
CREATE INDEX operations_running ON operations (next_step_at) WHERE state = 'running';

-- What the relay has told its operators, so that each change is told once, by whichever worker.
CREATE TABLE told (
  type text NOT NULL,
  -- The UUID of what the event is about, or a name of it.
  subject text NOT NULL,
  told_at timestamptz NOT NULL,
  -- Whether listeners believe that it lasts: nothing has ended it since.
  is_open boolean NOT NULL,
  -- When it began, as far as that is known.
  since timestamptz,
  PRIMARY KEY (type, subject)
);
--> statement-breakpoint
-- Deliveries that were given up and are not told yet.
CREATE TABLE untold_exhausted (
  target_id uuid PRIMARY KEY,
  deliveries integer NOT NULL,
  since timestamptz NOT NULL,
  sample_ids uuid[] NOT NULL
);
--> statement-breakpoint
-- One row, whose lock lets one worker look at a time.
CREATE TABLE telling (
  singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
  looked_at timestamptz NOT NULL DEFAULT now(),
  -- The part of the journal of which exhausted deliveries are gathered.
  journal pg_snapshot NOT NULL,
  -- When the newest of the set-aside events that were told had failed, by store, in milliseconds since 1970.
  set_aside jsonb NOT NULL DEFAULT '{}'
);
--> statement-breakpoint
INSERT INTO telling (journal) VALUES (pg_current_snapshot());
--> statement-breakpoint
-- What the processes of the relay lack, as their own readiness says. A process without problems has no row.
CREATE TABLE process_problems (
  process_id uuid NOT NULL,
  app text NOT NULL,
  name text NOT NULL,
  problem text NOT NULL,
  since timestamptz NOT NULL DEFAULT now(),
  seen_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (process_id, name)
);
--> statement-breakpoint
-- The few targets that the relay itself disabled.
CREATE INDEX targets_disabled_by_relay ON targets (id) WHERE state_reason IS NOT NULL;
--> statement-breakpoint
ALTER TABLE sources ADD COLUMN expect_every_seconds integer;

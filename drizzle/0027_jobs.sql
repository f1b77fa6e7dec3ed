-- Jobs at Gemini, so that none is missed when its webhook does not come. How far and how often a source is reconciled:
CREATE TABLE reconciliations (
  source_id uuid PRIMARY KEY REFERENCES sources ON DELETE CASCADE,
  enabled boolean NOT NULL,
  every_seconds integer NOT NULL,
  grace_seconds integer NOT NULL,
  lookback_hours integer NOT NULL
);
--> statement-breakpoint
-- What is known of each job. `job_id` is the last part of the name, as payloads have it.
CREATE TABLE jobs (
  id uuid PRIMARY KEY,
  source_id uuid NOT NULL REFERENCES sources ON DELETE CASCADE,
  kind text NOT NULL,
  name text,
  job_id text,
  status text NOT NULL DEFAULT 'waiting',
  state text,
  labels jsonb,
  started_at timestamptz,
  expected_at timestamptz NOT NULL,
  ended_at timestamptz,
  end_data jsonb,
  event_id uuid,
  problem text,
  checked_at timestamptz,
  next_check_at timestamptz,
  UNIQUE (source_id, kind, name)
);
--> statement-breakpoint
CREATE INDEX jobs_open ON jobs (source_id, next_check_at) WHERE status IN ('waiting', 'overdue');
--> statement-breakpoint
CREATE INDEX jobs_status ON jobs (status, id);
--> statement-breakpoint
-- The sources whose events are entered in `job_ends`: those that are reconciled, and those that share their keys.
CREATE TABLE job_sources (
  source_id uuid PRIMARY KEY REFERENCES sources ON DELETE CASCADE,
  key_id text NOT NULL,
  since timestamptz NOT NULL DEFAULT now(),
  wanted_at timestamptz NOT NULL DEFAULT now()
);
--> statement-breakpoint
-- The event that told of the end of a job. The primary key decides between a late webhook and the event that the relay makes
-- in its place.
CREATE TABLE job_ends (
  source_id uuid NOT NULL,
  job_id text NOT NULL,
  type text NOT NULL,
  event_id uuid NOT NULL,
  is_reconciled boolean NOT NULL DEFAULT false,
  PRIMARY KEY (source_id, job_id, type)
);
--> statement-breakpoint
CREATE INDEX job_ends_event ON job_ends (event_id);
--> statement-breakpoint
-- One row for each key of the Gemini API: one worker at a time reads the jobs of a key.
CREATE TABLE job_readers (
  key_id text PRIMARY KEY,
  next_turn_at timestamptz NOT NULL DEFAULT now(),
  claimed_by uuid,
  claimed_until timestamptz,
  next_list_at timestamptz NOT NULL DEFAULT now(),
  next_full_list_at timestamptz NOT NULL DEFAULT now(),
  list_since timestamptz,
  page_token text,
  paused_until timestamptz,
  failures integer NOT NULL DEFAULT 0,
  problem text,
  listed_at timestamptz
);

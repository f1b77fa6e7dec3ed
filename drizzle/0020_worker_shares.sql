-- Limits per target for all workers together: who is alive, and by which group of workers each of them divides a limit.
CREATE TABLE workers (
  id uuid PRIMARY KEY,
  seen_at timestamptz NOT NULL DEFAULT now(),
  -- Grows with every sign of life. Another worker sees by its own clock when it stops.
  beats bigint NOT NULL,
  -- The newest group that the worker keeps to…
  epoch bigint NOT NULL,
  -- …except at these targets, which have more requests in flight than its new share.
  over_ids uuid[] NOT NULL,
  -- Targets that have more deliveries due than this worker may send.
  waiting_ids uuid[] NOT NULL
) WITH (fillfactor = 50);
--> statement-breakpoint
CREATE TABLE worker_group (
  singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
  epoch bigint NOT NULL,
  members uuid[] NOT NULL
);
--> statement-breakpoint
INSERT INTO worker_group (epoch, members) VALUES (0, '{}');
--> statement-breakpoint
ALTER TABLE targets
  ADD COLUMN rate_limit_requests integer,
  ADD COLUMN rate_limit_seconds integer,
  ADD CONSTRAINT targets_rate_limit CHECK ((rate_limit_requests IS NULL) = (rate_limit_seconds IS NULL));

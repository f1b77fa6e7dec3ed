-- The search for deliveries that are due and in nobody's hands: one row, which the workers share. The worker that finds
-- the last search to be old makes the next one for all of them. Nothing waits for a worker that dies in a search: the
-- row is not locked meanwhile, and another worker searches a few seconds later.
CREATE TABLE sweep (
  singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
  begun_at timestamptz NOT NULL,
  -- Grows with each result, so that a worker reads each of them once.
  number bigint NOT NULL,
  -- The enabled targets that had something due.
  target_ids uuid[] NOT NULL
);
--> statement-breakpoint
INSERT INTO sweep (begun_at, number, target_ids) VALUES ('epoch', 0, '{}');
--> statement-breakpoint
-- Each worker reads these twice a second. Beside thousands of healthy targets they are few.
CREATE INDEX target_health_ailing ON target_health (target_id) WHERE openings > 0 OR failing_since IS NOT NULL;

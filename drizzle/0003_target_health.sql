-- How a target is doing, shared by the workers. Not under the revision of the configuration: a change here is not one
-- that targets or sources have to be loaded again for.
CREATE TABLE target_health (
  target_id uuid PRIMARY KEY REFERENCES targets ON DELETE CASCADE,
  -- How often in a row the breaker opened: each time for longer. 0 while it is closed.
  openings integer NOT NULL DEFAULT 0,
  -- When one delivery may probe the target; null exactly while the breaker is closed.
  open_until timestamptz,
  -- The worker that has the probe in hand, under a lease.
  probe_by uuid,
  probe_until timestamptz,
  -- The first failed attempt since the last success.
  failing_since timestamptz,
  last_success_at timestamptz,
  last_failure_at timestamptz,
  CONSTRAINT target_health_open CHECK ((openings > 0) = (open_until IS NOT NULL))
) WITH (fillfactor = 70);
--> statement-breakpoint
ALTER TABLE targets ADD COLUMN state_reason text;
--> statement-breakpoint
ALTER TABLE targets ADD COLUMN state_changed_at timestamptz NOT NULL DEFAULT now();

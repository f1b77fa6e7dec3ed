-- For those that are past their deadline behind an open breaker. What was never attempted is not in it, nor what the
-- first attempt finishes: only a failure writes to it.
CREATE INDEX deliveries_overdue ON deliveries (target_id, deadline_at)
  WHERE next_attempt_at IS NOT NULL AND attempt_count > backoff_start;

-- Targets that are gone, for as long as there may be deliveries of them to cancel.
CREATE TABLE deleted_targets (
  target_id uuid PRIMARY KEY,
  deleted_at timestamptz NOT NULL DEFAULT now()
);
--> statement-breakpoint
-- What an intake left for a target that was deleted before there were notes.
INSERT INTO deleted_targets (target_id)
  SELECT DISTINCT target_id FROM deliveries d
  WHERE next_attempt_at IS NOT NULL AND NOT EXISTS (SELECT FROM targets t WHERE t.id = d.target_id);

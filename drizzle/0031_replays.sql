-- Operations that replay events. `replay` says what an operation replays to which targets, and what was done for each.
--
-- The version before this one takes any running operation whose `next_step_at` has come, and would cancel deliveries
-- for a kind that it does not know. A replay therefore has its time in a column of its own, and its `next_step_at` is
-- infinity.
ALTER TABLE operations ADD COLUMN replay jsonb;
--> statement-breakpoint
ALTER TABLE operations ADD COLUMN next_replay_step_at timestamptz;

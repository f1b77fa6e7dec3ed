-- The body of an event can go before its row: past BODY_RETENTION_DAYS, or by an erasure.
ALTER TABLE events
  -- From then on the body is empty, and every column that was read from it is null.
  ADD COLUMN body_removed_at timestamptz,
  -- `retention` or `erasure`.
  ADD COLUMN body_removed_by text;
--> statement-breakpoint
-- One row: how far the removal of bodies has come in the log. It goes through the events once, in the order of their ids.
CREATE TABLE body_retention (
  singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
  reached uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
  -- The same for `kept_bodies`, through which it goes again and again.
  revisited uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
  next_visit_at timestamptz NOT NULL DEFAULT now()
);
--> statement-breakpoint
INSERT INTO body_retention DEFAULT VALUES;
--> statement-breakpoint
-- The events that the removal went past, or may have gone past, and that have a body: those with an unfinished delivery, and
-- those that were stored long after the time in their ids.
CREATE TABLE kept_bodies (
  event_id uuid PRIMARY KEY
);
--> statement-breakpoint
-- What is known of a job goes with the body of its event. This table has a row for each job, and not for each event.
CREATE INDEX jobs_event ON jobs (event_id) WHERE event_id IS NOT NULL;

-- What waited for each target, as one worker looks each minute.
CREATE TABLE waiting_samples (
  resolution text NOT NULL CHECK (resolution IN ('minute', 'hour', 'day')),
  start timestamptz NOT NULL,
  -- Null: all other targets together. Each interval with a sample has this row, which knows how many samples there were.
  target_id uuid,
  samples integer NOT NULL,
  -- Pending deliveries, summed up over the samples.
  waiting bigint NOT NULL,
  -- The highest age of a pending delivery in any sample.
  oldest_seconds integer NOT NULL
) WITH (fillfactor = 80);
--> statement-breakpoint
CREATE UNIQUE INDEX waiting_samples_key ON waiting_samples (resolution, start, target_id) NULLS NOT DISTINCT;

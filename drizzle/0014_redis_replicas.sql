-- How many replicas each Redis was seen with, and when last. With REDIS_REPLICAS=auto, events wait for the most of the
-- last 24 hours.
CREATE TABLE redis_replicas (
  redis text NOT NULL,
  seen integer NOT NULL,
  last_seen_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (redis, seen)
);

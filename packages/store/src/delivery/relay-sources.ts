// The sources of the events that the relay itself makes. The table `sources` has no rows with these ids, so that no list
// shows them and no webhook can arrive for them.

/** The source of tests of targets. */
export const RELAY_SOURCE_ID = "00000000-0000-7000-8000-000000000000";
/** The source of operational events. */
export const OPERATIONAL_SOURCE_ID = "00000000-0000-7000-8000-000000000001";
/** The name of that source in filters. */
export const OPERATIONAL_SOURCE = "sluice";

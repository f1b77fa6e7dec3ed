// Divides the limits of targets among the workers that are alive: a state machine without a clock or a store.
//
// PostgreSQL has one group of workers at a time, and each worker's share of a limit follows from its place in it, so
// that the shares add up to the limit. A new group comes into force in two steps. First each worker keeps to the
// smaller one of its shares in the old and the new group, and says so. Only when all have said so does any of them
// use more. At no moment do the workers that see the change earlier and those that see it later exceed a limit
// together.

import type { GroupLook, WorkerGroup, WorkerReport, WorkerRow } from "@sluice/store/delivery/worker-group";

/** A worker is dead when it gave no sign of life for so long… */
const DEAD_MS = 3_000;
/** …and at so many looks: when PostgreSQL stands still, the others give no signs of life either. */
const DEAD_LOOKS = 6;

export type GroupState =
  /** This worker has not looked yet. It has no share. */
  | { kind: "outside" }
  /**
   * Not every worker keeps to `to` yet. `from` is the group before; undefined when this worker does not know it, and so
   * has no share in it. `open` are the targets to which that applies; undefined for all.
   */
  | { kind: "changing"; from: WorkerGroup | undefined; to: WorkerGroup; open: ReadonlySet<string> | undefined }
  | { kind: "settled"; group: WorkerGroup };

interface Peer {
  beats: number;
  seenAtMs: number;
  looksSince: number;
}

export class WorkerGroupState {
  readonly #id: string;
  readonly #peers = new Map<string, Peer>();
  #state: GroupState = { kind: "outside" };
  #living: WorkerRow[] = [];

  constructor(workerId: string) {
    this.#id = workerId;
  }

  get state(): GroupState {
    return this.#state;
  }

  /** The newest group that this worker keeps to; 0 before the first look. */
  get epoch(): number {
    return this.#known()?.epoch ?? 0;
  }

  /** The other workers that are alive. */
  get living(): readonly WorkerRow[] {
    return this.#living;
  }

  /** Whether this worker has every limit to itself. */
  get isAlone(): boolean {
    return this.#state.kind === "settled" && this.#state.group.members.length === 1 && this.#hasMember();
  }

  /** Takes over what PostgreSQL said. @returns whether shares may have changed. */
  learn({ group, others }: GroupLook, nowMs: number): boolean {
    const before = this.#state;
    this.#living = others.filter((other) => this.#isAlive(other, nowMs));
    for (const id of this.#peers.keys()) if (!others.some((other) => other.id === id)) this.#peers.delete(id);
    if (group.epoch !== this.#known()?.epoch) {
      this.#state = { kind: "changing", from: this.#before(group), to: group, open: undefined };
    }
    if (this.#state.kind === "changing") this.#settle(this.#state);
    return before !== this.#state;
  }

  /**
   * The members of the next group, when the living workers are others than those of the present one.
   * @param reported what this worker told the others at the last look.
   * @returns undefined when no new group is needed, or the present one is not in force everywhere.
   */
  nextMembers(reported: WorkerReport): string[] | undefined {
    if (this.#state.kind !== "settled" || reported.epoch !== this.#state.group.epoch) return undefined;
    if ([reported, ...this.#living].some(({ overIds }) => overIds.length > 0)) return undefined;
    const living = [this.#id, ...this.#living.map(({ id }) => id)].toSorted();
    const { members } = this.#state.group;
    return living.length === members.length && living.every((id) => members.includes(id)) ? undefined : living;
  }

  /**
   * This worker's share of a limit of a target. The shares of all workers add up to the limit.
   * @param most how many workers may have a share.
   */
  share(targetId: string, limit: number, most = Number.POSITIVE_INFINITY): number {
    switch (this.#state.kind) {
      case "outside":
        return 0;
      case "settled":
        return this.#divide(this.#state.group, targetId, limit, most);
      case "changing": {
        const { from, to, open } = this.#state;
        const next = this.#divide(to, targetId, limit, most);
        if (open !== undefined && !open.has(targetId)) return next;
        return from === undefined ? 0 : Math.min(this.#divide(from, targetId, limit, most), next);
      }
    }
  }

  #divide({ members }: WorkerGroup, targetId: string, limit: number, most: number): number {
    const rank = members.indexOf(this.#id);
    if (rank === -1) return 0;
    if (members.length === 1) return limit;
    const sharers = Math.min(members.length, most);
    // Turned by the target, so that targets with small limits are spread over the workers. The first ones get one more
    // when the limit does not divide evenly, so that a limit of 1 is one worker's.
    const place = (rank + Number.parseInt(targetId.slice(-6), 16)) % members.length;
    return place >= sharers ? 0 : Math.floor(limit / sharers) + (place < limit % sharers ? 1 : 0);
  }

  #known(): WorkerGroup | undefined {
    if (this.#state.kind === "outside") return undefined;
    return this.#state.kind === "settled" ? this.#state.group : this.#state.to;
  }

  /**
   * The group before a new one. Somebody made the new one, so the one before was in force for every worker that was
   * alive. This worker was dead for the others when it missed a group.
   */
  #before(next: WorkerGroup): WorkerGroup | undefined {
    const known = this.#known();
    return known !== undefined && known.epoch === next.epoch - 1 ? known : undefined;
  }

  #settle(state: GroupState & { kind: "changing" }): void {
    const { from, to } = state;
    // A worker that is no member may still have in flight what the group before allowed it.
    const isKept = this.#living.every(({ id, epoch }) => epoch >= to.epoch || !isMember(id, from, to));
    if (!isKept) return;
    const open = new Set(this.#living.flatMap(({ overIds }) => overIds));
    if (open.size === 0) this.#state = { kind: "settled", group: to };
    else if (!isSame(state.open, open)) this.#state = { kind: "changing", from, to, open };
  }

  #isAlive({ id, beats, isStale }: WorkerRow, nowMs: number): boolean {
    const known = this.#peers.get(id);
    if (known === undefined || known.beats !== beats) {
      this.#peers.set(id, { beats, seenAtMs: nowMs, looksSince: 0 });
      return !isStale;
    }
    known.looksSince += 1;
    return !isStale && (nowMs - known.seenAtMs < DEAD_MS || known.looksSince < DEAD_LOOKS);
  }

  #hasMember(): boolean {
    return this.#known()?.members.includes(this.#id) === true;
  }
}

const isMember = (id: string, ...groups: (WorkerGroup | undefined)[]) =>
  groups.some((group) => group?.members.includes(id) === true);

const isSame = (known: ReadonlySet<string> | undefined, ids: ReadonlySet<string>) =>
  known?.size === ids.size && [...ids].every((id) => known.has(id));

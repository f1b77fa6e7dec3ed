// What the audit trail tells of: every action, and the types of resources on which it was done.

/**
 * Every action in the audit trail: the type of the resource and what was done to it. Entries of older versions stay, so
 * an action that is no longer written MUST stay in this list as long as entries are kept.
 */
export const AUDIT_ACTIONS = [
  "event.erased",
  "event.injected",
  "event.replayed",
  "delivery.retried",
  "delivery.cancelled",
  "ingress_token.created",
  "ingress_token.revoked",
  "job.created",
  "job.updated",
  "key.created",
  "key.revoked",
  "key.updated",
  "operation.started",
  "operation.cancelled",
  "relay.master_key_changed",
  "relay.master_key_lost",
  "session.started",
  "session.ended",
  "set_aside_event.retried",
  "set_aside_event.all_retried",
  "set_aside_event.discarded",
  "source.created",
  "source.updated",
  "source.deleted",
  "source.secret_rotated",
  "source.upstream_updated",
  "source.upstream_register_started",
  "source.upstream_registered",
  "source.upstream_check_started",
  "source.upstream_rotate_started",
  "source.upstream_rotated",
  "source.upstream_heal_started",
  "source.upstream_healed",
  "source.upstream_deregister_started",
  "source.upstream_deregistered",
  "target.created",
  "target.updated",
  "target.deleted",
  "target.secret_rotated",
  "target.tested",
] as const;

export type AuditAction = (typeof AUDIT_ACTIONS)[number];

type TypeOf<Action> = Action extends `${infer Type}.${string}` ? Type : never;

/** The type of a resource in the audit trail. */
export type AuditedType = TypeOf<AuditAction>;

export const auditedTypeOf = (action: AuditAction): AuditedType => action.slice(0, action.indexOf(".")) as AuditedType;

/** Each type once. */
export const AUDITED_TYPES: readonly AuditedType[] = [...new Set(AUDIT_ACTIONS.map(auditedTypeOf))];

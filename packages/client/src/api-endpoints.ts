// Made from the OpenAPI document by `npm test -- api-types -u`, and compared with it by api-types.test.ts. Do not edit it.

import type { ApiEndpoint } from "./api-endpoint.ts";

export const API_ENDPOINTS = {
  "listSources": {
    "method": "GET",
    "path": "/v1/sources",
    "summary": "List sources, newest first",
    "query": [
      {
        "name": "limit",
        "kind": "integer",
        "description": "The largest number of entries in the page"
      },
      {
        "name": "name",
        "kind": "string",
        "description": "Only what has exactly this name"
      }
    ],
    "body": [],
    "takesForce": false
  },
  "createSource": {
    "method": "POST",
    "path": "/v1/sources",
    "summary": "Create a source",
    "query": [],
    "body": [
      {
        "name": "name",
        "kind": "string",
        "isRequired": true,
        "description": "Unique among sources. It is in the address of the source: `/in/{name}`."
      },
      {
        "name": "kind",
        "kind": "string",
        "values": [
          "static",
          "dynamic"
        ],
        "description": "The kind cannot be changed later"
      },
      {
        "name": "schemes",
        "kind": "list",
        "values": [
          "v1",
          "v1a",
          "jwt"
        ],
        "description": "If you leave it out, the source accepts all schemes of its kind"
      },
      {
        "name": "signing_secret",
        "kind": "string",
        "description": "Only for static sources. If you leave it out, the relay generates one."
      },
      {
        "name": "gemini_api_key",
        "kind": "string",
        "description": "The key of the Gemini API with which the relay manages this source there"
      },
      {
        "name": "reconcile",
        "kind": "object",
        "description": "How the source is reconciled with the jobs at Gemini. It needs `gemini_api_key`.",
        "fields": [
          {
            "name": "enabled",
            "kind": "boolean",
            "description": "Whether the relay looks at Gemini for jobs that have ended, and whose webhooks did not come"
          },
          {
            "name": "every_seconds",
            "kind": "integer",
            "description": "The time between two looks at the list of batches"
          },
          {
            "name": "grace_seconds",
            "kind": "integer",
            "description": "How long after the end of a job its webhook may come before the relay makes an event in its place"
          },
          {
            "name": "lookback_hours",
            "kind": "integer",
            "description": "Batches that were made earlier are left alone"
          }
        ]
      },
      {
        "name": "tolerance_seconds",
        "kind": "integer",
        "description": "How far the timestamp of a webhook may be from the clock of the relay"
      },
      {
        "name": "expect_every_seconds",
        "kind": "integer",
        "isNullable": true,
        "description": "When no event has come for longer, the relay tells so by `sluice.source.failing`. Null: it never does."
      },
      {
        "name": "audiences",
        "kind": "list",
        "description": "The accepted audiences: the `aud` of a JWT must be one of them"
      },
      {
        "name": "issuers",
        "kind": "list",
        "description": "The accepted issuers: the `iss` of a JWT must be one of them. An empty list accepts any."
      },
      {
        "name": "token_types",
        "kind": "list",
        "description": "The accepted types: the `typ` of a JWT must be one of them. An empty list accepts any, and none."
      },
      {
        "name": "max_token_seconds",
        "kind": "integer",
        "description": "The longest lifetime of a JWT: from its `iat` to its `exp`"
      },
      {
        "name": "jwks_uri",
        "kind": "string",
        "isNullable": true,
        "description": "The URL of the key set, by https; null means https://generativelanguage.googleapis.com/.well-known/jwks.json"
      },
      {
        "name": "body_unbound",
        "kind": "string",
        "values": [
          "reject",
          "mark"
        ],
        "description": "What happens to an event whose signature does not cover its body: `reject` refuses it, `mark` accepts it and marks it. New sources have `reject`."
      },
      {
        "name": "public_keys",
        "kind": "list",
        "description": "Public keys for `v1a` signatures, in addition to the keys of the key set"
      }
    ],
    "takesForce": false
  },
  "getSource": {
    "method": "GET",
    "path": "/v1/sources/{id}",
    "summary": "Read a source",
    "query": [],
    "body": [],
    "takesForce": false
  },
  "updateSource": {
    "method": "PATCH",
    "path": "/v1/sources/{id}",
    "summary": "Change fields of a source",
    "query": [],
    "body": [
      {
        "name": "name",
        "kind": "string",
        "description": "Unique among sources. It is in the address of the source: `/in/{name}`."
      },
      {
        "name": "schemes",
        "kind": "list",
        "values": [
          "v1",
          "v1a",
          "jwt"
        ],
        "description": "The signature schemes that the source accepts"
      },
      {
        "name": "signing_secret",
        "kind": "string",
        "description": "Only for static sources. It replaces every stored secret."
      },
      {
        "name": "gemini_api_key",
        "kind": "string",
        "isNullable": true,
        "description": "The key of the Gemini API with which the relay manages this source there; null removes it"
      },
      {
        "name": "reconcile",
        "kind": "object",
        "description": "How the source is reconciled with the jobs at Gemini. It needs `gemini_api_key`.",
        "fields": [
          {
            "name": "enabled",
            "kind": "boolean",
            "description": "Whether the relay looks at Gemini for jobs that have ended, and whose webhooks did not come"
          },
          {
            "name": "every_seconds",
            "kind": "integer",
            "description": "The time between two looks at the list of batches"
          },
          {
            "name": "grace_seconds",
            "kind": "integer",
            "description": "How long after the end of a job its webhook may come before the relay makes an event in its place"
          },
          {
            "name": "lookback_hours",
            "kind": "integer",
            "description": "Batches that were made earlier are left alone"
          }
        ]
      },
      {
        "name": "tolerance_seconds",
        "kind": "integer",
        "description": "How far the timestamp of a webhook may be from the clock of the relay"
      },
      {
        "name": "expect_every_seconds",
        "kind": "integer",
        "isNullable": true,
        "description": "When no event has come for longer, the relay tells so by `sluice.source.failing`. Null: it never does."
      },
      {
        "name": "audiences",
        "kind": "list",
        "description": "The accepted audiences: the `aud` of a JWT must be one of them"
      },
      {
        "name": "issuers",
        "kind": "list",
        "description": "The accepted issuers: the `iss` of a JWT must be one of them. An empty list accepts any."
      },
      {
        "name": "token_types",
        "kind": "list",
        "description": "The accepted types: the `typ` of a JWT must be one of them. An empty list accepts any, and none."
      },
      {
        "name": "max_token_seconds",
        "kind": "integer",
        "description": "The longest lifetime of a JWT: from its `iat` to its `exp`"
      },
      {
        "name": "jwks_uri",
        "kind": "string",
        "isNullable": true,
        "description": "The URL of the key set, by https; null means https://generativelanguage.googleapis.com/.well-known/jwks.json"
      },
      {
        "name": "body_unbound",
        "kind": "string",
        "values": [
          "reject",
          "mark"
        ],
        "description": "What happens to an event whose signature does not cover its body: `reject` refuses it, `mark` accepts it and marks it. New sources have `reject`."
      },
      {
        "name": "public_keys",
        "kind": "list",
        "description": "Public keys for `v1a` signatures, in addition to the keys of the key set"
      }
    ],
    "takesForce": true
  },
  "deleteSource": {
    "method": "DELETE",
    "path": "/v1/sources/{id}",
    "summary": "Delete a source",
    "query": [],
    "body": [],
    "takesForce": true
  },
  "createSourceSigningSecret": {
    "method": "POST",
    "path": "/v1/sources/{id}/signing-secrets",
    "summary": "Rotate the signing secret of a static source",
    "query": [],
    "body": [
      {
        "name": "secret",
        "kind": "string",
        "description": "The new secret. If you leave it out, the relay generates one."
      },
      {
        "name": "previous",
        "kind": "string",
        "values": [
          "revoke_after_24h",
          "revoke_immediately"
        ],
        "isRequired": true,
        "description": "What happens to the stored secrets. A secret that expires sooner keeps its own expiry."
      }
    ],
    "takesForce": true
  },
  "createSourceIngressToken": {
    "method": "POST",
    "path": "/v1/sources/{id}/ingress-tokens",
    "summary": "Create an ingress token for a dynamic source",
    "query": [],
    "body": [
      {
        "name": "previous",
        "kind": "string",
        "values": [
          "keep",
          "revoke_after_24h",
          "revoke_immediately"
        ],
        "description": "What happens to the existing tokens. A token that expires sooner keeps its own expiry."
      }
    ],
    "takesForce": false
  },
  "deleteSourceIngressToken": {
    "method": "DELETE",
    "path": "/v1/sources/{id}/ingress-tokens/{token_id}",
    "summary": "Revoke an ingress token at once",
    "query": [],
    "body": [],
    "takesForce": false
  },
  "createSourceCallbackUrl": {
    "method": "POST",
    "path": "/v1/sources/{id}/callback-urls",
    "summary": "Create a callback URL for one job",
    "query": [],
    "body": [
      {
        "name": "labels",
        "kind": "map",
        "isRequired": true,
        "description": "Names and values of your own, by which the events are filtered and found"
      },
      {
        "name": "expires_in_seconds",
        "kind": "integer",
        "description": "How long the URL takes webhooks. Gemini may send one up to a day after the end of the job."
      },
      {
        "name": "single_use",
        "kind": "boolean",
        "description": "Whether the URL accepts only one webhook: the first that arrives, and its retries"
      },
      {
        "name": "job",
        "kind": "object",
        "description": "Announces the job for which the URL is made, as `POST /v1/jobs` does. Its events have the label `sluice_job`, and its name can be sent later by `PATCH /v1/jobs/{id}`. It needs `gemini_api_key` of the source.",
        "fields": [
          {
            "name": "kind",
            "kind": "string",
            "values": [
              "batch",
              "interaction",
              "video"
            ],
            "isRequired": true,
            "description": "What the job is at Gemini"
          },
          {
            "name": "expect_within_seconds",
            "kind": "integer",
            "description": "The time from now on within which the job should end. A day for a batch when not given, and an hour for any other job."
          }
        ]
      }
    ],
    "takesForce": false
  },
  "verifySource": {
    "method": "POST",
    "path": "/v1/sources/{id}:verify",
    "summary": "Say what the relay answers to a captured webhook",
    "query": [],
    "body": [
      {
        "name": "headers",
        "kind": "map",
        "isRequired": true,
        "description": "The headers of the request. Upper and lower case of their names do not differ."
      },
      {
        "name": "body",
        "kind": "string",
        "description": "The exact bytes of the body, in base64"
      },
      {
        "name": "token",
        "kind": "string",
        "description": "The part of the path behind the name of the source. A dynamic source needs it."
      },
      {
        "name": "judged_at",
        "kind": "string",
        "isTime": true,
        "description": "Judges the request as if it came at this time. The default is now."
      }
    ],
    "takesForce": false
  },
  "getSourceUpstream": {
    "method": "GET",
    "path": "/v1/sources/{id}/upstream",
    "summary": "Read the webhook of a source at Gemini",
    "query": [],
    "body": [],
    "takesForce": false
  },
  "updateSourceUpstream": {
    "method": "PATCH",
    "path": "/v1/sources/{id}/upstream",
    "summary": "Change what the relay does by itself about the webhook of a source",
    "query": [],
    "body": [
      {
        "name": "rotate_every_days",
        "kind": "integer",
        "isNullable": true,
        "description": "How often the relay rotates the signing secret by itself; null is never"
      },
      {
        "name": "heal",
        "kind": "string",
        "values": [
          "off",
          "auto"
        ],
        "description": "`auto` enables the webhook again after Gemini disabled it for failed deliveries, three times a day at most"
      }
    ],
    "takesForce": false
  },
  "registerSourceUpstream": {
    "method": "POST",
    "path": "/v1/sources/{id}/upstream:register",
    "summary": "Register the address of a static source at Gemini",
    "query": [],
    "body": [
      {
        "name": "subscribed_events",
        "kind": "list",
        "values": [
          "batch.succeeded",
          "batch.expired",
          "batch.failed",
          "interaction.requires_action",
          "interaction.completed",
          "interaction.failed",
          "video.generated"
        ],
        "description": "If you leave it out, a webhook that exists keeps its events, and a new one gets all of them"
      }
    ],
    "takesForce": false
  },
  "checkSourceUpstream": {
    "method": "POST",
    "path": "/v1/sources/{id}/upstream:check",
    "summary": "Look at the webhook of a source at Gemini now",
    "query": [],
    "body": [],
    "takesForce": false
  },
  "rotateSourceUpstream": {
    "method": "POST",
    "path": "/v1/sources/{id}/upstream:rotate",
    "summary": "Rotate the signing secret of the webhook at Gemini",
    "query": [],
    "body": [],
    "takesForce": false
  },
  "healSourceUpstream": {
    "method": "POST",
    "path": "/v1/sources/{id}/upstream:heal",
    "summary": "Enable the webhook at Gemini again",
    "query": [],
    "body": [],
    "takesForce": false
  },
  "deregisterSourceUpstream": {
    "method": "POST",
    "path": "/v1/sources/{id}/upstream:deregister",
    "summary": "Delete the webhook of a source at Gemini",
    "query": [],
    "body": [
      {
        "name": "keep_webhook",
        "kind": "boolean",
        "description": "Forgets the webhook and leaves it at Gemini. This needs no valid API key."
      }
    ],
    "takesForce": false
  },
  "listTargets": {
    "method": "GET",
    "path": "/v1/targets",
    "summary": "List targets, newest first",
    "query": [
      {
        "name": "limit",
        "kind": "integer",
        "description": "The largest number of entries in the page"
      },
      {
        "name": "name",
        "kind": "string",
        "description": "Only what has exactly this name"
      }
    ],
    "body": [],
    "takesForce": false
  },
  "createTarget": {
    "method": "POST",
    "path": "/v1/targets",
    "summary": "Create a target",
    "query": [],
    "body": [
      {
        "name": "name",
        "kind": "string",
        "description": "Unique among targets. If you leave it out, the name is the host of `uri`, or `pull`, with a number if it is taken."
      },
      {
        "name": "uri",
        "kind": "string",
        "description": "Required, except for a pull target, which has none"
      },
      {
        "name": "subscribed_events",
        "kind": "list",
        "isRequired": true,
        "description": "The types of events that the target gets: exact names, groups such as `batch.*`, or `*` for all of them but the relay's own."
      },
      {
        "name": "state",
        "kind": "string",
        "values": [
          "enabled",
          "paused",
          "disabled"
        ],
        "description": "`enabled`: events are delivered. `paused`: they are kept and do not expire, until the target is resumed. `disabled`: the target never gets the events of this time; what was pending before is held."
      },
      {
        "name": "headers",
        "kind": "map",
        "description": "Answers show every value as \"[redacted]\". If you send \"[redacted]\", the stored value stays."
      },
      {
        "name": "timeout_seconds",
        "kind": "integer",
        "description": "How long the whole response may take"
      },
      {
        "name": "max_in_flight",
        "kind": "integer",
        "description": "How many requests all workers together send at the same time"
      },
      {
        "name": "rate_limit",
        "kind": "object",
        "isNullable": true,
        "description": "The most requests in a time, over all workers. Null stands for no limit",
        "fields": [
          {
            "name": "requests",
            "kind": "integer",
            "isRequired": true,
            "description": "The most requests in the time"
          },
          {
            "name": "per_seconds",
            "kind": "integer",
            "isRequired": true,
            "description": "The length of the time"
          }
        ]
      },
      {
        "name": "retry",
        "kind": "object",
        "description": "The schedule of attempts. Fields that you leave out stay as they are.",
        "fields": [
          {
            "name": "base_seconds",
            "kind": "number",
            "description": "The shortest pause after a failed attempt"
          },
          {
            "name": "cap_seconds",
            "kind": "number",
            "description": "The longest pause, unless `Retry-After` asks for more"
          },
          {
            "name": "horizon_seconds",
            "kind": "number",
            "description": "How long the relay tries to deliver an event"
          }
        ]
      },
      {
        "name": "filter",
        "kind": "string",
        "isNullable": true,
        "description": "A CEL expression over event.type, event.data, event.user_metadata, event.labels, event.body_unbound and source. The target gets only the events for which it is true; null stands for all events."
      },
      {
        "name": "delete_after_idle_seconds",
        "kind": "integer",
        "isNullable": true,
        "description": "Only for pull targets: the relay deletes a target that nobody pulled for so long. Null stands for never, and so does a file of settings that manages the target."
      },
      {
        "name": "tls",
        "kind": "object",
        "isNullable": true,
        "description": "How the target is reached by TLS; only with https. Fields that you leave out stay as they are. Null removes all of them. A change of the origin of `uri` drops the client certificate and its key, unless it gives new ones.",
        "fields": [
          {
            "name": "ca",
            "kind": "string",
            "isNullable": true,
            "description": "Certificates in PEM. The certificate of the target must be signed by one of them; those of the system and of `TARGET_CA_FILE` do not count then."
          },
          {
            "name": "server_name",
            "kind": "string",
            "isNullable": true,
            "description": "The name in the certificate of the target, if it is not the host of `uri`"
          },
          {
            "name": "client_certificate",
            "kind": "string",
            "isNullable": true,
            "description": "The certificate by which the relay proves itself, and the chain above it, in PEM"
          },
          {
            "name": "client_key",
            "kind": "string",
            "isNullable": true,
            "description": "The key of `client_certificate` in PEM, without a passphrase. It is stored encrypted and never shown."
          }
        ]
      },
      {
        "name": "kind",
        "kind": "string",
        "values": [
          "http",
          "slack",
          "google_chat",
          "teams",
          "discord",
          "pull"
        ],
        "description": "The kind cannot be changed later"
      }
    ],
    "takesForce": false
  },
  "getTarget": {
    "method": "GET",
    "path": "/v1/targets/{id}",
    "summary": "Read a target",
    "query": [],
    "body": [],
    "takesForce": false
  },
  "updateTarget": {
    "method": "PATCH",
    "path": "/v1/targets/{id}",
    "summary": "Change fields of a target",
    "query": [],
    "body": [
      {
        "name": "name",
        "kind": "string",
        "description": "Unique among targets. Upper and lower case differ."
      },
      {
        "name": "uri",
        "kind": "string",
        "description": "Where the events are sent by POST"
      },
      {
        "name": "subscribed_events",
        "kind": "list",
        "description": "The types of events that the target gets: exact names, groups such as `batch.*`, or `*` for all of them but the relay's own."
      },
      {
        "name": "state",
        "kind": "string",
        "values": [
          "enabled",
          "paused",
          "disabled"
        ],
        "description": "`enabled`: events are delivered. `paused`: they are kept and do not expire, until the target is resumed. `disabled`: the target never gets the events of this time; what was pending before is held."
      },
      {
        "name": "headers",
        "kind": "map",
        "description": "Answers show every value as \"[redacted]\". If you send \"[redacted]\", the stored value stays."
      },
      {
        "name": "timeout_seconds",
        "kind": "integer",
        "description": "How long the whole response may take"
      },
      {
        "name": "max_in_flight",
        "kind": "integer",
        "description": "How many requests all workers together send at the same time"
      },
      {
        "name": "rate_limit",
        "kind": "object",
        "isNullable": true,
        "description": "The most requests in a time, over all workers. Null stands for no limit",
        "fields": [
          {
            "name": "requests",
            "kind": "integer",
            "isRequired": true,
            "description": "The most requests in the time"
          },
          {
            "name": "per_seconds",
            "kind": "integer",
            "isRequired": true,
            "description": "The length of the time"
          }
        ]
      },
      {
        "name": "retry",
        "kind": "object",
        "description": "The schedule of attempts. Fields that you leave out stay as they are.",
        "fields": [
          {
            "name": "base_seconds",
            "kind": "number",
            "description": "The shortest pause after a failed attempt"
          },
          {
            "name": "cap_seconds",
            "kind": "number",
            "description": "The longest pause, unless `Retry-After` asks for more"
          },
          {
            "name": "horizon_seconds",
            "kind": "number",
            "description": "How long the relay tries to deliver an event"
          }
        ]
      },
      {
        "name": "filter",
        "kind": "string",
        "isNullable": true,
        "description": "A CEL expression over event.type, event.data, event.user_metadata, event.labels, event.body_unbound and source. The target gets only the events for which it is true; null stands for all events."
      },
      {
        "name": "delete_after_idle_seconds",
        "kind": "integer",
        "isNullable": true,
        "description": "Only for pull targets: the relay deletes a target that nobody pulled for so long. Null stands for never, and so does a file of settings that manages the target."
      },
      {
        "name": "tls",
        "kind": "object",
        "isNullable": true,
        "description": "How the target is reached by TLS; only with https. Fields that you leave out stay as they are. Null removes all of them. A change of the origin of `uri` drops the client certificate and its key, unless it gives new ones.",
        "fields": [
          {
            "name": "ca",
            "kind": "string",
            "isNullable": true,
            "description": "Certificates in PEM. The certificate of the target must be signed by one of them; those of the system and of `TARGET_CA_FILE` do not count then."
          },
          {
            "name": "server_name",
            "kind": "string",
            "isNullable": true,
            "description": "The name in the certificate of the target, if it is not the host of `uri`"
          },
          {
            "name": "client_certificate",
            "kind": "string",
            "isNullable": true,
            "description": "The certificate by which the relay proves itself, and the chain above it, in PEM"
          },
          {
            "name": "client_key",
            "kind": "string",
            "isNullable": true,
            "description": "The key of `client_certificate` in PEM, without a passphrase. It is stored encrypted and never shown."
          }
        ]
      }
    ],
    "takesForce": true
  },
  "deleteTarget": {
    "method": "DELETE",
    "path": "/v1/targets/{id}",
    "summary": "Delete a target",
    "query": [],
    "body": [],
    "takesForce": true
  },
  "tryTargetsFilter": {
    "method": "POST",
    "path": "/v1/targets:try-filter",
    "summary": "Try a filter on the newest events",
    "query": [],
    "body": [
      {
        "name": "filter",
        "kind": "string",
        "isNullable": true,
        "description": "A CEL expression over event.type, event.data, event.user_metadata, event.labels, event.body_unbound and source. The target gets only the events for which it is true; null stands for all events."
      },
      {
        "name": "subscribed_events",
        "kind": "list",
        "description": "If you leave it out, every event that Gemini sends counts as subscribed"
      },
      {
        "name": "limit",
        "kind": "integer",
        "description": "How many events to try at most"
      }
    ],
    "takesForce": false
  },
  "pauseTarget": {
    "method": "POST",
    "path": "/v1/targets/{id}:pause",
    "summary": "Pause a target",
    "query": [],
    "body": [],
    "takesForce": false
  },
  "resumeTarget": {
    "method": "POST",
    "path": "/v1/targets/{id}:resume",
    "summary": "Resume a paused target",
    "query": [],
    "body": [],
    "takesForce": false
  },
  "enableTarget": {
    "method": "POST",
    "path": "/v1/targets/{id}:enable",
    "summary": "Enable a target",
    "query": [],
    "body": [],
    "takesForce": false
  },
  "disableTarget": {
    "method": "POST",
    "path": "/v1/targets/{id}:disable",
    "summary": "Disable a target",
    "query": [],
    "body": [],
    "takesForce": false
  },
  "rotateTargetSecret": {
    "method": "POST",
    "path": "/v1/targets/{id}:rotate-secret",
    "summary": "Rotate the signing secret of a target",
    "query": [],
    "body": [
      {
        "name": "secret",
        "kind": "string",
        "description": "The new secret. If you leave it out, the relay generates one."
      },
      {
        "name": "previous",
        "kind": "string",
        "values": [
          "revoke_after_24h",
          "revoke_immediately"
        ],
        "isRequired": true,
        "description": "What happens to the stored secrets. A secret that expires sooner keeps its own expiry."
      }
    ],
    "takesForce": true
  },
  "testTarget": {
    "method": "POST",
    "path": "/v1/targets/{id}:test",
    "summary": "Send a signed test event to one target, and wait for the attempt",
    "query": [],
    "body": [],
    "takesForce": false
  },
  "pullTarget": {
    "method": "POST",
    "path": "/v1/targets/{id}:pull",
    "summary": "Take deliveries of a pull target that are due",
    "query": [],
    "body": [
      {
        "name": "max",
        "kind": "integer",
        "description": "The most deliveries in the answer. Their bodies have some 4 MiB together, or it is one delivery."
      },
      {
        "name": "wait_seconds",
        "kind": "integer",
        "description": "How long to wait for the first delivery if none is due"
      },
      {
        "name": "lease_seconds",
        "kind": "integer",
        "description": "For how long nobody else gets these deliveries. `:extend` makes it longer."
      }
    ],
    "takesForce": false
  },
  "ackTarget": {
    "method": "POST",
    "path": "/v1/targets/{id}:ack",
    "summary": "Report what became of pulled deliveries",
    "query": [],
    "body": [
      {
        "name": "results",
        "kind": "list",
        "isRequired": true,
        "description": "What became of each delivery"
      }
    ],
    "takesForce": false
  },
  "extendTarget": {
    "method": "POST",
    "path": "/v1/targets/{id}:extend",
    "summary": "Keep pulled deliveries for longer",
    "query": [],
    "body": [
      {
        "name": "tokens",
        "kind": "list",
        "isRequired": true,
        "description": "The deliveries that need more time"
      },
      {
        "name": "lease_seconds",
        "kind": "integer",
        "description": "From now"
      }
    ],
    "takesForce": false
  },
  "listEvents": {
    "method": "GET",
    "path": "/v1/events",
    "summary": "List the events that match every filter",
    "query": [
      {
        "name": "limit",
        "kind": "integer",
        "description": "The largest number of entries in the page"
      },
      {
        "name": "order",
        "kind": "string",
        "values": [
          "newest",
          "oldest"
        ],
        "description": "Which entries come first. With `oldest`, the list can be read on from its end: see `resume_cursor`. An entry that is stored late then comes after newer ones."
      },
      {
        "name": "since",
        "kind": "string",
        "isTime": true,
        "description": "The start of the time range, included, as RFC 3339. It is compared with the time that a row shows: when it was received, created or started."
      },
      {
        "name": "until",
        "kind": "string",
        "isTime": true,
        "description": "The end of the time range, not included, as RFC 3339. It is compared with the time that a row shows: when it was received, created or started."
      },
      {
        "name": "source",
        "kind": "string",
        "description": "The id or the name of a source"
      },
      {
        "name": "event_type",
        "kind": "string",
        "description": "An event type, or a group of them such as `batch.*`. `batch.completed` and `batch.succeeded` are two names of one type."
      },
      {
        "name": "webhook_id",
        "kind": "string",
        "description": "The `webhook-id` that the sender set"
      },
      {
        "name": "data_id",
        "kind": "string",
        "description": "`data.id` of the payload: the Gemini job that the event is about, with or without `batches/`"
      },
      {
        "name": "label",
        "kind": "list",
        "description": "A label of the callback URL that received the event, as name:value. Repeat the parameter to match all of several values."
      },
      {
        "name": "user_metadata",
        "kind": "list",
        "description": "A top-level key of `user_metadata`, or a key and its value as key=value. The value is compared as text: `n=1` matches the number 1 and the text, and `n=null` the JSON null and the text. Repeat the parameter to match all of several values."
      }
    ],
    "body": [],
    "takesForce": false
  },
  "createEvent": {
    "method": "POST",
    "path": "/v1/events",
    "summary": "Inject an event as if a sender had sent it",
    "query": [],
    "body": [
      {
        "name": "type",
        "kind": "string",
        "isRequired": true,
        "description": "Any event type, except those of the relay itself (\"sluice.…\"). The subscriptions of the targets are compared with it."
      },
      {
        "name": "data",
        "kind": "map",
        "isRequired": true,
        "description": "What the event is about, as in Gemini's thin payload"
      },
      {
        "name": "user_metadata",
        "kind": "map",
        "description": "The metadata that was given with the job"
      },
      {
        "name": "labels",
        "kind": "map",
        "description": "Names and values of your own, by which the events are filtered and found"
      },
      {
        "name": "source",
        "kind": "string",
        "description": "The name or the id of the event's source"
      },
      {
        "name": "webhook_id",
        "kind": "string",
        "description": "Events of one source with the same `webhook_id` are one event. Generated when not given."
      },
      {
        "name": "targets",
        "kind": "list",
        "description": "Only these targets get the event, whatever they subscribe to. None of them may be disabled. When not given, every target gets the event that matches it."
      },
      {
        "name": "timestamp",
        "kind": "string",
        "isTime": true,
        "description": "When the event happened. The current time when not given."
      }
    ],
    "takesForce": false
  },
  "getEvent": {
    "method": "GET",
    "path": "/v1/events/{id}",
    "summary": "Read an event with its deliveries and their attempts",
    "query": [],
    "body": [],
    "takesForce": false
  },
  "getEventBody": {
    "method": "GET",
    "path": "/v1/events/{id}/body",
    "summary": "Read the body of an event, byte for byte as it was signed",
    "query": [],
    "body": [],
    "takesForce": false
  },
  "replayEvent": {
    "method": "POST",
    "path": "/v1/events/{id}:replay",
    "summary": "Send an event again",
    "query": [],
    "body": [
      {
        "name": "targets",
        "kind": "list",
        "description": "Send the event to these targets. When not given, it is sent to all targets whose subscription and filter match it now."
      },
      {
        "name": "match_subscription",
        "kind": "boolean",
        "description": "Whether only targets whose subscription and filter match the event get it. By default false when `targets` names them, whatever they subscribe to. Without `targets` it cannot be false."
      },
      {
        "name": "again",
        "kind": "boolean",
        "description": "Whether a target that has a delivery of the event gets it once more: the delivery is due again. When false, what is there is left."
      }
    ],
    "takesForce": false
  },
  "replayEvents": {
    "method": "POST",
    "path": "/v1/events:replay",
    "summary": "Send all events that match to targets",
    "query": [],
    "body": [
      {
        "name": "since",
        "kind": "string",
        "isTime": true,
        "description": "The start of the time range, included, as RFC 3339. It is compared with the time that a row shows: when it was received, created or started."
      },
      {
        "name": "until",
        "kind": "string",
        "isTime": true,
        "description": "The end of the time range, not included, as RFC 3339. It is compared with the time that a row shows: when it was received, created or started."
      },
      {
        "name": "source",
        "kind": "string",
        "description": "The id or the name of a source"
      },
      {
        "name": "event_type",
        "kind": "string",
        "description": "An event type, or a group of them such as `batch.*`. `batch.completed` and `batch.succeeded` are two names of one type."
      },
      {
        "name": "webhook_id",
        "kind": "string",
        "description": "The `webhook-id` that the sender set"
      },
      {
        "name": "data_id",
        "kind": "string",
        "description": "`data.id` of the payload: the Gemini job that the event is about, with or without `batches/`"
      },
      {
        "name": "label",
        "kind": "list",
        "description": "A label of the callback URL that received the event, as name:value. Repeat the parameter to match all of several values."
      },
      {
        "name": "user_metadata",
        "kind": "list",
        "description": "A top-level key of `user_metadata`, or a key and its value as key=value. The value is compared as text: `n=1` matches the number 1 and the text, and `n=null` the JSON null and the text. Repeat the parameter to match all of several values."
      },
      {
        "name": "filter",
        "kind": "string",
        "description": "A CEL expression over event.type, event.data, event.user_metadata, event.labels, event.body_unbound and source. Only the events for which it is true are replayed."
      },
      {
        "name": "targets",
        "kind": "list",
        "isRequired": true,
        "description": "The targets that get the events. None of them may be disabled."
      },
      {
        "name": "match_subscription",
        "kind": "boolean",
        "description": "Whether a target gets only the events that its subscription and its filter match. When false, it gets every event that this request finds."
      },
      {
        "name": "again",
        "kind": "boolean",
        "description": "Whether a target that has a delivery of an event gets it once more: the delivery, if it is finished, is due again. When false, what is there is left."
      },
      {
        "name": "all",
        "kind": "boolean",
        "description": "Required when no filter is given, so that the whole log is not taken by mistake"
      },
      {
        "name": "dry_run",
        "kind": "boolean",
        "description": "Only count, and change nothing"
      }
    ],
    "takesForce": false
  },
  "eraseEvent": {
    "method": "POST",
    "path": "/v1/events/{id}:erase",
    "summary": "Erase what an event contains",
    "query": [],
    "body": [],
    "takesForce": false
  },
  "listDeliveries": {
    "method": "GET",
    "path": "/v1/deliveries",
    "summary": "List the deliveries that match every filter",
    "query": [
      {
        "name": "limit",
        "kind": "integer",
        "description": "The largest number of entries in the page"
      },
      {
        "name": "order",
        "kind": "string",
        "values": [
          "newest",
          "oldest"
        ],
        "description": "Which entries come first. With `oldest`, the list can be read on from its end: see `resume_cursor`. An entry that is stored late then comes after newer ones."
      },
      {
        "name": "since",
        "kind": "string",
        "isTime": true,
        "description": "The start of the time range, included, as RFC 3339. It is compared with the time that a row shows: when it was received, created or started."
      },
      {
        "name": "until",
        "kind": "string",
        "isTime": true,
        "description": "The end of the time range, not included, as RFC 3339. It is compared with the time that a row shows: when it was received, created or started."
      },
      {
        "name": "source",
        "kind": "string",
        "description": "The id or the name of a source"
      },
      {
        "name": "event_type",
        "kind": "string",
        "description": "An event type, or a group of them such as `batch.*`. `batch.completed` and `batch.succeeded` are two names of one type."
      },
      {
        "name": "webhook_id",
        "kind": "string",
        "description": "The `webhook-id` that the sender set"
      },
      {
        "name": "data_id",
        "kind": "string",
        "description": "`data.id` of the payload: the Gemini job that the event is about, with or without `batches/`"
      },
      {
        "name": "label",
        "kind": "list",
        "description": "A label of the callback URL that received the event, as name:value. Repeat the parameter to match all of several values."
      },
      {
        "name": "user_metadata",
        "kind": "list",
        "description": "A top-level key of `user_metadata`, or a key and its value as key=value. The value is compared as text: `n=1` matches the number 1 and the text, and `n=null` the JSON null and the text. Repeat the parameter to match all of several values."
      },
      {
        "name": "event",
        "kind": "string",
        "description": "The id of the event"
      },
      {
        "name": "target",
        "kind": "string",
        "description": "The id of the target, which may be deleted"
      },
      {
        "name": "status_code",
        "kind": "list",
        "description": "The status code of the attempt, or of the last attempt of a delivery: a code, a class such as `5xx`, or `none` when there was no response. Repeat the parameter to match any of several values."
      },
      {
        "name": "error",
        "kind": "string",
        "description": "A text that the error of the last attempt contains, in upper or lower case"
      },
      {
        "name": "min_attempts",
        "kind": "integer",
        "description": "The least number of attempts"
      },
      {
        "name": "status",
        "kind": "list",
        "values": [
          "pending",
          "succeeded",
          "exhausted",
          "cancelled"
        ],
        "description": "The status of the delivery. Repeat the parameter to match any of several values."
      }
    ],
    "body": [],
    "takesForce": false
  },
  "getDelivery": {
    "method": "GET",
    "path": "/v1/deliveries/{id}",
    "summary": "Read a delivery with its attempts",
    "query": [],
    "body": [],
    "takesForce": false
  },
  "retryDelivery": {
    "method": "POST",
    "path": "/v1/deliveries/{id}:retry",
    "summary": "Retry a delivery now",
    "query": [],
    "body": [],
    "takesForce": false
  },
  "cancelDelivery": {
    "method": "POST",
    "path": "/v1/deliveries/{id}:cancel",
    "summary": "Cancel a pending delivery",
    "query": [],
    "body": [],
    "takesForce": false
  },
  "retryDeliveries": {
    "method": "POST",
    "path": "/v1/deliveries:retry",
    "summary": "Retry all deliveries that match",
    "query": [],
    "body": [
      {
        "name": "since",
        "kind": "string",
        "isTime": true,
        "description": "The start of the time range, included, as RFC 3339. It is compared with the time that a row shows: when it was received, created or started."
      },
      {
        "name": "until",
        "kind": "string",
        "isTime": true,
        "description": "The end of the time range, not included, as RFC 3339. It is compared with the time that a row shows: when it was received, created or started."
      },
      {
        "name": "source",
        "kind": "string",
        "description": "The id or the name of a source"
      },
      {
        "name": "event_type",
        "kind": "string",
        "description": "An event type, or a group of them such as `batch.*`. `batch.completed` and `batch.succeeded` are two names of one type."
      },
      {
        "name": "webhook_id",
        "kind": "string",
        "description": "The `webhook-id` that the sender set"
      },
      {
        "name": "data_id",
        "kind": "string",
        "description": "`data.id` of the payload: the Gemini job that the event is about, with or without `batches/`"
      },
      {
        "name": "label",
        "kind": "list",
        "description": "A label of the callback URL that received the event, as name:value. Repeat the parameter to match all of several values."
      },
      {
        "name": "user_metadata",
        "kind": "list",
        "description": "A top-level key of `user_metadata`, or a key and its value as key=value. The value is compared as text: `n=1` matches the number 1 and the text, and `n=null` the JSON null and the text. Repeat the parameter to match all of several values."
      },
      {
        "name": "event",
        "kind": "string",
        "description": "The id of the event"
      },
      {
        "name": "target",
        "kind": "string",
        "description": "The id of the target, which may be deleted"
      },
      {
        "name": "status_code",
        "kind": "list",
        "description": "Any of these status codes of the last attempt: a code, a class such as `5xx`, or `none` when there was no response"
      },
      {
        "name": "error",
        "kind": "string",
        "description": "A text that the error of the last attempt contains, in upper or lower case"
      },
      {
        "name": "min_attempts",
        "kind": "integer",
        "description": "The least number of attempts"
      },
      {
        "name": "all",
        "kind": "boolean",
        "description": "Required when no filter is given, so that the whole log is not taken by mistake"
      },
      {
        "name": "dry_run",
        "kind": "boolean",
        "description": "Only count the deliveries that match, and change nothing"
      },
      {
        "name": "status",
        "kind": "list",
        "values": [
          "pending",
          "succeeded",
          "exhausted",
          "cancelled"
        ],
        "description": "Any of these statuses. When not given, only `exhausted`: deliveries that succeeded or were cancelled are retried only when their status is given."
      }
    ],
    "takesForce": false
  },
  "cancelDeliveries": {
    "method": "POST",
    "path": "/v1/deliveries:cancel",
    "summary": "Cancel all deliveries that match",
    "query": [],
    "body": [
      {
        "name": "since",
        "kind": "string",
        "isTime": true,
        "description": "The start of the time range, included, as RFC 3339. It is compared with the time that a row shows: when it was received, created or started."
      },
      {
        "name": "until",
        "kind": "string",
        "isTime": true,
        "description": "The end of the time range, not included, as RFC 3339. It is compared with the time that a row shows: when it was received, created or started."
      },
      {
        "name": "source",
        "kind": "string",
        "description": "The id or the name of a source"
      },
      {
        "name": "event_type",
        "kind": "string",
        "description": "An event type, or a group of them such as `batch.*`. `batch.completed` and `batch.succeeded` are two names of one type."
      },
      {
        "name": "webhook_id",
        "kind": "string",
        "description": "The `webhook-id` that the sender set"
      },
      {
        "name": "data_id",
        "kind": "string",
        "description": "`data.id` of the payload: the Gemini job that the event is about, with or without `batches/`"
      },
      {
        "name": "label",
        "kind": "list",
        "description": "A label of the callback URL that received the event, as name:value. Repeat the parameter to match all of several values."
      },
      {
        "name": "user_metadata",
        "kind": "list",
        "description": "A top-level key of `user_metadata`, or a key and its value as key=value. The value is compared as text: `n=1` matches the number 1 and the text, and `n=null` the JSON null and the text. Repeat the parameter to match all of several values."
      },
      {
        "name": "event",
        "kind": "string",
        "description": "The id of the event"
      },
      {
        "name": "target",
        "kind": "string",
        "description": "The id of the target, which may be deleted"
      },
      {
        "name": "status_code",
        "kind": "list",
        "description": "Any of these status codes of the last attempt: a code, a class such as `5xx`, or `none` when there was no response"
      },
      {
        "name": "error",
        "kind": "string",
        "description": "A text that the error of the last attempt contains, in upper or lower case"
      },
      {
        "name": "min_attempts",
        "kind": "integer",
        "description": "The least number of attempts"
      },
      {
        "name": "all",
        "kind": "boolean",
        "description": "Required when no filter is given, so that the whole log is not taken by mistake"
      },
      {
        "name": "dry_run",
        "kind": "boolean",
        "description": "Only count the deliveries that match, and change nothing"
      }
    ],
    "takesForce": false
  },
  "listOperations": {
    "method": "GET",
    "path": "/v1/operations",
    "summary": "List the operations on many deliveries or events, newest first",
    "query": [
      {
        "name": "limit",
        "kind": "integer",
        "description": "The largest number of entries in the page"
      },
      {
        "name": "state",
        "kind": "string",
        "values": [
          "running",
          "succeeded",
          "cancelled",
          "failed"
        ],
        "description": "The state of the operation"
      }
    ],
    "body": [],
    "takesForce": false
  },
  "getOperation": {
    "method": "GET",
    "path": "/v1/operations/{id}",
    "summary": "Read an operation and its progress",
    "query": [],
    "body": [],
    "takesForce": false
  },
  "cancelOperation": {
    "method": "POST",
    "path": "/v1/operations/{id}:cancel",
    "summary": "Stop an operation",
    "query": [],
    "body": [],
    "takesForce": false
  },
  "listAttempts": {
    "method": "GET",
    "path": "/v1/attempts",
    "summary": "List the attempts that match every filter",
    "query": [
      {
        "name": "limit",
        "kind": "integer",
        "description": "The largest number of entries in the page"
      },
      {
        "name": "order",
        "kind": "string",
        "values": [
          "newest",
          "oldest"
        ],
        "description": "Which entries come first. With `oldest`, the list can be read on from its end: see `resume_cursor`. An entry that is stored late then comes after newer ones."
      },
      {
        "name": "since",
        "kind": "string",
        "isTime": true,
        "description": "The start of the time range, included, as RFC 3339. It is compared with the time that a row shows: when it was received, created or started."
      },
      {
        "name": "until",
        "kind": "string",
        "isTime": true,
        "description": "The end of the time range, not included, as RFC 3339. It is compared with the time that a row shows: when it was received, created or started."
      },
      {
        "name": "source",
        "kind": "string",
        "description": "The id or the name of a source"
      },
      {
        "name": "event_type",
        "kind": "string",
        "description": "An event type, or a group of them such as `batch.*`. `batch.completed` and `batch.succeeded` are two names of one type."
      },
      {
        "name": "webhook_id",
        "kind": "string",
        "description": "The `webhook-id` that the sender set"
      },
      {
        "name": "data_id",
        "kind": "string",
        "description": "`data.id` of the payload: the Gemini job that the event is about, with or without `batches/`"
      },
      {
        "name": "label",
        "kind": "list",
        "description": "A label of the callback URL that received the event, as name:value. Repeat the parameter to match all of several values."
      },
      {
        "name": "user_metadata",
        "kind": "list",
        "description": "A top-level key of `user_metadata`, or a key and its value as key=value. The value is compared as text: `n=1` matches the number 1 and the text, and `n=null` the JSON null and the text. Repeat the parameter to match all of several values."
      },
      {
        "name": "event",
        "kind": "string",
        "description": "The id of the event"
      },
      {
        "name": "target",
        "kind": "string",
        "description": "The id of the target, which may be deleted"
      },
      {
        "name": "status_code",
        "kind": "list",
        "description": "The status code of the attempt, or of the last attempt of a delivery: a code, a class such as `5xx`, or `none` when there was no response. Repeat the parameter to match any of several values."
      },
      {
        "name": "error",
        "kind": "string",
        "description": "A text that the error of the last attempt contains, in upper or lower case"
      },
      {
        "name": "min_attempts",
        "kind": "integer",
        "description": "The least number of attempts"
      },
      {
        "name": "delivery",
        "kind": "string",
        "description": "The id of the delivery"
      },
      {
        "name": "trigger",
        "kind": "list",
        "values": [
          "initial",
          "retry",
          "manual"
        ],
        "description": "Why the attempt was made. Repeat the parameter to match any of several values."
      }
    ],
    "body": [],
    "takesForce": false
  },
  "getAttempt": {
    "method": "GET",
    "path": "/v1/attempts/{id}",
    "summary": "Read an attempt",
    "query": [],
    "body": [],
    "takesForce": false
  },
  "listRejections": {
    "method": "GET",
    "path": "/v1/rejections",
    "summary": "List the refused requests that match every filter",
    "query": [
      {
        "name": "limit",
        "kind": "integer",
        "description": "The largest number of entries in the page"
      },
      {
        "name": "order",
        "kind": "string",
        "values": [
          "newest",
          "oldest"
        ],
        "description": "Which entries come first. With `oldest`, the list can be read on from its end: see `resume_cursor`. An entry that is stored late then comes after newer ones."
      },
      {
        "name": "since",
        "kind": "string",
        "isTime": true,
        "description": "The start of the time range, included, as RFC 3339. It is compared with the time that a row shows: when it was received, created or started."
      },
      {
        "name": "until",
        "kind": "string",
        "isTime": true,
        "description": "The end of the time range, not included, as RFC 3339. It is compared with the time that a row shows: when it was received, created or started."
      },
      {
        "name": "source",
        "kind": "string",
        "description": "The id or the name of a source"
      },
      {
        "name": "webhook_id",
        "kind": "string",
        "description": "The `webhook-id` that the sender set"
      },
      {
        "name": "reason",
        "kind": "list",
        "values": [
          "missing_token",
          "unknown_token",
          "expired_token",
          "consumed_token",
          "too_large",
          "body_interrupted",
          "missing_header",
          "malformed_header",
          "malformed_signature",
          "unaccepted_scheme",
          "unaccepted_algorithm",
          "stale_timestamp",
          "future_timestamp",
          "no_secret",
          "unknown_key",
          "signature_mismatch",
          "wrong_audience",
          "wrong_issuer",
          "wrong_token_type",
          "excessive_lifetime",
          "spent_token",
          "body_mismatch",
          "body_unbound",
          "reconciled_before"
        ],
        "description": "Why the request was refused. Repeat the parameter to match any of several values."
      },
      {
        "name": "remote_address",
        "kind": "string",
        "description": "The IP address of the sender"
      },
      {
        "name": "error",
        "kind": "string",
        "description": "A text that the detail contains, in upper or lower case"
      }
    ],
    "body": [],
    "takesForce": false
  },
  "getRejection": {
    "method": "GET",
    "path": "/v1/rejections/{id}",
    "summary": "Read a refused request",
    "query": [],
    "body": [],
    "takesForce": false
  },
  "listJobs": {
    "method": "GET",
    "path": "/v1/jobs",
    "summary": "List the jobs at Gemini that the relay knows, newest first",
    "query": [
      {
        "name": "limit",
        "kind": "integer",
        "description": "The largest number of entries in the page"
      },
      {
        "name": "status",
        "kind": "list",
        "values": [
          "waiting",
          "seen",
          "reconciled",
          "overdue",
          "failed"
        ],
        "description": "The status of the job. Repeat the parameter to match any of several values."
      },
      {
        "name": "kind",
        "kind": "string",
        "values": [
          "batch",
          "interaction",
          "video"
        ],
        "description": "The kind of the job"
      },
      {
        "name": "source",
        "kind": "string",
        "description": "The id or the name of a source"
      },
      {
        "name": "name",
        "kind": "string",
        "description": "The name that Gemini gave to the job: `batches/…`, the id of an interaction, or `models/…/operations/…` of a video"
      }
    ],
    "body": [],
    "takesForce": false
  },
  "createJob": {
    "method": "POST",
    "path": "/v1/jobs",
    "summary": "Announce a job, so that it is not missed when its webhook does not come",
    "query": [],
    "body": [
      {
        "name": "kind",
        "kind": "string",
        "values": [
          "batch",
          "interaction",
          "video"
        ],
        "isRequired": true,
        "description": "What the job is at Gemini"
      },
      {
        "name": "name",
        "kind": "string",
        "isRequired": true,
        "description": "The name that Gemini gave to the job: `batches/…`, the id of an interaction, or `models/…/operations/…` of a video"
      },
      {
        "name": "source",
        "kind": "string",
        "isRequired": true,
        "description": "The name or the id of the source by which its webhook comes"
      },
      {
        "name": "expect_within_seconds",
        "kind": "integer",
        "description": "The time from now on within which the job should end. A day for a batch when not given, and an hour for any other job."
      },
      {
        "name": "labels",
        "kind": "map",
        "description": "The labels of the event that the relay makes, should the webhook not come"
      }
    ],
    "takesForce": false
  },
  "getJob": {
    "method": "GET",
    "path": "/v1/jobs/{id}",
    "summary": "Read a job",
    "query": [],
    "body": [],
    "takesForce": false
  },
  "updateJob": {
    "method": "PATCH",
    "path": "/v1/jobs/{id}",
    "summary": "Send the name of a job that was announced with its callback URL",
    "query": [],
    "body": [
      {
        "name": "name",
        "kind": "string",
        "isRequired": true,
        "description": "The name that Gemini gave to the job: `batches/…`, the id of an interaction, or `models/…/operations/…` of a video"
      }
    ],
    "takesForce": false
  },
  "listKeys": {
    "method": "GET",
    "path": "/v1/keys",
    "summary": "List the API keys, newest first",
    "query": [
      {
        "name": "limit",
        "kind": "integer",
        "description": "The largest number of entries in the page"
      },
      {
        "name": "name",
        "kind": "string",
        "description": "Only what has exactly this name"
      }
    ],
    "body": [],
    "takesForce": false
  },
  "createKey": {
    "method": "POST",
    "path": "/v1/keys",
    "summary": "Make an API key",
    "query": [],
    "body": [
      {
        "name": "name",
        "kind": "string",
        "isRequired": true,
        "description": "Unique among the keys that are not revoked. Upper and lower case differ."
      },
      {
        "name": "scopes",
        "kind": "list",
        "isRequired": true,
        "description": "`read` allows every read. `write` includes `read` and allows changes. `admin` includes both, manages keys and reads the audit trail. `target:` with the id of a pull target, alone, allows to pull for that target and to read it and its deliveries."
      },
      {
        "name": "expires_at",
        "kind": "string",
        "isTime": true,
        "isNullable": true,
        "description": "The time from which the key is refused. Null when the key never expires."
      }
    ],
    "takesForce": false
  },
  "getKeysSelf": {
    "method": "GET",
    "path": "/v1/keys/self",
    "summary": "Read the API key of this request",
    "query": [],
    "body": [],
    "takesForce": false
  },
  "getKey": {
    "method": "GET",
    "path": "/v1/keys/{id}",
    "summary": "Read an API key",
    "query": [],
    "body": [],
    "takesForce": false
  },
  "revokeKey": {
    "method": "POST",
    "path": "/v1/keys/{id}:revoke",
    "summary": "Revoke an API key at once and for good",
    "query": [],
    "body": [],
    "takesForce": true
  },
  "listAudit": {
    "method": "GET",
    "path": "/v1/audit",
    "summary": "List the changes that were made through the API",
    "query": [
      {
        "name": "limit",
        "kind": "integer",
        "description": "The largest number of entries in the page"
      },
      {
        "name": "order",
        "kind": "string",
        "values": [
          "newest",
          "oldest"
        ],
        "description": "Which entries come first. With `oldest`, the list can be read on from its end: see `resume_cursor`. An entry that is stored late then comes after newer ones."
      },
      {
        "name": "since",
        "kind": "string",
        "isTime": true,
        "description": "The start of the time range, included, as RFC 3339. It is compared with the time that a row shows: when it was received, created or started."
      },
      {
        "name": "until",
        "kind": "string",
        "isTime": true,
        "description": "The end of the time range, not included, as RFC 3339. It is compared with the time that a row shows: when it was received, created or started."
      },
      {
        "name": "actor",
        "kind": "string",
        "description": "The id of an API key, or `environment` for the key from `ADMIN_API_KEY` and for people whom a proxy signed in"
      },
      {
        "name": "action",
        "kind": "string",
        "description": "An action, or a group of them such as `target.*`"
      },
      {
        "name": "resource",
        "kind": "string",
        "description": "The id of the changed resource"
      }
    ],
    "body": [],
    "takesForce": false
  },
  "getAudit": {
    "method": "GET",
    "path": "/v1/audit/{id}",
    "summary": "Read an entry of the audit trail",
    "query": [],
    "body": [],
    "takesForce": false
  },
  "listSetAsideEvents": {
    "method": "GET",
    "path": "/v1/set-aside-events",
    "summary": "List the events that could not be stored, newest first",
    "query": [
      {
        "name": "limit",
        "kind": "integer",
        "description": "The largest number of entries in the page"
      }
    ],
    "body": [],
    "takesForce": false
  },
  "getSetAsideEvent": {
    "method": "GET",
    "path": "/v1/set-aside-events/{id}",
    "summary": "Read a set-aside event with its body",
    "query": [],
    "body": [],
    "takesForce": false
  },
  "deleteSetAsideEvent": {
    "method": "DELETE",
    "path": "/v1/set-aside-events/{id}",
    "summary": "Discard a set-aside event for good",
    "query": [],
    "body": [],
    "takesForce": false
  },
  "retrySetAsideEvent": {
    "method": "POST",
    "path": "/v1/set-aside-events/{id}:retry",
    "summary": "Try once more to store a set-aside event",
    "query": [],
    "body": [],
    "takesForce": false
  },
  "retrySetAsideEvents": {
    "method": "POST",
    "path": "/v1/set-aside-events:retry",
    "summary": "Try once more to store every set-aside event",
    "query": [],
    "body": [],
    "takesForce": false
  },
  "getStats": {
    "method": "GET",
    "path": "/v1/stats",
    "summary": "Count events, deliveries and attempts",
    "query": [
      {
        "name": "group_by",
        "kind": "string",
        "values": [
          "target",
          "source",
          "event_type",
          "none"
        ],
        "description": "What each row is counted for. `none`: each interval has one row, for everything."
      },
      {
        "name": "interval",
        "kind": "string",
        "values": [
          "minute",
          "ten_minutes",
          "hour",
          "six_hours",
          "day"
        ],
        "description": "The length of an interval. Days are days of UTC."
      },
      {
        "name": "since",
        "kind": "string",
        "isTime": true,
        "description": "The start of the time range, included, as RFC 3339. It is compared with the time that a row shows: when it was received, created or started."
      },
      {
        "name": "until",
        "kind": "string",
        "isTime": true,
        "description": "The end of the time range, not included, as RFC 3339. It is compared with the time that a row shows: when it was received, created or started."
      },
      {
        "name": "target",
        "kind": "string",
        "description": "The id of the target, which may be deleted"
      },
      {
        "name": "source",
        "kind": "string",
        "description": "The id or the name of a source"
      },
      {
        "name": "event_type",
        "kind": "string",
        "description": "An event type, or a group of them such as `batch.*`. `batch.completed` and `batch.succeeded` are two names of one type."
      }
    ],
    "body": [],
    "takesForce": false
  },
  "getStatsWaiting": {
    "method": "GET",
    "path": "/v1/stats/waiting",
    "summary": "Show what waited for the targets",
    "query": [
      {
        "name": "interval",
        "kind": "string",
        "values": [
          "minute",
          "ten_minutes",
          "hour",
          "six_hours",
          "day"
        ],
        "description": "The length of an interval. Days are days of UTC."
      },
      {
        "name": "since",
        "kind": "string",
        "isTime": true,
        "description": "The start of the time range, included, as RFC 3339. It is compared with the time that a row shows: when it was received, created or started."
      },
      {
        "name": "until",
        "kind": "string",
        "isTime": true,
        "description": "The end of the time range, not included, as RFC 3339. It is compared with the time that a row shows: when it was received, created or started."
      },
      {
        "name": "target",
        "kind": "string",
        "description": "The id of the target, which may be deleted"
      },
      {
        "name": "targets",
        "kind": "integer",
        "description": "How many targets have rows of their own: those for which most waited in the range"
      }
    ],
    "body": [],
    "takesForce": false
  },
  "getStatsRejections": {
    "method": "GET",
    "path": "/v1/stats/rejections",
    "summary": "Count the refused requests by source and reason",
    "query": [
      {
        "name": "since",
        "kind": "string",
        "isTime": true,
        "description": "The start of the time range, included, as RFC 3339. It is compared with the time that a row shows: when it was received, created or started."
      },
      {
        "name": "until",
        "kind": "string",
        "isTime": true,
        "description": "The end of the time range, not included, as RFC 3339. It is compared with the time that a row shows: when it was received, created or started."
      },
      {
        "name": "source",
        "kind": "string",
        "description": "The id or the name of a source"
      },
      {
        "name": "webhook_id",
        "kind": "string",
        "description": "The `webhook-id` that the sender set"
      },
      {
        "name": "reason",
        "kind": "list",
        "values": [
          "missing_token",
          "unknown_token",
          "expired_token",
          "consumed_token",
          "too_large",
          "body_interrupted",
          "missing_header",
          "malformed_header",
          "malformed_signature",
          "unaccepted_scheme",
          "unaccepted_algorithm",
          "stale_timestamp",
          "future_timestamp",
          "no_secret",
          "unknown_key",
          "signature_mismatch",
          "wrong_audience",
          "wrong_issuer",
          "wrong_token_type",
          "excessive_lifetime",
          "spent_token",
          "body_mismatch",
          "body_unbound",
          "reconciled_before"
        ],
        "description": "Why the request was refused. Repeat the parameter to match any of several values."
      },
      {
        "name": "remote_address",
        "kind": "string",
        "description": "The IP address of the sender"
      },
      {
        "name": "error",
        "kind": "string",
        "description": "A text that the detail contains, in upper or lower case"
      }
    ],
    "body": [],
    "takesForce": false
  },
  "getTail": {
    "method": "GET",
    "path": "/v1/tail",
    "summary": "Follow the log as it happens",
    "query": [
      {
        "name": "source",
        "kind": "string",
        "description": "The id or the name of a source"
      },
      {
        "name": "event_type",
        "kind": "string",
        "description": "An event type, or a group of them such as `batch.*`. `batch.completed` and `batch.succeeded` are two names of one type."
      },
      {
        "name": "webhook_id",
        "kind": "string",
        "description": "The `webhook-id` that the sender set"
      },
      {
        "name": "data_id",
        "kind": "string",
        "description": "`data.id` of the payload: the Gemini job that the event is about, with or without `batches/`"
      },
      {
        "name": "label",
        "kind": "list",
        "description": "A label of the callback URL that received the event, as name:value. Repeat the parameter to match all of several values."
      },
      {
        "name": "user_metadata",
        "kind": "list",
        "description": "A top-level key of `user_metadata`, or a key and its value as key=value. The value is compared as text: `n=1` matches the number 1 and the text, and `n=null` the JSON null and the text. Repeat the parameter to match all of several values."
      },
      {
        "name": "event",
        "kind": "string",
        "description": "The id of the event"
      },
      {
        "name": "target",
        "kind": "string",
        "description": "The id of the target, which may be deleted"
      },
      {
        "name": "status_code",
        "kind": "list",
        "description": "The status code of the attempt, or of the last attempt of a delivery: a code, a class such as `5xx`, or `none` when there was no response. Repeat the parameter to match any of several values."
      },
      {
        "name": "error",
        "kind": "string",
        "description": "A text that the error of the last attempt contains, in upper or lower case"
      },
      {
        "name": "min_attempts",
        "kind": "integer",
        "description": "The least number of attempts"
      },
      {
        "name": "status",
        "kind": "list",
        "values": [
          "pending",
          "succeeded",
          "exhausted",
          "cancelled"
        ],
        "description": "The status that a delivery changed to. Repeat the parameter to match any of several values."
      },
      {
        "name": "kind",
        "kind": "list",
        "values": [
          "event",
          "attempt",
          "delivery"
        ],
        "description": "The kind of message. Repeat the parameter to match any of several values."
      },
      {
        "name": "last_event_id",
        "kind": "string",
        "description": "The `id` of the last message received: the stream continues after it. An `EventSource` that reconnects sends the same as the header `Last-Event-ID`, which takes precedence."
      },
      {
        "name": "for_seconds",
        "kind": "integer",
        "description": "Ends the stream after so many seconds. Without it the stream has no end."
      }
    ],
    "body": [],
    "takesForce": false
  },
  "getSystem": {
    "method": "GET",
    "path": "/v1/system",
    "summary": "Show how the relay is",
    "query": [],
    "body": [],
    "takesForce": false
  },
  "getSystemSettings": {
    "method": "GET",
    "path": "/v1/system/settings",
    "summary": "List the settings of this gateway",
    "query": [],
    "body": [],
    "takesForce": false
  },
  "getSystemLog": {
    "method": "GET",
    "path": "/v1/system/log",
    "summary": "Read the latest warnings and errors of this gateway",
    "query": [],
    "body": [],
    "takesForce": false
  }
} as const satisfies Record<string, ApiEndpoint>;

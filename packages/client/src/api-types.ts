// Made from the OpenAPI document by `npm test -- api-types -u`, and compared with it by api-types.test.ts. Do not edit it.
// Errors are left out, because the client throws each of them as an ApiError. Headers are, because fetch gives them without types.

export interface paths {
    "/v1/sources": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List sources, newest first
         * @description The list has the built-in sources too. Signing secrets are shown by their ends.
         */
        get: operations["listSources"];
        put?: never;
        /**
         * Create a source
         * @description Every gateway accepts webhooks for the source within a second.
         */
        post: operations["createSource"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/sources/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Read a source
         * @description Signing secrets are shown by their ends, and the key of the Gemini API too.
         */
        get: operations["getSource"];
        put?: never;
        post?: never;
        /**
         * Delete a source
         * @description Webhooks for the source are refused from now on. Its events stay in the log.
         */
        delete: operations["deleteSource"];
        options?: never;
        head?: never;
        /**
         * Change fields of a source
         * @description Fields that you leave out stay as they are. `signing_secret` replaces every stored secret.
         */
        patch: operations["updateSource"];
        trace?: never;
    };
    "/v1/sources/by-name/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Read the source of a name
         * @description The name is the one in `ingress_path`.
         */
        get: operations["getSourceByName"];
        /**
         * Create or replace the source of a name
         * @description Makes a source with this name, or replaces the settings of the source that has it. What the body leaves out goes back to its default. Credentials stay: signing secrets, ingress tokens and `gemini_api_key`. `kind` is `static` unless it is given, and a source cannot change it. A new secret or token is only in the answer 201.
         */
        put: operations["replaceSourceByName"];
        post?: never;
        /**
         * Delete the source of a name
         * @description Its events stay in the log. The name is free again at once.
         */
        delete: operations["deleteSourceByName"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/sources/{id}/signing-secrets": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Rotate the signing secret of a static source
         * @description Until the earlier secrets expire, the source accepts the signatures of all its secrets.
         */
        post: operations["createSourceSigningSecret"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/sources/{id}/ingress-tokens": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Create an ingress token for a dynamic source
         * @description The token is a part of the address of the source. Several can be valid at the same time.
         */
        post: operations["createSourceIngressToken"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/sources/{id}/ingress-tokens/{token_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /**
         * Revoke an ingress token at once
         * @description Webhooks that come to the address with this token are refused from now on.
         */
        delete: operations["deleteSourceIngressToken"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/sources/{id}/callback-urls": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Create a callback URL for one job
         * @description Send the URL as one of the `webhook_config.uris` of the job. The events that come by it get its labels.
         */
        post: operations["createSourceCallbackUrl"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/sources/{id}:verify": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Say what the relay answers to a captured webhook
         * @description The relay judges the request by the source's settings, secrets and key set, in the order of the ingress. Nothing is stored and no callback URL is used up.
         */
        post: operations["verifySource"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/sources/{id}/upstream": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Read the webhook of a source at Gemini
         * @description The answer shows it as it was last seen, with what differs from what the source expects.
         */
        get: operations["getSourceUpstream"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        /**
         * Change what the relay does by itself about the webhook of a source
         * @description The relay can rotate the signing secret after some days, and enable a webhook that Gemini disabled.
         */
        patch: operations["updateSourceUpstream"];
        trace?: never;
    };
    "/v1/sources/{id}/upstream:register": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Register the address of a static source at Gemini
         * @description Finds the webhook by its URI or creates it, gives its signing secret to the source, pings it, and waits up to 20 seconds for the event. `steps` says how far it came.
         */
        post: operations["registerSourceUpstream"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/sources/{id}/upstream:check": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Look at the webhook of a source at Gemini now
         * @description A worker looks by itself every few minutes. This also goes on with what was begun and has not ended.
         */
        post: operations["checkSourceUpstream"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/sources/{id}/upstream:rotate": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Rotate the signing secret of the webhook at Gemini
         * @description The source gets the new secret. Gemini signs with both for 24 hours.
         */
        post: operations["rotateSourceUpstream"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/sources/{id}/upstream:heal": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Enable the webhook at Gemini again
         * @description The relay then waits for an event to arrive, and looks for the events that it missed.
         */
        post: operations["healSourceUpstream"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/sources/{id}/upstream:deregister": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Delete the webhook of a source at Gemini
         * @description The relay forgets the webhook. The signing secrets of the source stay.
         */
        post: operations["deregisterSourceUpstream"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/targets": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List targets, newest first
         * @description Values of headers and secrets are not shown.
         */
        get: operations["listTargets"];
        put?: never;
        /**
         * Create a target
         * @description The target gets the events that arrive from now on. Only this answer shows its signing secret.
         */
        post: operations["createTarget"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/targets/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Read a target
         * @description The answer has its settings, its state and its health.
         */
        get: operations["getTarget"];
        put?: never;
        post?: never;
        /**
         * Delete a target
         * @description Its pending deliveries are cancelled. Its events, deliveries and attempts stay in the log.
         */
        delete: operations["deleteTarget"];
        options?: never;
        head?: never;
        /**
         * Change fields of a target
         * @description Fields that you leave out stay as they are. `headers` are replaced as a whole, and `tls` and `retry` field by field.
         */
        patch: operations["updateTarget"];
        trace?: never;
    };
    "/v1/targets:try-filter": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Try a filter on the newest events
         * @description Says which of the newest events a target with this subscription and this filter would get. Nothing is stored or sent.
         */
        post: operations["tryTargetsFilter"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/targets/by-name/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Read the target of a name
         * @description Names are compared character by character. In the path, they are percent-encoded.
         */
        get: operations["getTargetByName"];
        /**
         * Create or replace the target of a name
         * @description Makes a target with this name, or replaces the settings of the target that has it. What the body leaves out goes back to its default, also `state`. Credentials stay: signing secrets, `headers`, and the client certificate with its key in `tls`. A new signing secret is only in the answer 201.
         */
        put: operations["replaceTargetByName"];
        post?: never;
        /**
         * Delete the target of a name
         * @description Its pending deliveries are cancelled, and its log stays. The name is free again at once.
         */
        delete: operations["deleteTargetByName"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/targets/{id}:pause": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Pause a target
         * @description The target still gets deliveries for new events, and the relay holds them all until `:resume`.
         */
        post: operations["pauseTarget"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/targets/{id}:resume": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Resume a paused target
         * @description The held deliveries of the target become due. A disabled target is not resumed: see `:enable`.
         */
        post: operations["resumeTarget"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/targets/{id}:enable": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Enable a target
         * @description Also a target that was disabled for failed deliveries. Its held deliveries become due.
         */
        post: operations["enableTarget"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/targets/{id}:disable": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Disable a target
         * @description The relay holds the pending deliveries of the target, and makes none for new events.
         */
        post: operations["disableTarget"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/targets/{id}:rotate-secret": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Rotate the signing secret of a target
         * @description Until the earlier secrets expire, the relay signs every attempt with all secrets of the target.
         */
        post: operations["rotateTargetSecret"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/targets/{id}:test": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Send a signed test event to one target, and wait for the attempt
         * @description The event has the type `sluice.test`. The target gets it regardless of its subscription and filter. The relay attempts the delivery once, whatever the state of the target is. For a pull target the delivery waits to be pulled; the answer comes when it is acknowledged, or after 5 seconds.
         */
        post: operations["testTarget"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/targets/{id}:pull": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Take deliveries of a pull target that are due
         * @description Waits for `wait_seconds` if none is due. Nobody else gets these deliveries until their lease ends. Report each by `:ack`; one that you do not report is due again when its lease ends. An `Idempotency-Key` is ignored, and the audit trail gets no entry.
         */
        post: operations["pullTarget"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/targets/{id}:ack": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Report what became of pulled deliveries
         * @description Each result is recorded as an attempt. A success finishes the delivery, also after its lease has ended. After a failure the delivery is due again by the `retry` of the target. The same report again changes nothing: repeat a request whose answer you did not get. An `Idempotency-Key` is ignored, and the audit trail gets no entry.
         */
        post: operations["ackTarget"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/targets/{id}:extend": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Keep pulled deliveries for longer
         * @description Sets the ends of the leases anew, also of those that ended while nobody else took the delivery.
         */
        post: operations["extendTarget"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/webhooks": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List webhooks, newest first
         * @description Every target is a webhook, except pull targets. The `uri` of a chat target is only its scheme and host.
         */
        get: operations["listWebhooks"];
        put?: never;
        /**
         * Create a webhook
         * @description The webhook is a target too. Only this answer shows its signing secret.
         */
        post: operations["createWebhook"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/webhooks/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get a webhook
         * @description The fields are those of Gemini's WebhookService.
         */
        get: operations["getWebhook"];
        put?: never;
        post?: never;
        /**
         * Delete a webhook
         * @description The target is deleted, and its pending deliveries are cancelled. Its log stays.
         */
        delete: operations["deleteWebhook"];
        options?: never;
        head?: never;
        /**
         * Change fields of a webhook
         * @description Changes the fields that `update_mask` names. The other settings of the target stay as they are.
         */
        patch: operations["updateWebhook"];
        trace?: never;
    };
    "/v1/webhooks/{id}:rotateSigningSecret": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Rotate the signing secret of a webhook
         * @description Only this answer shows the new secret. The earlier ones are revoked at once, or after 24 hours.
         */
        post: operations["rotateWebhookSigningSecret"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/webhooks/{id}/rotate_secret": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Rotate the signing secret of a webhook
         * @description Only this answer shows the new secret. The earlier ones are revoked at once, or after 24 hours.
         */
        post: operations["rotateWebhookSecret"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/webhooks/{id}:ping": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Ping a webhook
         * @description The webhook gets a signed event of the type `ping`, regardless of its state. The relay attempts the ping once. If the webhook does not answer it with a 2xx, the error is FAILED_PRECONDITION.
         */
        post: operations["pingWebhook"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1beta/webhooks": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List webhooks, newest first
         * @description Every target is a webhook, except pull targets. The `uri` of a chat target is only its scheme and host.
         */
        get: operations["listWebhooksBeta"];
        put?: never;
        /**
         * Create a webhook
         * @description The webhook is a target too. Only this answer shows its signing secret.
         */
        post: operations["createWebhookBeta"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1beta/webhooks/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get a webhook
         * @description The fields are those of Gemini's WebhookService.
         */
        get: operations["getWebhookBeta"];
        put?: never;
        post?: never;
        /**
         * Delete a webhook
         * @description The target is deleted, and its pending deliveries are cancelled. Its log stays.
         */
        delete: operations["deleteWebhookBeta"];
        options?: never;
        head?: never;
        /**
         * Change fields of a webhook
         * @description Changes the fields that `update_mask` names. The other settings of the target stay as they are.
         */
        patch: operations["updateWebhookBeta"];
        trace?: never;
    };
    "/v1beta/webhooks/{id}:rotateSigningSecret": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Rotate the signing secret of a webhook
         * @description Only this answer shows the new secret. The earlier ones are revoked at once, or after 24 hours.
         */
        post: operations["rotateWebhookSigningSecretBeta"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1beta/webhooks/{id}/rotate_secret": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Rotate the signing secret of a webhook
         * @description Only this answer shows the new secret. The earlier ones are revoked at once, or after 24 hours.
         */
        post: operations["rotateWebhookSecretBeta"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1beta/webhooks/{id}:ping": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Ping a webhook
         * @description The webhook gets a signed event of the type `ping`, regardless of its state. The relay attempts the ping once. If the webhook does not answer it with a 2xx, the error is FAILED_PRECONDITION.
         */
        post: operations["pingWebhookBeta"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List the events that match every filter
         * @description A page with large payloads holds fewer events than `limit`.
         */
        get: operations["listEvents"];
        put?: never;
        /**
         * Inject an event as if a sender had sent it
         * @description The body that targets get is Gemini's thin payload: `{type, version, timestamp, data, user_metadata}`. The event is deduplicated by `webhook_id`, filtered, delivered, retried and signed like every other event. In the log its `scheme` is `api`. The answer is sent when the event is durable.
         */
        post: operations["createEvent"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/events/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Read an event with its deliveries and their attempts
         * @description The answer shows the newest 1000 attempts of all deliveries together.
         */
        get: operations["getEvent"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/events/{id}/body": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Read the body of an event, byte for byte as it was signed
         * @description A body that came as JSON is answered as `application/json`, and any other as `application/octet-stream`: the sender decides what the body is, and the answer must be none that a browser shows as a page or a client takes for an error. `Sluice-Content-Type` has the content type that the body came with.
         */
        get: operations["getEventBody"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/events/{id}:replay": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Send an event again
         * @description An event has one delivery per target. A target that already has one gets it retried, unless `again` is false; any other target gets a new one. The delivery to a paused target is held until the target is resumed. A disabled target is left out, or refused when `targets` names it (`target_disabled`). An event past its retention is a 404, and one whose body was removed a 410 (`body_removed`). `POST /v1/events:replay` does the same for many events.
         */
        post: operations["replayEvent"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/events:replay": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Send all events that match to targets
         * @description The filters are those of `GET /v1/events`, and `filter`. At least one of them, or `all`, is required. The events that were received before the request are replayed, the oldest first, as far back as the log reaches. An event has one delivery per target: a target that has one of an event gets no second one. The same request can therefore be made again, and does only what is missing. With `again`, a delivery that is finished is retried; one that waits for an attempt, or is being attempted, is left. The operation goes as fast as the targets take the deliveries. A paused target gets them when it is resumed.
         */
        post: operations["replayEvents"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/events/{id}:erase": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Erase what an event contains
         * @description Removes the body at once, with everything that was taken from it: payload, user metadata, labels, the terms by which it is found, and the excerpts of what targets answered. The trace stays: ids, type, times, deliveries and attempts. Unfinished deliveries are cancelled. The event can no longer be replayed (`body_removed`), and its `webhook_id` is still a duplicate. Erasing again changes nothing. Needs a key with the scope `admin`. An event that waits in the queue is not in the log yet, and is a 404: erase it when it is. Discard one that was set aside.
         */
        post: operations["eraseEvent"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/deliveries": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List the deliveries that match every filter
         * @description `status_code` and `error` are compared with the last attempt of a delivery, and `min_attempts` with the number of its attempts so far. Each attempt changes them.
         */
        get: operations["listDeliveries"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/deliveries/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Read a delivery with its attempts
         * @description The attempts are the newest 1000, with the oldest of them first.
         */
        get: operations["getDelivery"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/deliveries/{id}:retry": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Retry a delivery now
         * @description The delivery may have any status, and gets a new deadline. When its target is paused or disabled, or its circuit breaker is open, the delivery becomes `pending` and waits for the target. When the body of its event was removed, there is nothing to send (`body_removed`).
         */
        post: operations["retryDelivery"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/deliveries/{id}:cancel": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Cancel a pending delivery
         * @description A cancelled delivery gets no more attempts, but can be retried later. A delivery that a worker holds is a 409 (`delivery_in_flight`), and so is one that is finished (`delivery_finished`).
         */
        post: operations["cancelDelivery"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/deliveries:retry": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Retry all deliveries that match
         * @description The filters are those of `GET /v1/deliveries`. At least one filter, or `all`, is required. Only deliveries created before the request are changed, the oldest first. Only `exhausted` deliveries are retried unless `status` names others. The operation goes as fast as the targets take the deliveries. Deliveries to a target that is paused or disabled, or whose circuit breaker is open, wait, and do not hold up other targets.
         */
        post: operations["retryDeliveries"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/deliveries:cancel": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Cancel all deliveries that match
         * @description The filters are those of `GET /v1/deliveries`. At least one filter, or `all`, is required. Only deliveries created before the request are changed, the oldest first. Only `pending` deliveries are cancelled. A cancelled delivery gets no more attempts.
         */
        post: operations["cancelDeliveries"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/operations": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List the operations on many deliveries or events, newest first
         * @description Operations are kept as long as the log.
         */
        get: operations["listOperations"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/operations/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Read an operation and its progress
         * @description Read it again every few seconds until `finished_at` is not null.
         */
        get: operations["getOperation"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/operations/{id}:cancel": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Stop an operation
         * @description What the operation did so far stays done. One that is finished is a 409 (`operation_finished`).
         */
        post: operations["cancelOperation"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/attempts": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List the attempts that match every filter
         * @description `status_code` and `error` are compared with each attempt itself, and `min_attempts` is compared with its `number`.
         */
        get: operations["listAttempts"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/attempts/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Read an attempt
         * @description An attempt never changes. It is kept as long as the log.
         */
        get: operations["getAttempt"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/rejections": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List the refused requests that match every filter
         * @description Only requests to known sources are listed. When a source has many of them, the list is a sample: see `count`.
         */
        get: operations["listRejections"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/rejections/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Read a refused request
         * @description A rejection never changes. It is kept as long as the log.
         */
        get: operations["getRejection"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/jobs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List the jobs at Gemini that the relay knows, newest first
         * @description A job becomes `seen` some seconds after its event has come. Jobs are kept as long as the log.
         */
        get: operations["listJobs"];
        put?: never;
        /**
         * Announce a job, so that it is not missed when its webhook does not come
         * @description Once the job should have ended and no webhook has told of it, the relay reads the job at Gemini. Announce batches only for another time or for labels: the relay finds them by itself when their source is reconciled.
         */
        post: operations["createJob"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/jobs/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Read a job
         * @description The answer has what Gemini said last, and when the relay asks next.
         */
        get: operations["getJob"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        /**
         * Send the name of a job that was announced with its callback URL
         * @description The URL is made before the job, so the name is known only afterwards. A name cannot be changed.
         */
        patch: operations["updateJob"];
        trace?: never;
    };
    "/v1/keys": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List the API keys, newest first
         * @description Expired and revoked keys stay in the list, because the audit trail names them.
         */
        get: operations["listKeys"];
        put?: never;
        /**
         * Make an API key
         * @description A key that expires can only make keys that expire no later than itself. Whoever deletes a target revokes the keys that are for it alone.
         */
        post: operations["createKey"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/keys/self": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Read the API key of this request
         * @description Every key may ask, whatever its scopes are.
         */
        get: operations["getKeysSelf"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/keys/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Read an API key
         * @description The key itself is never shown again: the answer has its beginning and its end.
         */
        get: operations["getKey"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/keys/{id}:revoke": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Revoke an API key at once and for good
         * @description Revoking a key again changes nothing. The last key with the scope `admin` is not revoked (`last_admin_key`) unless `ADMIN_API_KEY` is set.
         */
        post: operations["revokeKey"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/audit": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List the changes that were made through the API
         * @description Each change has an entry. Reads have none.
         */
        get: operations["listAudit"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/audit/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Read an entry of the audit trail
         * @description An entry never changes. It is kept as long as the log.
         */
        get: operations["getAudit"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/set-aside-events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List the events that could not be stored, newest first
         * @description A page with large events holds fewer events than `limit`.
         */
        get: operations["listSetAsideEvents"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/set-aside-events/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Read a set-aside event with its body
         * @description The body is in base64, because it need not be text.
         */
        get: operations["getSetAsideEvent"];
        put?: never;
        post?: never;
        /**
         * Discard a set-aside event for good
         * @description The event is then only in this answer: its sender was told that it was accepted, and does not send it again.
         */
        delete: operations["deleteSetAsideEvent"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/set-aside-events/{id}:retry": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Try once more to store a set-aside event
         * @description When that fails, the event is set aside again.
         */
        post: operations["retrySetAsideEvent"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/set-aside-events:retry": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Try once more to store every set-aside event
         * @description The events that cannot be stored are set aside again. They are newer then, so each is tried once.
         */
        post: operations["retrySetAsideEvents"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/stats": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Count events, deliveries and attempts
         * @description The answer has figures by intervals of a minute to a day, and the number of deliveries that wait now. The figures are exact. While a worker runs, they are about three seconds old. Minutes, and so intervals of ten minutes, are kept for two days; hours and days are kept as long as the log. An answer has at most 200 intervals.
         */
        get: operations["getStats"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/stats/waiting": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Show what waited for the targets
         * @description A worker takes a sample each minute. A sample has the 50 targets with most pending deliveries, and all others together. Minutes are kept for two days; hours and days are kept as long as the log. An answer has at most 200 intervals.
         */
        get: operations["getStatsWaiting"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/stats/rejections": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Count the refused requests by source and reason
         * @description The filters are those of `/v1/rejections`. At most the newest 50000 rejections of the time range are read.
         */
        get: operations["getStatsRejections"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/configuration": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Export sources, targets and keys as a configuration
         * @description What has its default is left out. A secret is a placeholder such as `${env:SLUICE_TARGET_BILLING_SIGNING_SECRET}`, which `sluice apply` and `CONFIG_FILE` replace. Needs a key with the scope `admin`.
         */
        get: operations["exportConfiguration"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/configuration:apply": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Apply a configuration: make, change and remove sources, targets and keys
         * @description Every fault is found before anything is changed. Then each resource is changed in a transaction of its own, and what is right already is not touched. What is applied is marked by `managed_by`, and is then changed there, or with the header `Sluice-Force: true`. Placeholders for secrets are replaced by the caller: this endpoint gets the secrets. Needs a key with the scope `admin`.
         */
        post: operations["applyConfiguration"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/tail": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Follow the log as it happens
         * @description Sends events, attempts and changes of deliveries as server-sent events. The filters are those of `/v1/deliveries`. A filter leaves out the kinds of message that it does not apply to: an event has no `target`, and an attempt has no `status`. A message is sent about a second after it was written, in the order of writing, and once on each connection.
         *
         *     A client that reconnects with `last_event_id`, or with the header `Last-Event-ID` as an `EventSource` does by itself, continues after that message. It misses nothing, even when something was committed late. What one statement of the relay wrote may be sent a second time. An id is valid for 23 hours; after that, read the lists. Without an id the tail begins now.
         *
         *     When there is nothing else to send, a comment is sent every 15 seconds. A client that reads nothing for 30 seconds gets `event: overflow` and is disconnected. Each gateway serves 32 clients, and 8 of one API key; it answers another one with 503 and `Retry-After`. A tail ends when its key is revoked or expires, or its session ends.
         */
        get: operations["getTail"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/system": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Show how the relay is
         * @description The answer is of the gateway that answers, and has what it knows of its stores, the workers and the targets. It comes within some three seconds, also while a store is away: what is not known then is null.
         */
        get: operations["getSystem"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/system/settings": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List the settings of this gateway
         * @description Every setting that a gateway has. Of a secret, the answer says only whether it is set.
         */
        get: operations["getSystemSettings"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/system/log": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Read the latest warnings and errors of this gateway
         * @description The gateway keeps its latest 200 in memory, as far as `LOG_LEVEL` lets them through; a restart forgets them. They hold no body, no secret and no signature.
         */
        get: operations["getSystemLog"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/metrics": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Read the metrics of this gateway
         * @description The text format of Prometheus. Each gateway and each worker has metrics of its own.
         */
        get: operations["getMetrics"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export interface webhooks {
    "sluice.target.failing": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Every attempt at a target fails
         * @description A target gets this event if `sluice.target.failing`, or a group that has it, is in its `subscribed_events`. `*` does not match it.
         */
        post: operations["tellTargetFailing"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "sluice.target.disabled": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * The relay disabled a target
         * @description A target gets this event if `sluice.target.disabled`, or a group that has it, is in its `subscribed_events`. `*` does not match it.
         */
        post: operations["tellTargetDisabled"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "sluice.target.recovered": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * A target that was told as failing or disabled works again
         * @description A target gets this event if `sluice.target.recovered`, or a group that has it, is in its `subscribed_events`. `*` does not match it.
         */
        post: operations["tellTargetRecovered"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "sluice.deliveries.exhausted": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Deliveries to a target were given up
         * @description A target gets this event if `sluice.deliveries.exhausted`, or a group that has it, is in its `subscribed_events`. `*` does not match it.
         */
        post: operations["tellDeliveriesExhausted"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "sluice.event.set_aside": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Events could not be stored and were set aside
         * @description A target gets this event if `sluice.event.set_aside`, or a group that has it, is in its `subscribed_events`. `*` does not match it.
         */
        post: operations["tellEventSetAside"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "sluice.source.failing": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Many requests of a source are refused, or none come
         * @description A target gets this event if `sluice.source.failing`, or a group that has it, is in its `subscribed_events`. `*` does not match it.
         */
        post: operations["tellSourceFailing"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "sluice.source.drift": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * The webhook of a source at Gemini differs from what was registered, or no longer does
         * @description A target gets this event if `sluice.source.drift`, or a group that has it, is in its `subscribed_events`. `*` does not match it.
         */
        post: operations["tellSourceDrift"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "sluice.relay.degraded": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * A part of the relay does not work as it should
         * @description A target gets this event if `sluice.relay.degraded`, or a group that has it, is in its `subscribed_events`. `*` does not match it.
         */
        post: operations["tellRelayDegraded"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "sluice.relay.recovered": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * The relay works again as it should
         * @description A target gets this event if `sluice.relay.recovered`, or a group that has it, is in its `subscribed_events`. `*` does not match it.
         */
        post: operations["tellRelayRecovered"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "sluice.secret.expiring": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * An API key, a secret or a certificate expires soon
         * @description A target gets this event if `sluice.secret.expiring`, or a group that has it, is in its `subscribed_events`. `*` does not match it.
         */
        post: operations["tellSecretExpiring"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "sluice.job.overdue": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * A job at Gemini runs for longer than expected
         * @description A target gets this event if `sluice.job.overdue`, or a group that has it, is in its `subscribed_events`. `*` does not match it.
         */
        post: operations["tellJobOverdue"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "sluice.job.ended": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * A job at Gemini has ended in a way that has no event of Gemini
         * @description A target gets this event if `sluice.job.ended`, or a group that has it, is in its `subscribed_events`. `*` does not match it.
         */
        post: operations["tellJobEnded"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export interface components {
    schemas: {
        TargetFailingEvent: {
            /** @enum {string} */
            type: "sluice.target.failing";
            /** @enum {string} */
            version: "v1";
            /** Format: date-time */
            timestamp: string;
            data: components["schemas"]["TargetFailing"];
        };
        TargetFailing: {
            /** @example tgt_01h455vb4pex5vsknk084sn02q */
            id: string;
            /**
             * @description Its name
             * @example billing
             */
            target: string;
            /** Format: date-time */
            failing_since: string;
            /** @example connection: connect ECONNREFUSED 10.0.0.7:3000 */
            last_error: string;
            /**
             * Format: int64
             * @example null
             */
            last_status_code: number | null;
        };
        TargetDisabledEvent: {
            /** @enum {string} */
            type: "sluice.target.disabled";
            /** @enum {string} */
            version: "v1";
            /** Format: date-time */
            timestamp: string;
            data: components["schemas"]["TargetDisabled"];
        };
        TargetDisabled: {
            /** @example tgt_01h455vb4pex5vsknk084sn02q */
            id: string;
            /**
             * @description Its name
             * @example billing
             */
            target: string;
            state: components["schemas"]["DisabledState"];
            /** @example The target answered 410 Gone */
            reason: string;
            /** Format: date-time */
            disabled_at: string;
            /** @example connection: connect ECONNREFUSED 10.0.0.7:3000 */
            last_error: string;
            /**
             * Format: int64
             * @example null
             */
            last_status_code: number | null;
        };
        /** @enum {string} */
        DisabledState: "disabled" | "disabled_due_to_failed_deliveries";
        TargetRecoveredEvent: {
            /** @enum {string} */
            type: "sluice.target.recovered";
            /** @enum {string} */
            version: "v1";
            /** Format: date-time */
            timestamp: string;
            data: components["schemas"]["TargetRecovered"];
        };
        TargetRecovered: {
            /** @example tgt_01h455vb4pex5vsknk084sn02q */
            id: string;
            /**
             * @description Its name
             * @example billing
             */
            target: string;
            /** Format: date-time */
            failing_since: string | null;
            /** Format: date-time */
            recovered_at: string;
        };
        DeliveriesExhaustedEvent: {
            /** @enum {string} */
            type: "sluice.deliveries.exhausted";
            /** @enum {string} */
            version: "v1";
            /** Format: date-time */
            timestamp: string;
            data: components["schemas"]["DeliveriesExhausted"];
        };
        DeliveriesExhausted: {
            /** @example tgt_01h455vb4pex5vsknk084sn02q */
            id: string;
            /**
             * @description Its name
             * @example billing
             */
            target: string;
            /**
             * Format: int64
             * @description How many since the last such event
             * @example 12
             */
            count: number;
            /** Format: date-time */
            since: string;
            /** @description At most five of them */
            samples: components["schemas"]["ToldDelivery"][];
        };
        ToldDelivery: {
            /** @example dlv_01h455vb4pex5vsknk084sn02q */
            delivery: string;
            /** @example evt_01h455vb4pex5vsknk084sn02q */
            event: string;
            /** @example batch.succeeded */
            event_type: string | null;
            last_error: string | null;
            /** Format: int64 */
            last_status_code: number | null;
        };
        EventSetAsideEvent: {
            /** @enum {string} */
            type: "sluice.event.set_aside";
            /** @enum {string} */
            version: "v1";
            /** Format: date-time */
            timestamp: string;
            data: components["schemas"]["EventsSetAside"];
        };
        EventsSetAside: {
            /** @enum {string} */
            id: "relay";
            /**
             * Format: int64
             * @description How many are set aside now
             * @example 1
             */
            count: number;
            samples: components["schemas"]["ToldSetAsideEvent"][];
        };
        ToldSetAsideEvent: {
            /** @example redis-42 */
            id: string;
            /** Format: date-time */
            failed_at: string;
            error: string;
        };
        SourceFailingEvent: {
            /** @enum {string} */
            type: "sluice.source.failing";
            /** @enum {string} */
            version: "v1";
            /** Format: date-time */
            timestamp: string;
            data: components["schemas"]["SourceFailing"];
        };
        SourceFailing: {
            /** @example src_01h455vb4pex5vsknk084sn02q */
            id: string;
            /**
             * @description Its name
             * @example gemini
             */
            source: string;
            refusals: components["schemas"]["SourceRefusals"] | null;
            silence: components["schemas"]["SourceSilence"] | null;
        };
        SourceRefusals: {
            /**
             * Format: int64
             * @example 12
             */
            count: number;
            /**
             * Format: int64
             * @example 600
             */
            window_seconds: number;
            /**
             * @example {
             *       "signature_mismatch": 12
             *     }
             */
            reasons: {
                [key: string]: number;
            };
        };
        SourceSilence: {
            /**
             * Format: int64
             * @example 3600
             */
            expect_every_seconds: number;
            /** Format: date-time */
            last_event_at: string | null;
        };
        SourceDriftEvent: {
            /** @enum {string} */
            type: "sluice.source.drift";
            /** @enum {string} */
            version: "v1";
            /** Format: date-time */
            timestamp: string;
            data: components["schemas"]["SourceDrift"];
        };
        SourceDrift: {
            /** @example src_01h455vb4pex5vsknk084sn02q */
            id: string;
            /**
             * @description Its name
             * @example gemini
             */
            source: string;
            webhook_id: string | null;
            /** @example disabled */
            state: string | null;
            drift: components["schemas"]["ToldDrift"][];
        };
        ToldDrift: {
            /** @example disabled */
            code: string;
            detail: string;
        };
        RelayDegradedEvent: {
            /** @enum {string} */
            type: "sluice.relay.degraded";
            /** @enum {string} */
            version: "v1";
            /** Format: date-time */
            timestamp: string;
            data: components["schemas"]["RelayDegraded"];
        };
        RelayDegraded: {
            /** @enum {string} */
            id: "relay";
            problems: components["schemas"]["RelayProblem"][];
        };
        RelayProblem: {
            app: components["schemas"]["RelayApp"];
            /**
             * @description The check of `/readyz`
             * @example redis
             */
            check: string;
            /** @example it does not answer */
            problem: string;
            /**
             * Format: int64
             * @description How many processes have it
             * @example 1
             */
            processes: number;
            /** Format: date-time */
            since: string;
        };
        /** @enum {string} */
        RelayApp: "gateway" | "worker";
        RelayRecoveredEvent: {
            /** @enum {string} */
            type: "sluice.relay.recovered";
            /** @enum {string} */
            version: "v1";
            /** Format: date-time */
            timestamp: string;
            data: components["schemas"]["RelayRecovered"];
        };
        RelayRecovered: {
            /** @enum {string} */
            id: "relay";
            /** Format: date-time */
            degraded_since: string | null;
        };
        SecretExpiringEvent: {
            /** @enum {string} */
            type: "sluice.secret.expiring";
            /** @enum {string} */
            version: "v1";
            /** Format: date-time */
            timestamp: string;
            data: components["schemas"]["SecretExpiring"];
        };
        SecretExpiring: {
            /**
             * @description The API key, or the source or the target that has the secret
             * @example key_01h455vb4pex5vsknk084sn02q
             */
            id: string;
            /**
             * @description The name of that
             * @example deploy
             */
            name: string;
            kind: components["schemas"]["SecretKind"];
            /**
             * @description Its end, or the subject of the certificate
             * @example sluice_...x7Qd
             */
            shown: string;
            /** Format: date-time */
            expires_at: string;
        };
        /** @enum {string} */
        SecretKind: "api_key" | "signing_secret" | "ingress_token" | "client_certificate" | "ca_certificate";
        JobOverdueEvent: {
            /** @enum {string} */
            type: "sluice.job.overdue";
            /** @enum {string} */
            version: "v1";
            /** Format: date-time */
            timestamp: string;
            data: components["schemas"]["JobOverdue"];
        };
        JobOverdue: {
            /** @example job_01h455vb4pex5vsknk084sn02q */
            id: string;
            /** @example batch */
            kind: string;
            /** @example batches/abc123 */
            name: string | null;
            /** @example src_01h455vb4pex5vsknk084sn02q */
            source: string;
            labels: {
                [key: string]: string;
            };
            /** Format: date-time */
            ended_at: string | null;
            /** @example running */
            state: string | null;
            /** Format: date-time */
            expected_at: string;
        };
        JobEndedEvent: {
            /** @enum {string} */
            type: "sluice.job.ended";
            /** @enum {string} */
            version: "v1";
            /** Format: date-time */
            timestamp: string;
            data: components["schemas"]["JobEnded"];
        };
        JobEnded: {
            /** @example job_01h455vb4pex5vsknk084sn02q */
            id: string;
            /** @example batch */
            kind: string;
            /** @example batches/abc123 */
            name: string | null;
            /** @example src_01h455vb4pex5vsknk084sn02q */
            source: string;
            labels: {
                [key: string]: string;
            };
            /** Format: date-time */
            ended_at: string | null;
            /** @example running */
            state: string | null;
            problem?: string;
        };
        /** @enum {string} */
        TailKind: "event" | "attempt" | "delivery";
        SourcePage: {
            data: components["schemas"]["Source"][];
            /** @description Null on the last page. Other pages can have fewer than `limit` entries, or none: read on until it is null. */
            next_cursor: string | null;
        };
        Source: {
            /** @example src_01h455vb4pex5vsknk084sn02q */
            id: string;
            name: string;
            kind: components["schemas"]["SourceKind"];
            /**
             * @example [
             *       "v1"
             *     ]
             */
            schemes: components["schemas"]["Scheme"][];
            /**
             * Format: int64
             * @example 300
             */
            tolerance_seconds: number;
            /**
             * Format: int64
             * @example null
             */
            expect_every_seconds: number | null;
            signing_secrets: components["schemas"]["SigningSecret"][];
            /**
             * @description The end of the key of the Gemini API, such as `...2345`; null without one
             * @example null
             */
            gemini_api_key: string | null;
            /**
             * @description The webhook at Gemini that the relay manages, in short; null without one
             * @example null
             */
            upstream: components["schemas"]["UpstreamSummary"] | null;
            reconcile: components["schemas"]["ReconcileSettings"];
            /** @example [] */
            audiences: string[];
            /** @example [] */
            issuers: string[];
            /** @example [] */
            token_types: string[];
            /**
             * Format: int64
             * @description Null for a static source
             * @example 3600
             */
            max_token_seconds: number | null;
            /** @description The URL of the key set in use; null for a static source */
            jwks_uri: string | null;
            /**
             * @description Null for a static source
             * @example null
             */
            body_unbound: components["schemas"]["BodyUnbound"] | null;
            /** @example [] */
            public_keys: string[];
            /** @example [] */
            ingress_tokens: components["schemas"]["IngressToken"][];
            /**
             * @description What was lost with the master key (`sluice rekey --lost`) and is not set anew yet. Until then a source answers 503, and a target stays paused.
             * @example []
             */
            lost_secrets: components["schemas"]["LostSecret"][];
            /**
             * @description The file of settings that manages it; null for none. It is changed there, or with the header `Sluice-Force: true`, until the file is applied again.
             * @example null
             */
            managed_by: string | null;
            /**
             * @description Where the sender sends its webhooks. For a dynamic source, replace `{token}` by one of its tokens.
             * @example /in/billing
             */
            ingress_path: string;
            /** Format: date-time */
            created_at: string;
            /** Format: date-time */
            updated_at: string;
        };
        /** @enum {string} */
        SourceKind: "static" | "dynamic";
        Scheme: components["schemas"]["VerifiedScheme"];
        SigningSecret: {
            /** @example whsec_...MnM= */
            truncated_secret: string;
            /**
             * Format: date-time
             * @description When the secret stops working; null if it has no end
             */
            expire_time: string | null;
            /** @description The environment variable that sets the secret (`GEMINI_SIGNING_SECRET`). Only there can the secret be changed. */
            variable?: string;
        };
        UpstreamSummary: {
            /**
             * @description Null while it is not registered
             * @example enabled
             */
            state: string | null;
            /**
             * @description The codes of what differs at Gemini
             * @example []
             */
            drift: string[];
        };
        ReconcileSettings: {
            /**
             * @description Whether the relay looks at Gemini for jobs that have ended, and whose webhooks did not come
             * @example false
             */
            enabled: boolean;
            /**
             * Format: int32
             * @description The time between two looks at the list of batches
             * @example 300
             */
            every_seconds: number;
            /**
             * Format: int32
             * @description How long after the end of a job its webhook may come before the relay makes an event in its place
             * @example 900
             */
            grace_seconds: number;
            /**
             * Format: int32
             * @description Batches that were made earlier are left alone
             * @example 72
             */
            lookback_hours: number;
        };
        /** @enum {string} */
        BodyUnbound: "reject" | "mark";
        IngressToken: {
            /** @example itk_01h455vb4pex5vsknk084sn02q */
            id: string;
            /** @example it_...mNoP */
            truncated_token: string;
            /**
             * Format: date-time
             * @description When the token stops working; null if it has no end
             */
            expire_time: string | null;
        };
        /** @enum {string} */
        LostSecret: "signing_secret" | "gemini_api_key" | "headers" | "tls_client_key" | "chat_url";
        Problem: {
            /** @example urn:sluice:problem:not_found */
            type: string;
            title: string;
            /** Format: int64 */
            status: number;
            detail: string;
            code: components["schemas"]["ErrorCode"];
            /** @description A JSON pointer into the body, `?name` for a query parameter, `{name}` for a part of the path, or the name of a header */
            errors?: components["schemas"]["FieldError"][];
            /** @description The `X-Request-Id` of the answer. The log of the gateway has the request under this id. */
            request_id: string;
        };
        /**
         * @description What failed. The codes are stable; docs/errors.md explains each.
         * @enum {string}
         */
        ErrorCode: "invalid_request" | "invalid_id" | "invalid_cursor" | "verification_failed" | "body_interrupted" | "ping_failed" | "unauthenticated" | "forbidden" | "host_not_allowed" | "cross_origin" | "not_found" | "unknown_source" | "method_not_allowed" | "request_timeout" | "name_taken" | "wrong_kind" | "limit_reached" | "protected_source" | "secret_lost" | "target_disabled" | "target_gone" | "delivery_in_flight" | "delivery_finished" | "gemini_key_missing" | "operation_finished" | "upstream_not_configured" | "upstream_busy" | "database_in_use" | "database_not_empty" | "managed_by_file" | "last_admin_key" | "idempotency_in_progress" | "idempotency_answer_lost" | "body_removed" | "precondition_failed" | "payload_too_large" | "unsupported_media_type" | "idempotency_key_reused" | "rate_limited" | "headers_too_large" | "internal" | "gemini_failed" | "gemini_refused" | "unavailable" | "invalid_configuration" | "invalid_secret" | "master_key_mismatch" | "migration_pending" | "relay_changed" | "invalid_backup" | "schema_newer";
        FieldError: {
            /** @example /retry/base_seconds */
            pointer: string;
            detail: string;
        };
        CreatedSource: {
            /** @example src_01h455vb4pex5vsknk084sn02q */
            id: string;
            name: string;
            kind: components["schemas"]["SourceKind"];
            /**
             * @example [
             *       "v1"
             *     ]
             */
            schemes: components["schemas"]["Scheme"][];
            /**
             * Format: int64
             * @example 300
             */
            tolerance_seconds: number;
            /**
             * Format: int64
             * @example null
             */
            expect_every_seconds: number | null;
            signing_secrets: components["schemas"]["SigningSecret"][];
            /**
             * @description The end of the key of the Gemini API, such as `...2345`; null without one
             * @example null
             */
            gemini_api_key: string | null;
            /**
             * @description The webhook at Gemini that the relay manages, in short; null without one
             * @example null
             */
            upstream: components["schemas"]["UpstreamSummary"] | null;
            reconcile: components["schemas"]["ReconcileSettings"];
            /** @example [] */
            audiences: string[];
            /** @example [] */
            issuers: string[];
            /** @example [] */
            token_types: string[];
            /**
             * Format: int64
             * @description Null for a static source
             * @example 3600
             */
            max_token_seconds: number | null;
            /** @description The URL of the key set in use; null for a static source */
            jwks_uri: string | null;
            /**
             * @description Null for a static source
             * @example null
             */
            body_unbound: components["schemas"]["BodyUnbound"] | null;
            /** @example [] */
            public_keys: string[];
            /** @example [] */
            ingress_tokens: components["schemas"]["IngressToken"][];
            /**
             * @description What was lost with the master key (`sluice rekey --lost`) and is not set anew yet. Until then a source answers 503, and a target stays paused.
             * @example []
             */
            lost_secrets: components["schemas"]["LostSecret"][];
            /**
             * @description The file of settings that manages it; null for none. It is changed there, or with the header `Sluice-Force: true`, until the file is applied again.
             * @example null
             */
            managed_by: string | null;
            /**
             * @description Where the sender sends its webhooks. For a dynamic source, replace `{token}` by one of its tokens.
             * @example /in/billing
             */
            ingress_path: string;
            /** Format: date-time */
            created_at: string;
            /** Format: date-time */
            updated_at: string;
            /** @description The generated secret, if the request had none; shown only in this answer */
            new_signing_secret?: string;
            /** @description The first token of a new dynamic source; shown only in this answer */
            new_ingress_token?: string;
        };
        NewSource: {
            /** @description Unique among sources. It is in the address of the source: `/in/{name}`. */
            name: string;
            /** @description The kind cannot be changed later */
            kind?: components["schemas"]["SourceKind"];
            /** @description If you leave it out, the source accepts all schemes of its kind */
            schemes?: components["schemas"]["Scheme"][];
            /** @description Only for static sources. If you leave it out, the relay generates one. */
            signing_secret?: string;
            /**
             * @description The key of the Gemini API with which the relay manages this source there
             * @example AIzaSyExampleExampleExampleExample12345
             */
            gemini_api_key?: string;
            reconcile?: components["schemas"]["ReconcileChange"];
            /**
             * Format: int32
             * @description How far the timestamp of a webhook may be from the clock of the relay
             * @example 300
             */
            tolerance_seconds?: number;
            /**
             * Format: int32
             * @description When no event has come for longer, the relay tells so by `sluice.source.failing`. Null: it never does.
             * @example null
             */
            expect_every_seconds?: number | null;
            /** @description The accepted audiences: the `aud` of a JWT must be one of them */
            audiences?: string[];
            /** @description The accepted issuers: the `iss` of a JWT must be one of them. An empty list accepts any. */
            issuers?: string[];
            /** @description The accepted types: the `typ` of a JWT must be one of them. An empty list accepts any, and none. */
            token_types?: string[];
            /**
             * Format: int32
             * @description The longest lifetime of a JWT: from its `iat` to its `exp`
             */
            max_token_seconds?: number;
            /**
             * Format: uri
             * @description The URL of the key set, by https; null means https://generativelanguage.googleapis.com/.well-known/jwks.json
             */
            jwks_uri?: string | null;
            /** @description What happens to an event whose signature does not cover its body: `reject` refuses it, `mark` accepts it and marks it. New sources have `reject`. */
            body_unbound?: components["schemas"]["BodyUnbound"];
            /** @description Public keys for `v1a` signatures, in addition to the keys of the key set */
            public_keys?: string[];
        };
        /** @description How the source is reconciled with the jobs at Gemini. It needs `gemini_api_key`. */
        ReconcileChange: {
            /**
             * @description Whether the relay looks at Gemini for jobs that have ended, and whose webhooks did not come
             * @example false
             */
            enabled?: boolean;
            /**
             * Format: int32
             * @description The time between two looks at the list of batches
             * @example 300
             */
            every_seconds?: number;
            /**
             * Format: int32
             * @description How long after the end of a job its webhook may come before the relay makes an event in its place
             * @example 900
             */
            grace_seconds?: number;
            /**
             * Format: int32
             * @description Batches that were made earlier are left alone
             * @example 72
             */
            lookback_hours?: number;
        };
        SourceChange: {
            /** @description Unique among sources. It is in the address of the source: `/in/{name}`. */
            name?: string;
            /** @description The signature schemes that the source accepts */
            schemes?: components["schemas"]["Scheme"][];
            /** @description Only for static sources. It replaces every stored secret. */
            signing_secret?: string;
            /**
             * @description The key of the Gemini API with which the relay manages this source there; null removes it
             * @example AIzaSyExampleExampleExampleExample12345
             */
            gemini_api_key?: string | null;
            reconcile?: components["schemas"]["ReconcileChange"];
            /**
             * Format: int32
             * @description How far the timestamp of a webhook may be from the clock of the relay
             * @example 300
             */
            tolerance_seconds?: number;
            /**
             * Format: int32
             * @description When no event has come for longer, the relay tells so by `sluice.source.failing`. Null: it never does.
             * @example null
             */
            expect_every_seconds?: number | null;
            /** @description The accepted audiences: the `aud` of a JWT must be one of them */
            audiences?: string[];
            /** @description The accepted issuers: the `iss` of a JWT must be one of them. An empty list accepts any. */
            issuers?: string[];
            /** @description The accepted types: the `typ` of a JWT must be one of them. An empty list accepts any, and none. */
            token_types?: string[];
            /**
             * Format: int32
             * @description The longest lifetime of a JWT: from its `iat` to its `exp`
             */
            max_token_seconds?: number;
            /**
             * Format: uri
             * @description The URL of the key set, by https; null means https://generativelanguage.googleapis.com/.well-known/jwks.json
             */
            jwks_uri?: string | null;
            /** @description What happens to an event whose signature does not cover its body: `reject` refuses it, `mark` accepts it and marks it. New sources have `reject`. */
            body_unbound?: components["schemas"]["BodyUnbound"];
            /** @description Public keys for `v1a` signatures, in addition to the keys of the key set */
            public_keys?: string[];
        };
        SourceReplacement: {
            /** @description The name in the path */
            name?: string;
            /** @description The kind cannot be changed later */
            kind?: components["schemas"]["SourceKind"];
            /** @description If you leave it out, the source accepts all schemes of its kind */
            schemes?: components["schemas"]["Scheme"][];
            /** @description Only for static sources. If you leave it out, the relay generates one. */
            signing_secret?: string;
            /**
             * @description The key of the Gemini API with which the relay manages this source there; null removes it
             * @example AIzaSyExampleExampleExampleExample12345
             */
            gemini_api_key?: string | null;
            reconcile?: components["schemas"]["ReconcileChange"];
            /**
             * Format: int32
             * @description How far the timestamp of a webhook may be from the clock of the relay
             * @example 300
             */
            tolerance_seconds?: number;
            /**
             * Format: int32
             * @description When no event has come for longer, the relay tells so by `sluice.source.failing`. Null: it never does.
             * @example null
             */
            expect_every_seconds?: number | null;
            /** @description The accepted audiences: the `aud` of a JWT must be one of them */
            audiences?: string[];
            /** @description The accepted issuers: the `iss` of a JWT must be one of them. An empty list accepts any. */
            issuers?: string[];
            /** @description The accepted types: the `typ` of a JWT must be one of them. An empty list accepts any, and none. */
            token_types?: string[];
            /**
             * Format: int32
             * @description The longest lifetime of a JWT: from its `iat` to its `exp`
             */
            max_token_seconds?: number;
            /**
             * Format: uri
             * @description The URL of the key set, by https; null means https://generativelanguage.googleapis.com/.well-known/jwks.json
             */
            jwks_uri?: string | null;
            /** @description What happens to an event whose signature does not cover its body: `reject` refuses it, `mark` accepts it and marks it. New sources have `reject`. */
            body_unbound?: components["schemas"]["BodyUnbound"];
            /** @description Public keys for `v1a` signatures, in addition to the keys of the key set */
            public_keys?: string[];
        };
        RotatedSource: {
            /** @example src_01h455vb4pex5vsknk084sn02q */
            id: string;
            name: string;
            kind: components["schemas"]["SourceKind"];
            /**
             * @example [
             *       "v1"
             *     ]
             */
            schemes: components["schemas"]["Scheme"][];
            /**
             * Format: int64
             * @example 300
             */
            tolerance_seconds: number;
            /**
             * Format: int64
             * @example null
             */
            expect_every_seconds: number | null;
            signing_secrets: components["schemas"]["SigningSecret"][];
            /**
             * @description The end of the key of the Gemini API, such as `...2345`; null without one
             * @example null
             */
            gemini_api_key: string | null;
            /**
             * @description The webhook at Gemini that the relay manages, in short; null without one
             * @example null
             */
            upstream: components["schemas"]["UpstreamSummary"] | null;
            reconcile: components["schemas"]["ReconcileSettings"];
            /** @example [] */
            audiences: string[];
            /** @example [] */
            issuers: string[];
            /** @example [] */
            token_types: string[];
            /**
             * Format: int64
             * @description Null for a static source
             * @example 3600
             */
            max_token_seconds: number | null;
            /** @description The URL of the key set in use; null for a static source */
            jwks_uri: string | null;
            /**
             * @description Null for a static source
             * @example null
             */
            body_unbound: components["schemas"]["BodyUnbound"] | null;
            /** @example [] */
            public_keys: string[];
            /** @example [] */
            ingress_tokens: components["schemas"]["IngressToken"][];
            /**
             * @description What was lost with the master key (`sluice rekey --lost`) and is not set anew yet. Until then a source answers 503, and a target stays paused.
             * @example []
             */
            lost_secrets: components["schemas"]["LostSecret"][];
            /**
             * @description The file of settings that manages it; null for none. It is changed there, or with the header `Sluice-Force: true`, until the file is applied again.
             * @example null
             */
            managed_by: string | null;
            /**
             * @description Where the sender sends its webhooks. For a dynamic source, replace `{token}` by one of its tokens.
             * @example /in/billing
             */
            ingress_path: string;
            /** Format: date-time */
            created_at: string;
            /** Format: date-time */
            updated_at: string;
            /** @description The generated secret, if the request had none; shown only in this answer */
            new_signing_secret?: string;
            /** @description Names a secret that the rotation could not revoke, and how to revoke it */
            notice?: string;
        };
        SecretRotation: {
            /** @description The new secret. If you leave it out, the relay generates one. */
            secret?: string;
            previous: components["schemas"]["PreviousSecrets"];
        };
        /**
         * @description What happens to the stored secrets. A secret that expires sooner keeps its own expiry.
         * @enum {string}
         */
        PreviousSecrets: "revoke_after_24h" | "revoke_immediately";
        CreatedIngressToken: {
            /** @example itk_01h455vb4pex5vsknk084sn02q */
            id: string;
            /** @example it_...mNoP */
            truncated_token: string;
            /**
             * Format: date-time
             * @description When the token stops working; null if it has no end
             */
            expire_time: string | null;
            /**
             * @description The token; shown only in this answer
             * @example it_…
             */
            token: string;
            /** @example /in/gemini-dynamic/it_… */
            ingress_path: string;
            /** @description The whole URL; null if the relay has no `PUBLIC_URL` */
            url: string | null;
        };
        NewIngressToken: {
            previous?: components["schemas"]["PreviousTokens"];
        };
        /**
         * @description What happens to the existing tokens. A token that expires sooner keeps its own expiry.
         * @default keep
         * @enum {string}
         */
        PreviousTokens: "keep" | "revoke_after_24h" | "revoke_immediately";
        CallbackUrl: {
            /** @description The whole URL; null if the relay has no `PUBLIC_URL` */
            url: string | null;
            /** @example /in/gemini-dynamic/cb_… */
            ingress_path: string;
            /**
             * @example {
             *       "job": "nightly-embeddings",
             *       "customer": "42"
             *     }
             */
            labels: {
                [key: string]: string;
            };
            /** Format: date-time */
            expire_time: string;
            single_use: boolean;
            /**
             * @description The id of the job that was announced; null without one
             * @example null
             */
            job: string | null;
        };
        NewCallbackUrl: {
            /**
             * @description Names and values of your own, by which the events are filtered and found
             * @example {
             *       "job": "nightly-embeddings",
             *       "customer": "42"
             *     }
             */
            labels: {
                [key: string]: string;
            };
            /**
             * Format: int32
             * @description How long the URL takes webhooks. Gemini may send one up to a day after the end of the job.
             * @default 604800
             */
            expires_in_seconds?: number;
            /**
             * @description Whether the URL accepts only one webhook: the first that arrives, and its retries
             * @default false
             */
            single_use?: boolean;
            job?: components["schemas"]["AnnouncedJob"];
        };
        /** @description Announces the job for which the URL is made, as `POST /v1/jobs` does. Its events have the label `sluice_job`, and its name can be sent later by `PATCH /v1/jobs/{id}`. It needs `gemini_api_key` of the source. */
        AnnouncedJob: {
            kind: components["schemas"]["JobKind"];
            /**
             * Format: int32
             * @description The time from now on within which the job should end. A day for a batch when not given, and an hour for any other job.
             * @example 3600
             */
            expect_within_seconds?: number;
        };
        /**
         * @description What the job is at Gemini
         * @enum {string}
         */
        JobKind: "batch" | "interaction" | "video";
        Verification: {
            verdict: components["schemas"]["VerificationVerdict"];
            /**
             * @description The scheme that proves the request; null if none does
             * @example v1
             */
            scheme: components["schemas"]["VerifiedScheme"] | null;
            /**
             * @description Null unless the request is refused
             * @example null
             */
            reason: components["schemas"]["RefusalReason"] | null;
            /** @description Says what is wrong; null unless the request is refused */
            detail: string | null;
            /** @description The id under which an accepted webhook is deduplicated */
            webhook_id: string | null;
            /** @description Whether the signature proves the sender and not the body */
            body_unbound: boolean;
            /** Format: date-time */
            judged_at: string;
        };
        /**
         * @description `undecidable`: the relay could not fetch the key set of the source yet
         * @enum {string}
         */
        VerificationVerdict: "accepted" | "refused" | "undecidable";
        /** @enum {string} */
        VerifiedScheme: "v1" | "v1a" | "jwt";
        /**
         * @description Why the ingress refused a request. docs/errors.md explains each reason.
         * @example signature_mismatch
         * @enum {string}
         */
        RefusalReason: "missing_token" | "unknown_token" | "expired_token" | "consumed_token" | "too_large" | "body_interrupted" | "missing_header" | "malformed_header" | "malformed_signature" | "unaccepted_scheme" | "unaccepted_algorithm" | "stale_timestamp" | "future_timestamp" | "no_secret" | "unknown_key" | "signature_mismatch" | "wrong_audience" | "wrong_issuer" | "wrong_token_type" | "excessive_lifetime" | "spent_token" | "body_mismatch" | "body_unbound" | "reconciled_before";
        CapturedWebhook: {
            /**
             * @description The headers of the request. Upper and lower case of their names do not differ.
             * @example {
             *       "webhook-id": "msg_1",
             *       "webhook-timestamp": "1769083200",
             *       "webhook-signature": "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4="
             *     }
             */
            headers: {
                [key: string]: string;
            };
            /**
             * @description The exact bytes of the body, in base64
             * @default
             * @example eyJ0eXBlIjoiYmF0Y2guc3VjY2VlZGVkIn0=
             */
            body?: string;
            /** @description The part of the path behind the name of the source. A dynamic source needs it. */
            token?: string;
            /**
             * Format: date-time
             * @description Judges the request as if it came at this time. The default is now.
             */
            judged_at?: string;
        };
        Upstream: {
            /** @example src_01h455vb4pex5vsknk084sn02q */
            source: string;
            /** @description Null until a registration has succeeded */
            webhook_id: string | null;
            /** @example https://hooks.example.com/in/gemini */
            uri: string;
            /**
             * @description As registered
             * @example [
             *       "batch.succeeded"
             *     ]
             */
            subscribed_events: string[];
            /**
             * @description As last seen: `enabled`, `disabled` or `disabled_due_to_failed_deliveries`
             * @example enabled
             */
            state: string | null;
            /** @description Those that Gemini signs with, as last seen */
            signing_secrets: components["schemas"]["SigningSecret"][];
            /**
             * Format: date-time
             * @description When Gemini last showed the webhook
             */
            checked_at: string | null;
            /**
             * Format: date-time
             * @description When the newest event of the source arrived
             */
            last_event_at: string | null;
            /**
             * @description What differs at Gemini from what the source expects, and what to do
             * @example []
             */
            drift: components["schemas"]["UpstreamDrift"][];
            /**
             * @description Why Gemini could not be asked last time
             * @example null
             */
            problem: components["schemas"]["UpstreamProblem"] | null;
            /**
             * @description What was begun and has not ended. A worker goes on with it.
             * @example null
             */
            under_way: components["schemas"]["UpstreamWork"] | null;
            /** Format: int32 */
            rotate_every_days: number | null;
            /**
             * Format: date-time
             * @description Null without `rotate_every_days`
             */
            next_rotation_at: string | null;
            heal: components["schemas"]["Healing"];
            /**
             * @description When the relay enabled the webhook again by itself in the last 24 hours
             * @example []
             */
            healed_at: string[];
            requests: components["schemas"]["RequestBudget"];
            /** Format: date-time */
            created_at: string;
        };
        UpstreamDrift: {
            /** @example disabled */
            code: string;
            detail: string;
        };
        UpstreamProblem: {
            code: string;
            detail: string;
            /** Format: date-time */
            since: string;
        };
        UpstreamWork: {
            action: string;
            step: string;
            /** Format: date-time */
            began_at: string;
            /** Format: int64 */
            failures: number;
        };
        /** @enum {string} */
        Healing: "off" | "auto";
        /** @description Requests to Gemini with the API key of the source, and their limit */
        RequestBudget: {
            /** Format: int64 */
            this_hour: number;
            /** Format: int64 */
            per_hour: number;
        };
        UpstreamChange: {
            /**
             * Format: int32
             * @description How often the relay rotates the signing secret by itself; null is never
             * @example 30
             */
            rotate_every_days?: number | null;
            /**
             * @description `auto` enables the webhook again after Gemini disabled it for failed deliveries, three times a day at most
             * @example auto
             */
            heal?: components["schemas"]["Healing"];
        };
        UpstreamResult: {
            /** @description What was done, in this order */
            steps: components["schemas"]["UpstreamStep"][];
            /**
             * @description What does not work, although the rest is done
             * @example []
             */
            warnings: components["schemas"]["UpstreamWarning"][];
            upstream: components["schemas"]["Upstream"];
        };
        UpstreamStep: {
            /** @example created */
            step: string;
            /** @example Gemini made the webhook k0h9q38f6ejj1g9j7cgcdsauadmbewegl79f */
            detail: string;
        };
        UpstreamWarning: {
            /** @example ping_not_seen */
            code: string;
            detail: string;
        };
        UpstreamRegistration: {
            /**
             * @description If you leave it out, a webhook that exists keeps its events, and a new one gets all of them
             * @example [
             *       "batch.succeeded",
             *       "batch.failed"
             *     ]
             */
            subscribed_events?: components["schemas"]["RegistrableEvent"][];
        };
        /** @enum {string} */
        RegistrableEvent: "batch.succeeded" | "batch.expired" | "batch.failed" | "interaction.requires_action" | "interaction.completed" | "interaction.failed" | "video.generated";
        Empty: Record<string, never>;
        UpstreamDeregistration: {
            /**
             * @description Forgets the webhook and leaves it at Gemini. This needs no valid API key.
             * @default false
             */
            keep_webhook?: boolean;
        };
        TargetPage: {
            data: components["schemas"]["Target"][];
            /** @description Null on the last page. Other pages can have fewer than `limit` entries, or none: read on until it is null. */
            next_cursor: string | null;
        };
        Target: {
            /** @example tgt_01h455vb4pex5vsknk084sn02q */
            id: string;
            name: string;
            kind: components["schemas"]["TargetKind"];
            /** @description Null for a pull target. Of a chat target only the scheme and the host, because its URL is a secret. If you send that back, the stored URL stays. */
            uri: string | null;
            /**
             * @example [
             *       "batch.*",
             *       "video.generated"
             *     ]
             */
            subscribed_events: string[];
            state: components["schemas"]["TargetState"];
            /** @description Why the relay disabled the target; null if a caller of the API set the state */
            state_reason: string | null;
            /** Format: date-time */
            state_changed_at: string;
            health: components["schemas"]["TargetHealth"];
            /**
             * @example {
             *       "authorization": "[redacted]"
             *     }
             */
            headers: {
                [key: string]: string;
            };
            /**
             * Format: int64
             * @example 20
             */
            timeout_seconds: number;
            /**
             * Format: int64
             * @example 64
             */
            max_in_flight: number;
            /** @example null */
            rate_limit: components["schemas"]["RateLimit"] | null;
            retry: components["schemas"]["Retry"];
            filter: string | null;
            /** @example null */
            tls: components["schemas"]["Tls"] | null;
            /**
             * Format: int64
             * @example null
             */
            delete_after_idle_seconds: number | null;
            /**
             * Format: date-time
             * @description When the service of a pull target last pulled, to the minute; null if it never did
             * @example null
             */
            last_pulled_at: string | null;
            signing_secrets: components["schemas"]["SigningSecret"][];
            /**
             * @description What was lost with the master key (`sluice rekey --lost`) and is not set anew yet. Until then a source answers 503, and a target stays paused.
             * @example []
             */
            lost_secrets: components["schemas"]["LostSecret"][];
            /**
             * @description The file of settings that manages it; null for none. It is changed there, or with the header `Sluice-Force: true`, until the file is applied again.
             * @example null
             */
            managed_by: string | null;
            /** Format: date-time */
            created_at: string;
            /** Format: date-time */
            updated_at: string;
        };
        /**
         * @description What the target takes. `http`: the body of each event, signed. `pull`: the same, but the service fetches it by `:pull`. The others: a message about each event, at the incoming webhook of that chat service.
         * @enum {string}
         */
        TargetKind: "http" | "slack" | "google_chat" | "teams" | "discord" | "pull";
        /** @enum {string} */
        TargetState: "enabled" | "paused" | "disabled" | "disabled_due_to_failed_deliveries";
        TargetHealth: {
            breaker: components["schemas"]["BreakerState"];
            /**
             * Format: date-time
             * @description When one delivery may be sent again; null while the breaker is closed
             */
            open_until: string | null;
            /**
             * Format: date-time
             * @description The time of the first failed attempt since the last success
             */
            failing_since: string | null;
            /**
             * Format: date-time
             * @description The time of the last success; a newer one is shown within a minute
             */
            last_success_at: string | null;
            /**
             * Format: date-time
             * @description The time of the last failure; a newer one is shown within a minute
             */
            last_failure_at: string | null;
        };
        /**
         * @description The state of the circuit breaker. `closed`: deliveries are sent. `open`: deliveries wait. `half_open`: one delivery is being sent, to find out whether the target works again.
         * @enum {string}
         */
        BreakerState: "closed" | "open" | "half_open";
        /**
         * @description The most requests in this time, over all workers, kept within a tenth. They are spread evenly over the time.
         * @example {
         *       "requests": 100,
         *       "per_seconds": 60
         *     }
         */
        RateLimit: {
            /**
             * Format: int32
             * @description The most requests in the time
             * @example 100
             */
            requests: number;
            /**
             * Format: int32
             * @description The length of the time
             * @example 60
             */
            per_seconds: number;
        };
        Retry: {
            /**
             * Format: double
             * @example 5
             */
            base_seconds: number;
            /**
             * Format: double
             * @example 3600
             */
            cap_seconds: number;
            /**
             * Format: double
             * @example 86400
             */
            horizon_seconds: number;
        };
        Tls: {
            ca: components["schemas"]["Certificate"][];
            server_name: string | null;
            /** @example null */
            client_certificate: components["schemas"]["Certificate"] | null;
        };
        Certificate: {
            /** @example CN=sluice, O=Example */
            subject: string;
            /** @description As `openssl x509 -fingerprint -sha256` shows it */
            fingerprint_sha256: string;
            /** Format: date-time */
            expires_at: string;
        };
        CreatedTarget: {
            /** @example tgt_01h455vb4pex5vsknk084sn02q */
            id: string;
            name: string;
            kind: components["schemas"]["TargetKind"];
            /** @description Null for a pull target. Of a chat target only the scheme and the host, because its URL is a secret. If you send that back, the stored URL stays. */
            uri: string | null;
            /**
             * @example [
             *       "batch.*",
             *       "video.generated"
             *     ]
             */
            subscribed_events: string[];
            state: components["schemas"]["TargetState"];
            /** @description Why the relay disabled the target; null if a caller of the API set the state */
            state_reason: string | null;
            /** Format: date-time */
            state_changed_at: string;
            health: components["schemas"]["TargetHealth"];
            /**
             * @example {
             *       "authorization": "[redacted]"
             *     }
             */
            headers: {
                [key: string]: string;
            };
            /**
             * Format: int64
             * @example 20
             */
            timeout_seconds: number;
            /**
             * Format: int64
             * @example 64
             */
            max_in_flight: number;
            /** @example null */
            rate_limit: components["schemas"]["RateLimit"] | null;
            retry: components["schemas"]["Retry"];
            filter: string | null;
            /** @example null */
            tls: components["schemas"]["Tls"] | null;
            /**
             * Format: int64
             * @example null
             */
            delete_after_idle_seconds: number | null;
            /**
             * Format: date-time
             * @description When the service of a pull target last pulled, to the minute; null if it never did
             * @example null
             */
            last_pulled_at: string | null;
            signing_secrets: components["schemas"]["SigningSecret"][];
            /**
             * @description What was lost with the master key (`sluice rekey --lost`) and is not set anew yet. Until then a source answers 503, and a target stays paused.
             * @example []
             */
            lost_secrets: components["schemas"]["LostSecret"][];
            /**
             * @description The file of settings that manages it; null for none. It is changed there, or with the header `Sluice-Force: true`, until the file is applied again.
             * @example null
             */
            managed_by: string | null;
            /** Format: date-time */
            created_at: string;
            /** Format: date-time */
            updated_at: string;
            /** @description The signing secret; shown only in this answer. A chat target has none. */
            new_signing_secret?: string;
        };
        NewTarget: {
            /** @description Unique among targets. If you leave it out, the name is the host of `uri`, or `pull`, with a number if it is taken. */
            name?: string;
            /**
             * Format: uri
             * @description Required, except for a pull target, which has none
             * @example http://billing.internal:3000/gemini
             */
            uri?: string;
            /**
             * @description The types of events that the target gets: exact names, groups such as `batch.*`, or `*` for all of them but the relay's own.
             * @example [
             *       "batch.*",
             *       "video.generated"
             *     ]
             */
            subscribed_events: string[];
            state?: components["schemas"]["SettableTargetState"];
            /**
             * @description Answers show every value as "[redacted]". If you send "[redacted]", the stored value stays.
             * @example {
             *       "authorization": "Bearer key-of-the-service"
             *     }
             */
            headers?: {
                [key: string]: string;
            };
            /**
             * Format: int32
             * @description How long the whole response may take
             * @example 20
             */
            timeout_seconds?: number;
            /**
             * Format: int32
             * @description How many requests all workers together send at the same time
             * @example 64
             */
            max_in_flight?: number;
            /**
             * @description The most requests in a time, over all workers. Null stands for no limit
             * @example {
             *       "requests": 100,
             *       "per_seconds": 60
             *     }
             */
            rate_limit?: components["schemas"]["RateLimit"] | null;
            retry?: components["schemas"]["RetryChange"];
            /**
             * @description A CEL expression over event.type, event.data, event.user_metadata, event.labels, event.body_unbound and source. The target gets only the events for which it is true; null stands for all events.
             * @example event.type == "batch.failed" || event.labels.team == "billing"
             */
            filter?: string | null;
            /**
             * Format: int32
             * @description Only for pull targets: the relay deletes a target that nobody pulled for so long. Null stands for never, and so does a file of settings that manages the target.
             * @example null
             */
            delete_after_idle_seconds?: number | null;
            /**
             * @description How the target is reached by TLS; only with https. Fields that you leave out stay as they are. Null removes all of them. A change of the origin of `uri` drops the client certificate and its key, unless it gives new ones.
             * @example null
             */
            tls?: components["schemas"]["TlsChange"] | null;
            /** @description The kind cannot be changed later */
            kind?: components["schemas"]["TargetKind"];
        };
        /**
         * @description `enabled`: events are delivered. `paused`: they are kept and do not expire, until the target is resumed. `disabled`: the target never gets the events of this time; what was pending before is held.
         * @enum {string}
         */
        SettableTargetState: "enabled" | "paused" | "disabled";
        /** @description The schedule of attempts. Fields that you leave out stay as they are. */
        RetryChange: {
            /**
             * Format: double
             * @description The shortest pause after a failed attempt
             * @example 5
             */
            base_seconds?: number;
            /**
             * Format: double
             * @description The longest pause, unless `Retry-After` asks for more
             * @example 3600
             */
            cap_seconds?: number;
            /**
             * Format: double
             * @description How long the relay tries to deliver an event
             * @example 86400
             */
            horizon_seconds?: number;
        };
        TlsChange: {
            /** @description Certificates in PEM. The certificate of the target must be signed by one of them; those of the system and of `TARGET_CA_FILE` do not count then. */
            ca?: string | null;
            /** @description The name in the certificate of the target, if it is not the host of `uri` */
            server_name?: string | null;
            /** @description The certificate by which the relay proves itself, and the chain above it, in PEM */
            client_certificate?: string | null;
            /** @description The key of `client_certificate` in PEM, without a passphrase. It is stored encrypted and never shown. */
            client_key?: string | null;
        };
        TargetChange: {
            /** @description Unique among targets. Upper and lower case differ. */
            name?: string;
            /**
             * Format: uri
             * @description Where the events are sent by POST
             * @example http://billing.internal:3000/gemini
             */
            uri?: string;
            /**
             * @description The types of events that the target gets: exact names, groups such as `batch.*`, or `*` for all of them but the relay's own.
             * @example [
             *       "batch.*",
             *       "video.generated"
             *     ]
             */
            subscribed_events?: string[];
            state?: components["schemas"]["SettableTargetState"];
            /**
             * @description Answers show every value as "[redacted]". If you send "[redacted]", the stored value stays.
             * @example {
             *       "authorization": "Bearer key-of-the-service"
             *     }
             */
            headers?: {
                [key: string]: string;
            };
            /**
             * Format: int32
             * @description How long the whole response may take
             * @example 20
             */
            timeout_seconds?: number;
            /**
             * Format: int32
             * @description How many requests all workers together send at the same time
             * @example 64
             */
            max_in_flight?: number;
            /**
             * @description The most requests in a time, over all workers. Null stands for no limit
             * @example {
             *       "requests": 100,
             *       "per_seconds": 60
             *     }
             */
            rate_limit?: components["schemas"]["RateLimit"] | null;
            retry?: components["schemas"]["RetryChange"];
            /**
             * @description A CEL expression over event.type, event.data, event.user_metadata, event.labels, event.body_unbound and source. The target gets only the events for which it is true; null stands for all events.
             * @example event.type == "batch.failed" || event.labels.team == "billing"
             */
            filter?: string | null;
            /**
             * Format: int32
             * @description Only for pull targets: the relay deletes a target that nobody pulled for so long. Null stands for never, and so does a file of settings that manages the target.
             * @example null
             */
            delete_after_idle_seconds?: number | null;
            /**
             * @description How the target is reached by TLS; only with https. Fields that you leave out stay as they are. Null removes all of them. A change of the origin of `uri` drops the client certificate and its key, unless it gives new ones.
             * @example null
             */
            tls?: components["schemas"]["TlsChange"] | null;
        };
        FilterTrial: {
            /**
             * Format: int64
             * @description How many of the events the target would get
             * @example 1
             */
            matched: number;
            /**
             * Format: int64
             * @description On how many of them the filter failed
             * @example 0
             */
            failed: number;
            /** @description The newest events, newest first. They are fewer than `limit` when their bodies are large. */
            data: components["schemas"]["TriedEvent"][];
        };
        TriedEvent: {
            /** @example evt_01h455vb4pex5vsknk084sn02q */
            event: string;
            /** @example src_01h455vb4pex5vsknk084sn02q */
            source: string;
            /** @example batch.succeeded */
            type: string | null;
            /** Format: date-time */
            received_at: string;
            result: components["schemas"]["FilterTrialResult"];
            /**
             * @description Why the filter failed; null unless it did
             * @example null
             */
            error: string | null;
        };
        /**
         * @description `matched`: the target would get the event. `failed`: the filter failed on it, so the target would not get it. `body_removed`: the filter cannot be tried on it.
         * @enum {string}
         */
        FilterTrialResult: "matched" | "not_matched" | "not_subscribed" | "failed" | "body_removed";
        TryFilter: {
            /**
             * @description A CEL expression over event.type, event.data, event.user_metadata, event.labels, event.body_unbound and source. The target gets only the events for which it is true; null stands for all events.
             * @example event.type == "batch.failed" || event.labels.team == "billing"
             */
            filter?: string | null;
            /**
             * @description If you leave it out, every event that Gemini sends counts as subscribed
             * @example [
             *       "batch.*"
             *     ]
             */
            subscribed_events?: string[];
            /**
             * Format: int32
             * @description How many events to try at most
             * @default 50
             */
            limit?: number;
        };
        TargetReplacement: {
            /** @description The name in the path */
            name?: string;
            /**
             * Format: uri
             * @description Required, except for a pull target, which has none
             * @example http://billing.internal:3000/gemini
             */
            uri?: string;
            /**
             * @description The types of events that the target gets: exact names, groups such as `batch.*`, or `*` for all of them but the relay's own.
             * @example [
             *       "batch.*",
             *       "video.generated"
             *     ]
             */
            subscribed_events: string[];
            state?: components["schemas"]["SettableTargetState"];
            /**
             * @description Answers show every value as "[redacted]". If you send "[redacted]", the stored value stays.
             * @example {
             *       "authorization": "Bearer key-of-the-service"
             *     }
             */
            headers?: {
                [key: string]: string;
            };
            /**
             * Format: int32
             * @description How long the whole response may take
             * @example 20
             */
            timeout_seconds?: number;
            /**
             * Format: int32
             * @description How many requests all workers together send at the same time
             * @example 64
             */
            max_in_flight?: number;
            /**
             * @description The most requests in a time, over all workers. Null stands for no limit
             * @example {
             *       "requests": 100,
             *       "per_seconds": 60
             *     }
             */
            rate_limit?: components["schemas"]["RateLimit"] | null;
            retry?: components["schemas"]["RetryChange"];
            /**
             * @description A CEL expression over event.type, event.data, event.user_metadata, event.labels, event.body_unbound and source. The target gets only the events for which it is true; null stands for all events.
             * @example event.type == "batch.failed" || event.labels.team == "billing"
             */
            filter?: string | null;
            /**
             * Format: int32
             * @description Only for pull targets: the relay deletes a target that nobody pulled for so long. Null stands for never, and so does a file of settings that manages the target.
             * @example null
             */
            delete_after_idle_seconds?: number | null;
            /**
             * @description How the target is reached by TLS; only with https. Fields that you leave out stay as they are. Null removes all of them. A change of the origin of `uri` drops the client certificate and its key, unless it gives new ones.
             * @example null
             */
            tls?: components["schemas"]["TlsChange"] | null;
            /** @description The kind cannot be changed later */
            kind?: components["schemas"]["TargetKind"];
        };
        RotatedTarget: {
            /** @example tgt_01h455vb4pex5vsknk084sn02q */
            id: string;
            name: string;
            kind: components["schemas"]["TargetKind"];
            /** @description Null for a pull target. Of a chat target only the scheme and the host, because its URL is a secret. If you send that back, the stored URL stays. */
            uri: string | null;
            /**
             * @example [
             *       "batch.*",
             *       "video.generated"
             *     ]
             */
            subscribed_events: string[];
            state: components["schemas"]["TargetState"];
            /** @description Why the relay disabled the target; null if a caller of the API set the state */
            state_reason: string | null;
            /** Format: date-time */
            state_changed_at: string;
            health: components["schemas"]["TargetHealth"];
            /**
             * @example {
             *       "authorization": "[redacted]"
             *     }
             */
            headers: {
                [key: string]: string;
            };
            /**
             * Format: int64
             * @example 20
             */
            timeout_seconds: number;
            /**
             * Format: int64
             * @example 64
             */
            max_in_flight: number;
            /** @example null */
            rate_limit: components["schemas"]["RateLimit"] | null;
            retry: components["schemas"]["Retry"];
            filter: string | null;
            /** @example null */
            tls: components["schemas"]["Tls"] | null;
            /**
             * Format: int64
             * @example null
             */
            delete_after_idle_seconds: number | null;
            /**
             * Format: date-time
             * @description When the service of a pull target last pulled, to the minute; null if it never did
             * @example null
             */
            last_pulled_at: string | null;
            signing_secrets: components["schemas"]["SigningSecret"][];
            /**
             * @description What was lost with the master key (`sluice rekey --lost`) and is not set anew yet. Until then a source answers 503, and a target stays paused.
             * @example []
             */
            lost_secrets: components["schemas"]["LostSecret"][];
            /**
             * @description The file of settings that manages it; null for none. It is changed there, or with the header `Sluice-Force: true`, until the file is applied again.
             * @example null
             */
            managed_by: string | null;
            /** Format: date-time */
            created_at: string;
            /** Format: date-time */
            updated_at: string;
            /** @description The generated secret, if the request had none; shown only in this answer */
            new_signing_secret?: string;
        };
        TargetTest: {
            /** @example evt_01h455vb4pex5vsknk084sn02q */
            event: string;
            delivery: components["schemas"]["Delivery"];
            /** @description The attempt; null if nobody has made it yet */
            attempt: components["schemas"]["Attempt"] | null;
        };
        Delivery: {
            /** @example dlv_01h455vb4pex5vsknk084sn02q */
            id: string;
            /** @example evt_01h455vb4pex5vsknk084sn02q */
            event: string;
            event_type: string | null;
            webhook_id: string;
            /** @example src_01h455vb4pex5vsknk084sn02q */
            source: string;
            /** @example tgt_01h455vb4pex5vsknk084sn02q */
            target: string;
            status: components["schemas"]["DeliveryStatus"];
            /** @description True while a worker, or a service that pulled it, holds the delivery */
            in_flight: boolean;
            /**
             * Format: uuid
             * @description The worker that holds the delivery, by the id in that worker's log lines, or the pull that gave it out. Null when nobody holds it.
             */
            worker: string | null;
            /** Format: int64 */
            attempt_count: number;
            /**
             * Format: date-time
             * @description Null while the delivery is in flight, and when it is finished
             */
            next_attempt_at: string | null;
            /**
             * Format: date-time
             * @description When the last attempt is made, unless one succeeds before
             */
            deadline_at: string;
            /**
             * Format: int64
             * @example 200
             */
            last_status_code: number | null;
            last_error: string | null;
            /** Format: date-time */
            created_at: string;
            /**
             * Format: date-time
             * @example 2026-01-22T12:00:00Z
             */
            finished_at: string | null;
        };
        /**
         * @example succeeded
         * @enum {string}
         */
        DeliveryStatus: "pending" | "succeeded" | "exhausted" | "cancelled";
        Attempt: {
            /** @example att_01h455vb4pex5vsknk084sn02q */
            id: string;
            /** @example dlv_01h455vb4pex5vsknk084sn02q */
            delivery: string;
            /**
             * @description Null when the event is past its retention, which can end before that of the attempt
             * @example evt_01h455vb4pex5vsknk084sn02q
             */
            event: string | null;
            /** @example tgt_01h455vb4pex5vsknk084sn02q */
            target: string | null;
            /** @example src_01h455vb4pex5vsknk084sn02q */
            source: string | null;
            event_type: string | null;
            /** Format: int64 */
            number: number;
            trigger: components["schemas"]["AttemptTrigger"];
            /** Format: date-time */
            started_at: string;
            /**
             * Format: double
             * @example 41.7
             */
            duration_ms: number;
            /**
             * Format: int64
             * @example 200
             */
            status_code: number | null;
            error: string | null;
            /** @example ok */
            response_excerpt: string | null;
            /**
             * @description Where the request went, without credentials: values in a query are shown as REDACTED. Null, as are the fields below, for an attempt that an earlier version made. Null for what a target pulled.
             * @example https://billing.internal/webhooks/gemini
             */
            url: string | null;
            /**
             * @description The address and port of the target's end of the connection. Null when there was no connection.
             * @example 10.0.4.17:443
             */
            address: string | null;
            /**
             * Format: double
             * @description From the start of the attempt until it had its connection; near 0 on a connection that was kept open. Null when it got none.
             * @example 8.41
             */
            connect_ms: number | null;
            /**
             * Format: double
             * @description From the start of the attempt until the head of the response arrived. Null without a response.
             * @example 39.2
             */
            first_byte_ms: number | null;
            /**
             * @description The trace of the attempt, whose context the target got as `traceparent`. Null when the target got none: where nothing is traced, and the caller of `POST /v1/events` had no trace.
             * @example 019be5a3c1d07a20b7a1f2c3d4e5f607
             */
            trace_id: string | null;
            /**
             * @description The headers that the relay sent, without `webhook-signature` and those of the connection. Values of the headers that the target is configured with are shown as "[redacted]".
             * @example {
             *       "webhook-id": "msg_123",
             *       "sluice-attempt": "1",
             *       "authorization": "[redacted]"
             *     }
             */
            request_headers: {
                [key: string]: string;
            } | null;
            /**
             * @description The first 32 headers of the response with 1,024 characters in all, without cookies and those of the connection. A value that may be a secret is shown as "[redacted]". Null without a response.
             * @example {
             *       "content-type": "text/plain",
             *       "date": "Thu, 22 Jan 2026 12:00:00 GMT"
             *     }
             */
            response_headers: {
                [key: string]: string;
            } | null;
        };
        /**
         * @description initial: the first attempt. retry: the relay tried again by itself. manual: a caller retried the delivery.
         * @enum {string}
         */
        AttemptTrigger: "initial" | "retry" | "manual";
        PullAnswer: {
            deliveries: components["schemas"]["PulledDelivery"][];
            /**
             * Format: int64
             * @description How many more are due now. The count stops at 1,000.
             * @example 0
             */
            waiting: number;
            /** @description The state of the target. Only an enabled target gets deliveries. */
            state: components["schemas"]["TargetState"];
        };
        PulledDelivery: {
            /**
             * @description Names the delivery and this pull in `:ack` and `:extend`
             * @example AZsAAAAAcACAAAAAAAAAAAGbAAAAAHAAgAAAAAAAAAA
             */
            token: string;
            /** @example dlv_01h455vb4pex5vsknk084sn02q */
            delivery_id: string;
            /** @example evt_01h455vb4pex5vsknk084sn02q */
            event_id: string;
            event_type: string | null;
            /**
             * Format: int64
             * @description The number of the attempt that you make now
             */
            attempt: number;
            trigger: components["schemas"]["AttemptTrigger"];
            /**
             * @description The headers that an http target would get, signed with the secrets of this target
             * @example {
             *       "webhook-id": "msg_123",
             *       "webhook-timestamp": "1795000000",
             *       "webhook-signature": "v1,…"
             *     }
             */
            headers: {
                [key: string]: string;
            };
            /**
             * Format: byte
             * @description The bytes of the event in base64
             * @example e30=
             */
            body: string;
            /** Format: date-time */
            deadline_at: string;
            /**
             * Format: date-time
             * @description When somebody else may get it, unless you report it
             */
            lease_expires_at: string;
        };
        PullRequest: {
            /**
             * Format: int32
             * @description The most deliveries in the answer. Their bodies have some 4 MiB together, or it is one delivery.
             * @default 10
             */
            max?: number;
            /**
             * Format: int32
             * @description How long to wait for the first delivery if none is due
             * @default 0
             */
            wait_seconds?: number;
            /**
             * Format: int32
             * @description For how long nobody else gets these deliveries. `:extend` makes it longer.
             * @default 45
             */
            lease_seconds?: number;
        };
        AckAnswer: {
            results: components["schemas"]["AckResult"][];
        };
        AckResult: {
            /** @example AZsAAAAAcACAAAAAAAAAAAGbAAAAAHAAgAAAAAAAAAA */
            token: string;
            /** @description Null when all is well. `lease_lost`: the lease ran out, and somebody else has the delivery or has finished it, so that this changed nothing. `not_found`: the target has no such delivery. */
            code: components["schemas"]["PullFault"] | null;
            /** @description The status of the delivery now; null if there is none */
            status: components["schemas"]["DeliveryStatus"] | null;
            /**
             * Format: date-time
             * @description When it is due again; null if it is finished
             */
            next_attempt_at: string | null;
        };
        /** @enum {string} */
        PullFault: "lease_lost" | "not_found";
        AckRequest: {
            /** @description What became of each delivery */
            results: components["schemas"]["PullReport"][];
        };
        PullReport: {
            /**
             * @description The token that the pull gave with the delivery
             * @example AZsAAAAAcACAAAAAAAAAAAGbAAAAAHAAgAAAAAAAAAA
             */
            token: string;
            /**
             * Format: int32
             * @description What the service answered. A 2xx without `error` is a success.
             * @example 200
             */
            status_code?: number;
            /**
             * @description Why there is no complete answer. One that begins with `timeout: ` or `connection: ` is counted as such in the metrics.
             * @example timeout: no answer within 20 s
             */
            error?: string;
            /**
             * Format: double
             * @description How long the service took
             * @example 41.7
             */
            duration_ms: number;
            /**
             * Format: date-time
             * @description By default `duration_ms` ago. A time before the pull, or after the report, is moved there.
             */
            started_at?: string;
            /**
             * @description The start of the answer. The log keeps 1,024 bytes.
             * @example ok
             */
            response_excerpt?: string;
            /**
             * Format: double
             * @description The `Retry-After` of the answer. It wins over the schedule of the target, up to a quarter of its horizon.
             * @example 30
             */
            retry_after_seconds?: number;
        };
        ExtendAnswer: {
            results: components["schemas"]["ExtendResult"][];
        };
        ExtendResult: {
            /** @example AZsAAAAAcACAAAAAAAAAAAGbAAAAAHAAgAAAAAAAAAA */
            token: string;
            /** @description Null when all is well. `lease_lost`: the lease ran out, and somebody else has the delivery or has finished it, so that this changed nothing. `not_found`: the target has no such delivery. */
            code: components["schemas"]["PullFault"] | null;
            /**
             * Format: date-time
             * @description Null if the lease is lost
             */
            lease_expires_at: string | null;
        };
        ExtendRequest: {
            /** @description The deliveries that need more time */
            tokens: string[];
            /**
             * Format: int32
             * @description From now
             * @default 45
             */
            lease_seconds?: number;
        };
        WebhookPage: {
            webhooks: components["schemas"]["Webhook"][];
            /** @description Absent on the last page */
            next_page_token?: string;
        };
        Webhook: {
            /** @example tgt_01h455vb4pex5vsknk084sn02q */
            id: string;
            name: string;
            uri: string;
            /**
             * @example [
             *       "batch.*",
             *       "video.generated"
             *     ]
             */
            subscribed_events: string[];
            state: components["schemas"]["WebhookState"];
            signing_secrets: components["schemas"]["WebhookSecret"][];
            /** Format: date-time */
            create_time: string;
            /** Format: date-time */
            update_time: string;
        };
        /**
         * @description A paused target is shown as `disabled`. Setting `enabled` resumes it; `disabled` leaves it paused.
         * @enum {string}
         */
        WebhookState: "enabled" | "disabled" | "disabled_due_to_failed_deliveries";
        WebhookSecret: {
            truncated_secret: string;
            /** Format: date-time */
            expire_time?: string;
        };
        GoogleError: {
            error: {
                /**
                 * Format: int64
                 * @description The HTTP status of the answer
                 * @example 404
                 */
                code: number;
                message: string;
                status: components["schemas"]["GoogleStatus"];
            };
        };
        /**
         * @description The canonical code of Google's APIs
         * @example NOT_FOUND
         * @enum {string}
         */
        GoogleStatus: "INVALID_ARGUMENT" | "UNAUTHENTICATED" | "PERMISSION_DENIED" | "NOT_FOUND" | "UNIMPLEMENTED" | "DEADLINE_EXCEEDED" | "ABORTED" | "FAILED_PRECONDITION" | "RESOURCE_EXHAUSTED" | "INTERNAL" | "UNAVAILABLE";
        CreatedWebhook: {
            /** @example tgt_01h455vb4pex5vsknk084sn02q */
            id: string;
            name: string;
            uri: string;
            /**
             * @example [
             *       "batch.*",
             *       "video.generated"
             *     ]
             */
            subscribed_events: string[];
            state: components["schemas"]["WebhookState"];
            signing_secrets: components["schemas"]["WebhookSecret"][];
            /** Format: date-time */
            create_time: string;
            /** Format: date-time */
            update_time: string;
            /** @description The signing secret; shown only in this answer */
            new_signing_secret: string;
        };
        NewWebhook: {
            /** @description By default the host of `uri`. If another webhook has the name, it gets a number, such as `billing-2`. */
            name?: string;
            /**
             * Format: uri
             * @description Where the events are sent by POST
             * @example http://billing.internal:3000/gemini
             */
            uri: string;
            /**
             * @description The types of events that the target gets: exact names, groups such as `batch.*`, or `*` for all of them but the relay's own.
             * @example [
             *       "batch.*",
             *       "video.generated"
             *     ]
             */
            subscribed_events: string[];
            /** @description An enabled webhook gets events. One that the relay disabled says so. */
            state?: components["schemas"]["WebhookState"];
            /** @description Output only; ignored */
            id?: unknown;
            /** @description Output only; ignored */
            signing_secrets?: unknown;
            /** @description Output only; ignored */
            new_signing_secret?: unknown;
            /** @description Output only; ignored */
            create_time?: unknown;
            /** @description Output only; ignored */
            update_time?: unknown;
        };
        WebhookChange: {
            /** @description By default the host of `uri`. If another webhook has the name, it gets a number, such as `billing-2`. */
            name?: string;
            /**
             * Format: uri
             * @description Where the events are sent by POST
             * @example http://billing.internal:3000/gemini
             */
            uri?: string;
            /**
             * @description The types of events that the target gets: exact names, groups such as `batch.*`, or `*` for all of them but the relay's own.
             * @example [
             *       "batch.*",
             *       "video.generated"
             *     ]
             */
            subscribed_events?: string[];
            /** @description An enabled webhook gets events. One that the relay disabled says so. */
            state?: components["schemas"]["WebhookState"];
            /** @description Output only; ignored */
            id?: unknown;
            /** @description Output only; ignored */
            signing_secrets?: unknown;
            /** @description Output only; ignored */
            new_signing_secret?: unknown;
            /** @description Output only; ignored */
            create_time?: unknown;
            /** @description Output only; ignored */
            update_time?: unknown;
        };
        RotatedWebhookSecret: {
            /** @example whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw */
            secret: string;
        };
        WebhookRotation: {
            revocation_behavior?: components["schemas"]["RevocationBehavior"];
        };
        /**
         * @description When the secrets that the webhook has end
         * @enum {string}
         */
        RevocationBehavior: "revoke_previous_secrets_after_h24" | "revoke_previous_secrets_immediately";
        EventPage: {
            data: components["schemas"]["Event"][];
            /** @description Null on the last page. Other pages can have fewer than `limit` entries, or none: read on until it is null. */
            next_cursor: string | null;
            /** @description With `order=oldest`, the cursor after this page, which the last page has too: send it later to get the entries that were stored since, each once. It is valid for 23 hours. Null with `order=newest`. */
            resume_cursor: string | null;
            /**
             * Format: date-time
             * @description Which time this page of the list reached. A page of a rare filter can be empty and end long before the list does: then this is how far it was searched. Null when the list is at its end.
             */
            searched_to: string | null;
        };
        Event: {
            /** @example evt_01h455vb4pex5vsknk084sn02q */
            id: string;
            /** @example src_01h455vb4pex5vsknk084sn02q */
            source: string;
            webhook_id: string;
            /** @example batch.succeeded */
            type: string | null;
            /**
             * Format: date-time
             * @description The `timestamp` of the payload. Null when the payload has none.
             * @example 2026-01-22T12:00:00Z
             */
            timestamp: string | null;
            /** Format: date-time */
            received_at: string;
            scheme: components["schemas"]["EventScheme"];
            /** @description True when the signature proves who sent the event, but not that the body is unchanged */
            body_unbound: boolean;
            /**
             * @description The `content-encoding` that the event arrived with. The body is kept and delivered as it came, with this label.
             * @example null
             */
            content_encoding: string | null;
            /**
             * @example {
             *       "team": "billing"
             *     }
             */
            user_metadata: {
                [key: string]: unknown;
            } | null;
            /**
             * @description The labels of the callback URL that received the event
             * @example {}
             */
            labels: {
                [key: string]: string;
            };
            /**
             * @description The targets whose filter failed on this event. A filter that fails does not match.
             * @example []
             */
            filter_errors: components["schemas"]["FilterError"][];
            /**
             * Format: int64
             * @description The size of the body. 0 when it was removed.
             * @example 158
             */
            size_bytes: number;
            /**
             * Format: date-time
             * @description When the body was removed, with everything that was taken from it: `user_metadata`, `labels`, `filter_errors`, `content_encoding`, and the excerpts of what targets answered. Null while the body is there.
             * @example null
             */
            body_removed_at: string | null;
            /**
             * @description retention: the event is older than `BODY_RETENTION_DAYS`. erasure: somebody called `:erase`. Null while the body is there.
             * @example null
             */
            body_removed_by: components["schemas"]["BodyRemoval"] | null;
            /**
             * @description The body as JSON. Null when the body is not JSON, is nested deeper than 500 levels, or was removed.
             * @example {
             *       "type": "batch.succeeded",
             *       "version": "v1",
             *       "timestamp": "2026-01-22T12:00:00Z",
             *       "data": {
             *         "id": "batch_123456"
             *       },
             *       "user_metadata": {
             *         "team": "billing"
             *       }
             *     }
             */
            payload?: unknown;
        };
        /**
         * @description How the event was proved: v1, v1a and jwt are signature schemes of Gemini. The others are events that nobody signed: api was injected, reconciled stands in for a webhook that did not come, none is of the relay itself.
         * @enum {string}
         */
        EventScheme: "v1" | "v1a" | "jwt" | "api" | "reconciled" | "none";
        FilterError: {
            /** @example tgt_01h455vb4pex5vsknk084sn02q */
            target: string;
            error: string;
        };
        /** @enum {string} */
        BodyRemoval: "retention" | "erasure";
        /**
         * @description Which entries come first. With `oldest`, the list can be read on from its end: see `resume_cursor`. An entry that is stored late then comes after newer ones.
         * @default newest
         * @example newest
         * @enum {string}
         */
        ListOrder: "newest" | "oldest";
        EventWithDeliveries: {
            /** @example evt_01h455vb4pex5vsknk084sn02q */
            id: string;
            /** @example src_01h455vb4pex5vsknk084sn02q */
            source: string;
            webhook_id: string;
            /** @example batch.succeeded */
            type: string | null;
            /**
             * Format: date-time
             * @description The `timestamp` of the payload. Null when the payload has none.
             * @example 2026-01-22T12:00:00Z
             */
            timestamp: string | null;
            /** Format: date-time */
            received_at: string;
            scheme: components["schemas"]["EventScheme"];
            /** @description True when the signature proves who sent the event, but not that the body is unchanged */
            body_unbound: boolean;
            /**
             * @description The `content-encoding` that the event arrived with. The body is kept and delivered as it came, with this label.
             * @example null
             */
            content_encoding: string | null;
            /**
             * @example {
             *       "team": "billing"
             *     }
             */
            user_metadata: {
                [key: string]: unknown;
            } | null;
            /**
             * @description The labels of the callback URL that received the event
             * @example {}
             */
            labels: {
                [key: string]: string;
            };
            /**
             * @description The targets whose filter failed on this event. A filter that fails does not match.
             * @example []
             */
            filter_errors: components["schemas"]["FilterError"][];
            /**
             * Format: int64
             * @description The size of the body. 0 when it was removed.
             * @example 158
             */
            size_bytes: number;
            /**
             * Format: date-time
             * @description When the body was removed, with everything that was taken from it: `user_metadata`, `labels`, `filter_errors`, `content_encoding`, and the excerpts of what targets answered. Null while the body is there.
             * @example null
             */
            body_removed_at: string | null;
            /**
             * @description retention: the event is older than `BODY_RETENTION_DAYS`. erasure: somebody called `:erase`. Null while the body is there.
             * @example null
             */
            body_removed_by: components["schemas"]["BodyRemoval"] | null;
            /**
             * @description The body as JSON. Null when the body is not JSON, is nested deeper than 500 levels, or was removed.
             * @example {
             *       "type": "batch.succeeded",
             *       "version": "v1",
             *       "timestamp": "2026-01-22T12:00:00Z",
             *       "data": {
             *         "id": "batch_123456"
             *       },
             *       "user_metadata": {
             *         "team": "billing"
             *       }
             *     }
             */
            payload?: unknown;
            /** @description One for each target that the event goes to */
            deliveries: components["schemas"]["DeliveryWithAttempts"][];
        };
        DeliveryWithAttempts: {
            /** @example dlv_01h455vb4pex5vsknk084sn02q */
            id: string;
            /** @example evt_01h455vb4pex5vsknk084sn02q */
            event: string;
            event_type: string | null;
            webhook_id: string;
            /** @example src_01h455vb4pex5vsknk084sn02q */
            source: string;
            /** @example tgt_01h455vb4pex5vsknk084sn02q */
            target: string;
            status: components["schemas"]["DeliveryStatus"];
            /** @description True while a worker, or a service that pulled it, holds the delivery */
            in_flight: boolean;
            /**
             * Format: uuid
             * @description The worker that holds the delivery, by the id in that worker's log lines, or the pull that gave it out. Null when nobody holds it.
             */
            worker: string | null;
            /** Format: int64 */
            attempt_count: number;
            /**
             * Format: date-time
             * @description Null while the delivery is in flight, and when it is finished
             */
            next_attempt_at: string | null;
            /**
             * Format: date-time
             * @description When the last attempt is made, unless one succeeds before
             */
            deadline_at: string;
            /**
             * Format: int64
             * @example 200
             */
            last_status_code: number | null;
            last_error: string | null;
            /** Format: date-time */
            created_at: string;
            /**
             * Format: date-time
             * @example 2026-01-22T12:00:00Z
             */
            finished_at: string | null;
            /** @description Oldest first. An answer shows the newest 1000 attempts at most. */
            attempts: components["schemas"]["Attempt"][];
        };
        InjectedEvent: {
            /** @example evt_01h455vb4pex5vsknk084sn02q */
            id: string;
            /** @example src_01h455vb4pex5vsknk084sn02q */
            source: string;
            webhook_id: string;
            /** @description True when the event was stored before. `id` is then that of the stored event, and nothing was changed. */
            is_duplicate: boolean;
            /**
             * Format: int64
             * @description The number of new deliveries, one for each target that matches. 0 for a duplicate.
             */
            deliveries: number;
        };
        NewEvent: {
            /**
             * @description Any event type, except those of the relay itself ("sluice.…"). The subscriptions of the targets are compared with it.
             * @example batch.succeeded
             */
            type: string;
            /**
             * @description What the event is about, as in Gemini's thin payload
             * @example {
             *       "id": "batch_123456",
             *       "output_file_uri": "gs://my-bucket/results.jsonl"
             *     }
             */
            data: {
                [key: string]: unknown;
            };
            /**
             * @description The metadata that was given with the job
             * @example {
             *       "team": "billing"
             *     }
             */
            user_metadata?: {
                [key: string]: unknown;
            };
            /**
             * @description Names and values of your own, by which the events are filtered and found
             * @example {
             *       "job": "nightly-embeddings",
             *       "customer": "42"
             *     }
             */
            labels?: {
                [key: string]: string;
            };
            /**
             * @description The name or the id of the event's source
             * @default api
             * @example api
             */
            source?: string;
            /**
             * @description Events of one source with the same `webhook_id` are one event. Generated when not given.
             * @example msg_p5jXN8AQM9LWM0D4loKWxJek
             */
            webhook_id?: string;
            /**
             * @description Only these targets get the event, whatever they subscribe to. None of them may be disabled. When not given, every target gets the event that matches it.
             * @example [
             *       "tgt_01h455vb4pex5vsknk084sn02q"
             *     ]
             */
            targets?: string[];
            /**
             * Format: date-time
             * @description When the event happened. The current time when not given.
             * @example 2026-01-22T12:00:00Z
             */
            timestamp?: string;
        };
        Replayed: {
            /** @example evt_01h455vb4pex5vsknk084sn02q */
            event: string;
            deliveries: components["schemas"]["ReplayedDelivery"][];
            /**
             * @description The targets whose filter failed on the event. They do not get it.
             * @example []
             */
            filter_errors: components["schemas"]["FilterError"][];
        };
        ReplayedDelivery: {
            /** @example tgt_01h455vb4pex5vsknk084sn02q */
            target: string;
            /** @example dlv_01h455vb4pex5vsknk084sn02q */
            delivery: string;
            result: components["schemas"]["ReplayResult"];
        };
        /**
         * @description created: the target gets the event for the first time. retried: the target had a delivery of it, which is due again with a new deadline. skipped: the target has a delivery of it, and `again` is false. in_flight: a worker is attempting the target's delivery now, and that goes on.
         * @enum {string}
         */
        ReplayResult: "created" | "retried" | "skipped" | "in_flight";
        /** @example {} */
        Replay: {
            /** @description Send the event to these targets. When not given, it is sent to all targets whose subscription and filter match it now. */
            targets?: string[];
            /** @description Whether only targets whose subscription and filter match the event get it. By default false when `targets` names them, whatever they subscribe to. Without `targets` it cannot be false. */
            match_subscription?: boolean;
            /**
             * @description Whether a target that has a delivery of the event gets it once more: the delivery is due again. When false, what is there is left.
             * @default true
             */
            again?: boolean;
        };
        ReplayPreview: {
            /**
             * Format: int64
             * @description The number of events that match every filter, `filter` included
             */
            matched: number;
            /** @description For each target, what became of the events. The numbers add up to `matched`. */
            targets: components["schemas"]["ReplayedToTarget"][];
            /**
             * @description The first failure of a filter
             * @example null
             */
            first_filter_error: components["schemas"]["FirstFilterError"] | null;
            /**
             * Format: int64
             * @description The number of events that match the filters of the log
             * @example 1200
             */
            total: number;
            /**
             * Format: int64
             * @description The number of events on which `filter` failed
             * @example 0
             */
            failed: number;
            /** @description False when counting took longer than 2 seconds and was stopped. The numbers are then those of the oldest events. */
            complete: boolean;
        };
        ReplayedToTarget: {
            /** @example tgt_01h455vb4pex5vsknk084sn02q */
            target: string;
            /**
             * Format: int64
             * @description Events that the target gets for the first time
             * @example 1200
             */
            created: number;
            /**
             * Format: int64
             * @description Events whose finished delivery is due again, because `again` is true
             * @example 0
             */
            retried: number;
            /**
             * Format: int64
             * @description Events of which the target has a delivery that is left as it is
             * @example 0
             */
            skipped: number;
            /**
             * Format: int64
             * @description Events that the target's subscription or filter does not match
             * @example 0
             */
            not_matched: number;
            /**
             * Format: int64
             * @description Events on which the target's filter failed. The target does not get them.
             * @example 0
             */
            filter_errors: number;
            /**
             * Format: int64
             * @description Events that the target does not get because their body was removed, or because it was disabled or deleted, or the event passed its retention, during the operation
             * @example 0
             */
            left_out: number;
        };
        FirstFilterError: {
            /** @example evt_01h455vb4pex5vsknk084sn02q */
            event: string;
            /**
             * @description The target whose filter failed. Null when `filter` of the request failed.
             * @example null
             */
            target: string | null;
            /** @example No such key: error_code */
            error: string;
        };
        ReplayCounts: {
            /**
             * Format: int64
             * @description The number of events that match every filter, `filter` included
             */
            matched: number;
            /** @description For each target, what became of the events. The numbers add up to `matched`. */
            targets: components["schemas"]["ReplayedToTarget"][];
            /**
             * @description The first failure of a filter
             * @example null
             */
            first_filter_error: components["schemas"]["FirstFilterError"] | null;
        };
        Operation: {
            /** @example opr_01h455vb4pex5vsknk084sn02q */
            id: string;
            kind: components["schemas"]["OperationKind"];
            state: components["schemas"]["OperationState"];
            /**
             * @description The request as the caller gave it: the filters, and what else is in its body. A retry always shows its `status`.
             * @example {
             *       "target": "tgt_01h455vb4pex5vsknk084sn02q",
             *       "status": [
             *         "exhausted"
             *       ]
             *     }
             */
            filter: {
                [key: string]: unknown;
            };
            /**
             * Format: int64
             * @description The number of deliveries that match, counted before the first is changed. Null until they are counted. A delivery that changes after the count may no longer match, so `done` and `failed` may add up to less. For a replay: the number of events that match the filters of the log.
             * @example 2000
             */
            total: number | null;
            /**
             * Format: int64
             * @description The number of deliveries that were made due, or cancelled. For a replay: the number of events that it went through, and `replay` says what became of them.
             * @example 500
             */
            done: number;
            /**
             * Format: int64
             * @description The number of deliveries that were left as they are, because a worker held the delivery, it changed at that moment, its target was deleted, or the body of its event was removed. For a replay: the number of events on which `filter` failed.
             * @example 0
             */
            failed: number;
            /**
             * @description What a replay did so far. Null for the other kinds.
             * @example null
             */
            replay: components["schemas"]["ReplayCounts"] | null;
            /** @description The error of the last step. Null when that step succeeded. */
            error: string | null;
            /** Format: date-time */
            created_at: string;
            created_by: components["schemas"]["KeyUse"];
            /** Format: date-time */
            finished_at: string | null;
        };
        /** @enum {string} */
        OperationKind: "retry_deliveries" | "cancel_deliveries" | "replay_events";
        /**
         * @description succeeded: the operation went through everything that matches. failed: it was given up after ten failed steps in a row, or because no target of a replay was left, and `error` says why. cancelled: a caller stopped it. What it did before its end stays done.
         * @enum {string}
         */
        OperationState: "running" | "succeeded" | "cancelled" | "failed";
        KeyUse: {
            /**
             * @description The id of the API key. Null for the key from `ADMIN_API_KEY`, and for a person whom a proxy signed in to the console.
             * @example key_01h455vb4pex5vsknk084sn02q
             */
            key: string | null;
            /** @description The name of the key at that time, or of the person */
            name: string;
        };
        /**
         * @example {
         *       "targets": [
         *         "tgt_01h455vb4pex5vsknk084sn02q"
         *       ],
         *       "since": "2026-01-22T00:00:00Z",
         *       "dry_run": true
         *     }
         */
        ReplayEvents: {
            /**
             * Format: date-time
             * @description The start of the time range, included, as RFC 3339. It is compared with the time that a row shows: when it was received, created or started.
             * @example 2026-01-22T12:00:00Z
             */
            since?: string;
            /**
             * Format: date-time
             * @description The end of the time range, not included, as RFC 3339. It is compared with the time that a row shows: when it was received, created or started.
             * @example 2026-01-22T12:00:00Z
             */
            until?: string;
            /**
             * @description The id or the name of a source
             * @example gemini
             */
            source?: string;
            /**
             * @description An event type, or a group of them such as `batch.*`. `batch.completed` and `batch.succeeded` are two names of one type.
             * @example batch.succeeded
             */
            event_type?: string;
            /**
             * @description The `webhook-id` that the sender set
             * @example msg_p5jXN8AQM9LWM0D4loKWxJek
             */
            webhook_id?: string;
            /**
             * @description `data.id` of the payload: the Gemini job that the event is about, with or without `batches/`
             * @example batch_123456
             */
            data_id?: string;
            /**
             * @description A label of the callback URL that received the event, as name:value. Repeat the parameter to match all of several values.
             * @example [
             *       "team:billing"
             *     ]
             */
            label?: string[];
            /**
             * @description A top-level key of `user_metadata`, or a key and its value as key=value. The value is compared as text: `n=1` matches the number 1 and the text, and `n=null` the JSON null and the text. Repeat the parameter to match all of several values.
             * @example [
             *       "job=nightly"
             *     ]
             */
            user_metadata?: string[];
            /**
             * @description A CEL expression over event.type, event.data, event.user_metadata, event.labels, event.body_unbound and source. Only the events for which it is true are replayed.
             * @example event.type == "batch.failed"
             */
            filter?: string;
            /**
             * @description The targets that get the events. None of them may be disabled.
             * @example [
             *       "tgt_01h455vb4pex5vsknk084sn02q"
             *     ]
             */
            targets: string[];
            /**
             * @description Whether a target gets only the events that its subscription and its filter match. When false, it gets every event that this request finds.
             * @default true
             */
            match_subscription?: boolean;
            /**
             * @description Whether a target that has a delivery of an event gets it once more: the delivery, if it is finished, is due again. When false, what is there is left.
             * @default false
             */
            again?: boolean;
            /**
             * @description Required when no filter is given, so that the whole log is not taken by mistake
             * @example true
             * @enum {boolean}
             */
            all?: true;
            /**
             * @description Only count, and change nothing
             * @default false
             * @example true
             */
            dry_run?: boolean;
        };
        ErasedEvent: {
            /** @example evt_01h455vb4pex5vsknk084sn02q */
            event: string;
            /**
             * Format: date-time
             * @description When the body was removed
             */
            body_removed_at: string;
            /**
             * Format: int64
             * @description The number of unfinished deliveries that were cancelled
             * @example 1
             */
            cancelled: number;
            /**
             * Format: int64
             * @description How many of the cancelled deliveries a worker had in hand. It may be sending the event now, and may do so for up to a minute.
             * @example 0
             */
            in_flight: number;
        };
        DeliveryPage: {
            data: components["schemas"]["Delivery"][];
            /** @description Null on the last page. Other pages can have fewer than `limit` entries, or none: read on until it is null. */
            next_cursor: string | null;
            /** @description With `order=oldest`, the cursor after this page, which the last page has too: send it later to get the entries that were stored since, each once. It is valid for 23 hours. Null with `order=newest`. */
            resume_cursor: string | null;
            /**
             * Format: date-time
             * @description Which time this page of the list reached. A page of a rare filter can be empty and end long before the list does: then this is how far it was searched. Null when the list is at its end.
             */
            searched_to: string | null;
        };
        MatchingDeliveries: {
            /**
             * Format: int64
             * @example 120
             */
            total: number;
            by_status: {
                /** Format: int64 */
                pending: number;
                /** Format: int64 */
                succeeded: number;
                /** Format: int64 */
                exhausted: number;
                /** Format: int64 */
                cancelled: number;
            };
            /** @description False when counting took longer than 2 seconds and was stopped. There are then at least `total` deliveries that match. */
            complete: boolean;
        };
        /**
         * @example {
         *       "target": "tgt_01h455vb4pex5vsknk084sn02q",
         *       "status": [
         *         "exhausted"
         *       ],
         *       "dry_run": true
         *     }
         */
        RetryDeliveries: {
            /**
             * Format: date-time
             * @description The start of the time range, included, as RFC 3339. It is compared with the time that a row shows: when it was received, created or started.
             * @example 2026-01-22T12:00:00Z
             */
            since?: string;
            /**
             * Format: date-time
             * @description The end of the time range, not included, as RFC 3339. It is compared with the time that a row shows: when it was received, created or started.
             * @example 2026-01-22T12:00:00Z
             */
            until?: string;
            /**
             * @description The id or the name of a source
             * @example gemini
             */
            source?: string;
            /**
             * @description An event type, or a group of them such as `batch.*`. `batch.completed` and `batch.succeeded` are two names of one type.
             * @example batch.succeeded
             */
            event_type?: string;
            /**
             * @description The `webhook-id` that the sender set
             * @example msg_p5jXN8AQM9LWM0D4loKWxJek
             */
            webhook_id?: string;
            /**
             * @description `data.id` of the payload: the Gemini job that the event is about, with or without `batches/`
             * @example batch_123456
             */
            data_id?: string;
            /**
             * @description A label of the callback URL that received the event, as name:value. Repeat the parameter to match all of several values.
             * @example [
             *       "team:billing"
             *     ]
             */
            label?: string[];
            /**
             * @description A top-level key of `user_metadata`, or a key and its value as key=value. The value is compared as text: `n=1` matches the number 1 and the text, and `n=null` the JSON null and the text. Repeat the parameter to match all of several values.
             * @example [
             *       "job=nightly"
             *     ]
             */
            user_metadata?: string[];
            /**
             * @description The id of the event
             * @example evt_01h455vb4pex5vsknk084sn02q
             */
            event?: string;
            /**
             * @description The id of the target, which may be deleted
             * @example tgt_01h455vb4pex5vsknk084sn02q
             */
            target?: string;
            /**
             * @description Any of these status codes of the last attempt: a code, a class such as `5xx`, or `none` when there was no response
             * @example [
             *       "5xx",
             *       "none"
             *     ]
             */
            status_code?: string[];
            /**
             * @description A text that the error of the last attempt contains, in upper or lower case
             * @example ECONNREFUSED
             */
            error?: string;
            /**
             * Format: int32
             * @description The least number of attempts
             * @example 3
             */
            min_attempts?: number;
            /**
             * @description Required when no filter is given, so that the whole log is not taken by mistake
             * @example true
             * @enum {boolean}
             */
            all?: true;
            /**
             * @description Only count the deliveries that match, and change nothing
             * @default false
             * @example true
             */
            dry_run?: boolean;
            /**
             * @description Any of these statuses. When not given, only `exhausted`: deliveries that succeeded or were cancelled are retried only when their status is given.
             * @default [
             *       "exhausted"
             *     ]
             * @example [
             *       "exhausted",
             *       "cancelled"
             *     ]
             */
            status?: components["schemas"]["DeliveryStatus"][];
        };
        /**
         * @example {
         *       "target": "tgt_01h455vb4pex5vsknk084sn02q",
         *       "dry_run": true
         *     }
         */
        CancelDeliveries: {
            /**
             * Format: date-time
             * @description The start of the time range, included, as RFC 3339. It is compared with the time that a row shows: when it was received, created or started.
             * @example 2026-01-22T12:00:00Z
             */
            since?: string;
            /**
             * Format: date-time
             * @description The end of the time range, not included, as RFC 3339. It is compared with the time that a row shows: when it was received, created or started.
             * @example 2026-01-22T12:00:00Z
             */
            until?: string;
            /**
             * @description The id or the name of a source
             * @example gemini
             */
            source?: string;
            /**
             * @description An event type, or a group of them such as `batch.*`. `batch.completed` and `batch.succeeded` are two names of one type.
             * @example batch.succeeded
             */
            event_type?: string;
            /**
             * @description The `webhook-id` that the sender set
             * @example msg_p5jXN8AQM9LWM0D4loKWxJek
             */
            webhook_id?: string;
            /**
             * @description `data.id` of the payload: the Gemini job that the event is about, with or without `batches/`
             * @example batch_123456
             */
            data_id?: string;
            /**
             * @description A label of the callback URL that received the event, as name:value. Repeat the parameter to match all of several values.
             * @example [
             *       "team:billing"
             *     ]
             */
            label?: string[];
            /**
             * @description A top-level key of `user_metadata`, or a key and its value as key=value. The value is compared as text: `n=1` matches the number 1 and the text, and `n=null` the JSON null and the text. Repeat the parameter to match all of several values.
             * @example [
             *       "job=nightly"
             *     ]
             */
            user_metadata?: string[];
            /**
             * @description The id of the event
             * @example evt_01h455vb4pex5vsknk084sn02q
             */
            event?: string;
            /**
             * @description The id of the target, which may be deleted
             * @example tgt_01h455vb4pex5vsknk084sn02q
             */
            target?: string;
            /**
             * @description Any of these status codes of the last attempt: a code, a class such as `5xx`, or `none` when there was no response
             * @example [
             *       "5xx",
             *       "none"
             *     ]
             */
            status_code?: string[];
            /**
             * @description A text that the error of the last attempt contains, in upper or lower case
             * @example ECONNREFUSED
             */
            error?: string;
            /**
             * Format: int32
             * @description The least number of attempts
             * @example 3
             */
            min_attempts?: number;
            /**
             * @description Required when no filter is given, so that the whole log is not taken by mistake
             * @example true
             * @enum {boolean}
             */
            all?: true;
            /**
             * @description Only count the deliveries that match, and change nothing
             * @default false
             * @example true
             */
            dry_run?: boolean;
        };
        OperationPage: {
            data: components["schemas"]["Operation"][];
            /** @description Null on the last page. Other pages can have fewer than `limit` entries, or none: read on until it is null. */
            next_cursor: string | null;
        };
        AttemptPage: {
            data: components["schemas"]["Attempt"][];
            /** @description Null on the last page. Other pages can have fewer than `limit` entries, or none: read on until it is null. */
            next_cursor: string | null;
            /** @description With `order=oldest`, the cursor after this page, which the last page has too: send it later to get the entries that were stored since, each once. It is valid for 23 hours. Null with `order=newest`. */
            resume_cursor: string | null;
            /**
             * Format: date-time
             * @description Which time this page of the list reached. A page of a rare filter can be empty and end long before the list does: then this is how far it was searched. Null when the list is at its end.
             */
            searched_to: string | null;
        };
        RejectionPage: {
            data: components["schemas"]["Rejection"][];
            /** @description Null on the last page. Other pages can have fewer than `limit` entries, or none: read on until it is null. */
            next_cursor: string | null;
            /** @description With `order=oldest`, the cursor after this page, which the last page has too: send it later to get the entries that were stored since, each once. It is valid for 23 hours. Null with `order=newest`. */
            resume_cursor: string | null;
            /**
             * Format: date-time
             * @description Which time this page of the list reached. A page of a rare filter can be empty and end long before the list does: then this is how far it was searched. Null when the list is at its end.
             */
            searched_to: string | null;
        };
        Rejection: {
            /** @example rej_01h455vb4pex5vsknk084sn02q */
            id: string;
            /** @example src_01h455vb4pex5vsknk084sn02q */
            source: string;
            reason: components["schemas"]["RefusalReason"];
            /** @example No signature matches a secret of the source */
            detail: string;
            /** @description The `webhook-id` that the sender claims */
            webhook_id: string | null;
            /** @example 192.0.2.1 */
            remote_address: string | null;
            /**
             * Format: int64
             * @description The size of the body, or its announced size when the body was not read
             */
            size_bytes: number | null;
            /**
             * Format: int64
             * @description The number of refused requests that this rejection stands for. In every ten seconds, the first refused requests of a source and reason each have a rejection of their own, and one more rejection stands for all that followed.
             */
            count: number;
            /** Format: date-time */
            created_at: string;
        };
        JobPage: {
            data: components["schemas"]["Job"][];
            /** @description Null on the last page. Other pages can have fewer than `limit` entries, or none: read on until it is null. */
            next_cursor: string | null;
            /** @description How the jobs are read at Gemini, for each API key */
            readers: components["schemas"]["JobReader"][];
        };
        Job: {
            /** @example job_01h455vb4pex5vsknk084sn02q */
            id: string;
            kind: components["schemas"]["JobKind"];
            /**
             * @description Null for a job whose name the relay does not know yet
             * @example batches/abc123
             */
            name: string | null;
            /** @example src_01h455vb4pex5vsknk084sn02q */
            source: string;
            status: components["schemas"]["JobStatus"];
            /**
             * @description What Gemini said last; null before the relay asked
             * @example succeeded
             */
            state: string | null;
            /** @example {} */
            labels: {
                [key: string]: string;
            };
            /** Format: date-time */
            expected_at: string;
            /** Format: date-time */
            ended_at: string | null;
            /**
             * @description The event that told of the end; null while there is none
             * @example null
             */
            event: string | null;
            /**
             * @description Why the last look at the job failed
             * @example null
             */
            problem: string | null;
            /** Format: date-time */
            checked_at: string | null;
            /** Format: date-time */
            next_check_at: string | null;
            /**
             * Format: date-time
             * @description When the relay got to know the job
             */
            created_at: string;
        };
        /**
         * @description waiting: its end is waited for. seen: a webhook told of its end. reconciled: no webhook came, and the relay made its event, or told of an end that has no event. overdue: it runs for longer than expected. failed: Gemini does not know it any more.
         * @enum {string}
         */
        JobStatus: "waiting" | "seen" | "reconciled" | "overdue" | "failed";
        JobReader: {
            /** @description The sources that share the key: a job is seen when its event came by any of them */
            sources: string[];
            /**
             * Format: int64
             * @description The requests to Gemini with this key, of all processes
             * @example 12
             */
            requests_this_hour: number;
            /**
             * Format: int64
             * @description `GEMINI_REQUESTS_PER_HOUR`
             * @example 1000
             */
            requests_per_hour: number;
            /**
             * Format: date-time
             * @description The last look at the list of batches
             */
            listed_at: string | null;
            /**
             * Format: date-time
             * @description Gemini is not asked before
             */
            paused_until: string | null;
            /**
             * @description Why the last try failed
             * @example null
             */
            problem: string | null;
        };
        NewJob: {
            kind: components["schemas"]["JobKind"];
            /**
             * @description The name that Gemini gave to the job: `batches/…`, the id of an interaction, or `models/…/operations/…` of a video
             * @example v1_abc123
             */
            name: string;
            /**
             * @description The name or the id of the source by which its webhook comes
             * @example gemini
             */
            source: string;
            /**
             * Format: int32
             * @description The time from now on within which the job should end. A day for a batch when not given, and an hour for any other job.
             * @example 3600
             */
            expect_within_seconds?: number;
            /**
             * @description The labels of the event that the relay makes, should the webhook not come
             * @example {
             *       "job": "nightly-embeddings",
             *       "customer": "42"
             *     }
             */
            labels?: {
                [key: string]: string;
            };
        };
        JobChange: {
            /**
             * @description The name that Gemini gave to the job: `batches/…`, the id of an interaction, or `models/…/operations/…` of a video
             * @example v1_abc123
             */
            name: string;
        };
        KeyPage: {
            data: components["schemas"]["Key"][];
            /** @description Null on the last page. Other pages can have fewer than `limit` entries, or none: read on until it is null. */
            next_cursor: string | null;
        };
        Key: {
            /** @example key_01h455vb4pex5vsknk084sn02q */
            id: string;
            name: string;
            scopes: (components["schemas"]["Scope"] | components["schemas"]["TargetScope"])[];
            /** @example sluice_...mNoP */
            truncated_key: string;
            state: components["schemas"]["KeyState"];
            /**
             * Format: date-time
             * @description Null when the key never expires
             */
            expires_at: string | null;
            /**
             * Format: date-time
             * @description Null while the key is not revoked
             */
            revoked_at: string | null;
            /**
             * Format: date-time
             * @description The last use, to the minute. Null when the key was never used.
             */
            last_used_at: string | null;
            /**
             * @description The file of settings that manages it; null for none. It is changed there, or with the header `Sluice-Force: true`, until the file is applied again.
             * @example null
             */
            managed_by: string | null;
            /** Format: date-time */
            created_at: string;
        };
        /**
         * @description read: every read. write: also changes. admin: also keys, the audit trail, and erasing events.
         * @enum {string}
         */
        Scope: "read" | "write" | "admin";
        /**
         * @description The key is for this pull target alone.
         * @example target:tgt_01h455vb4pex5vsknk084sn02q
         */
        TargetScope: string;
        /** @enum {string} */
        KeyState: "active" | "expired" | "revoked";
        CreatedKey: {
            /** @example key_01h455vb4pex5vsknk084sn02q */
            id: string;
            name: string;
            scopes: (components["schemas"]["Scope"] | components["schemas"]["TargetScope"])[];
            /** @example sluice_...mNoP */
            truncated_key: string;
            state: components["schemas"]["KeyState"];
            /**
             * Format: date-time
             * @description Null when the key never expires
             */
            expires_at: string | null;
            /**
             * Format: date-time
             * @description Null while the key is not revoked
             */
            revoked_at: string | null;
            /**
             * Format: date-time
             * @description The last use, to the minute. Null when the key was never used.
             */
            last_used_at: string | null;
            /**
             * @description The file of settings that manages it; null for none. It is changed there, or with the header `Sluice-Force: true`, until the file is applied again.
             * @example null
             */
            managed_by: string | null;
            /** Format: date-time */
            created_at: string;
            /**
             * @description The key itself. Only this answer shows it.
             * @example sluice_the-43-characters-that-are-shown-only-here
             */
            key: string;
        };
        NewKey: {
            /**
             * @description Unique among the keys that are not revoked. Upper and lower case differ.
             * @example billing team
             */
            name: string;
            /**
             * @description `read` allows every read. `write` includes `read` and allows changes. `admin` includes both, manages keys and reads the audit trail. `target:` with the id of a pull target, alone, allows to pull for that target and to read it and its deliveries.
             * @example [
             *       "read"
             *     ]
             */
            scopes: (components["schemas"]["Scope"] | components["schemas"]["TargetScope"])[];
            /**
             * Format: date-time
             * @description The time from which the key is refused. Null when the key never expires.
             */
            expires_at?: string | null;
        };
        OwnKey: {
            name: string;
            scopes: (components["schemas"]["Scope"] | components["schemas"]["TargetScope"])[];
            /**
             * Format: date-time
             * @description Null when the key never expires
             */
            expires_at: string | null;
            /**
             * @description Null for `ADMIN_API_KEY`, and for a person whom a proxy signed in to the console
             * @example key_01h455vb4pex5vsknk084sn02q
             */
            id: string | null;
        };
        AuditPage: {
            data: components["schemas"]["AuditEntry"][];
            /** @description Null on the last page. Other pages can have fewer than `limit` entries, or none: read on until it is null. */
            next_cursor: string | null;
            /** @description With `order=oldest`, the cursor after this page, which the last page has too: send it later to get the entries that were stored since, each once. It is valid for 23 hours. Null with `order=newest`. */
            resume_cursor: string | null;
            /**
             * Format: date-time
             * @description Which time this page of the list reached. A page of a rare filter can be empty and end long before the list does: then this is how far it was searched. Null when the list is at its end.
             */
            searched_to: string | null;
        };
        AuditEntry: {
            /** @example aud_01h455vb4pex5vsknk084sn02q */
            id: string;
            /** Format: date-time */
            created_at: string;
            actor: components["schemas"]["KeyUse"];
            action: components["schemas"]["AuditAction"];
            resource: components["schemas"]["AuditedResource"];
            /** @description `X-Request-Id` of the request that made the change */
            request_id: string;
            remote_address: string | null;
            /**
             * @description The resource as the API showed it before the change, without secrets. Null when there was no earlier state, as for a new resource.
             * @example {
             *       "state": "enabled"
             *     }
             */
            before: {
                [key: string]: unknown;
            } | null;
            /**
             * @description The resource as the API showed it after the change, without secrets. Null when no state was left, as for a deleted resource.
             * @example {
             *       "state": "paused"
             *     }
             */
            after: {
                [key: string]: unknown;
            } | null;
        };
        /**
         * @description What was done to the resource
         * @example target.updated
         * @enum {string}
         */
        AuditAction: "event.erased" | "event.injected" | "event.replayed" | "delivery.retried" | "delivery.cancelled" | "ingress_token.created" | "ingress_token.revoked" | "job.created" | "job.updated" | "key.created" | "key.revoked" | "key.updated" | "operation.started" | "operation.cancelled" | "relay.master_key_changed" | "relay.master_key_lost" | "session.started" | "session.ended" | "set_aside_event.retried" | "set_aside_event.all_retried" | "set_aside_event.discarded" | "source.created" | "source.updated" | "source.deleted" | "source.secret_rotated" | "source.upstream_updated" | "source.upstream_register_started" | "source.upstream_registered" | "source.upstream_check_started" | "source.upstream_rotate_started" | "source.upstream_rotated" | "source.upstream_heal_started" | "source.upstream_healed" | "source.upstream_deregister_started" | "source.upstream_deregistered" | "target.created" | "target.updated" | "target.deleted" | "target.secret_rotated" | "target.tested";
        AuditedResource: {
            type: components["schemas"]["AuditedType"];
            /** @example tgt_01h455vb4pex5vsknk084sn02q */
            id: string;
        };
        /**
         * @example target
         * @enum {string}
         */
        AuditedType: "event" | "delivery" | "ingress_token" | "job" | "key" | "operation" | "relay" | "session" | "set_aside_event" | "source" | "target";
        SetAsideEventPage: {
            data: components["schemas"]["SetAsideEvent"][];
            /** @description Null on the last page. Other pages can have fewer than `limit` entries, or none: read on until it is null. */
            next_cursor: string | null;
        };
        /** @description A field is null when it cannot be read from the job in the queue. */
        SetAsideEvent: {
            /** @example redis-42 */
            id: string;
            store: components["schemas"]["QueueStore"];
            /**
             * @description The id that the event gets when it is stored
             * @example evt_01h455vb4pex5vsknk084sn02q
             */
            event: string | null;
            /** @example src_01h455vb4pex5vsknk084sn02q */
            source: string | null;
            webhook_id: string | null;
            /** Format: date-time */
            received_at: string | null;
            /** Format: date-time */
            failed_at: string;
            /**
             * @description Why the event could not be stored
             * @example invalid byte sequence for encoding
             */
            error: string;
            /**
             * Format: int64
             * @description How often a worker tried to store the event
             */
            starts: number;
            /** Format: int64 */
            size_bytes: number | null;
        };
        /** @enum {string} */
        QueueStore: "redis" | "postgres";
        /** @description A field is null when it cannot be read from the job in the queue. */
        SetAsideEventWithBody: {
            /** @example redis-42 */
            id: string;
            store: components["schemas"]["QueueStore"];
            /**
             * @description The id that the event gets when it is stored
             * @example evt_01h455vb4pex5vsknk084sn02q
             */
            event: string | null;
            /** @example src_01h455vb4pex5vsknk084sn02q */
            source: string | null;
            webhook_id: string | null;
            /** Format: date-time */
            received_at: string | null;
            /** Format: date-time */
            failed_at: string;
            /**
             * @description Why the event could not be stored
             * @example invalid byte sequence for encoding
             */
            error: string;
            /**
             * Format: int64
             * @description How often a worker tried to store the event
             */
            starts: number;
            /** Format: int64 */
            size_bytes: number | null;
            /** @description The body of the event as it was received, in base64 */
            body: string | null;
            /** @description The job in the queue. Null when the body could be read from it. */
            job: string | null;
        };
        RetriedSetAsideEvents: {
            /** Format: int64 */
            count: number;
        };
        Stats: {
            /**
             * Format: date-time
             * @description The start of the first interval
             */
            since: string;
            /**
             * Format: date-time
             * @example 2026-01-22T13:00:00Z
             */
            until: string;
            /** @description The rows, sorted by time and group. An interval in which nothing happened has no row. */
            data: components["schemas"]["StatsRow"][];
            now: {
                /** @description The number of pending deliveries of each target that has any. The filters `source` and `event_type` do not apply. */
                waiting: components["schemas"]["WaitingDeliveries"][];
                /** @description The number of batches of events that were acknowledged and are not stored yet, in each store that has a queue. Null for a store that does not answer. */
                queue: {
                    /** Format: int64 */
                    redis?: number | null;
                    /** Format: int64 */
                    postgres?: number | null;
                };
            };
        };
        StatsRow: {
            /**
             * Format: date-time
             * @description The start of the interval, in UTC
             */
            start: string;
            /**
             * @description The id of a target or source, or an event type. Null for events whose body names no type, and where `group_by` is `none`.
             * @example tgt_01h455vb4pex5vsknk084sn02q
             */
            group: string | null;
            /**
             * Format: int64
             * @description The number of stored events, by the time at which they were received. Null in figures of a target, because an event belongs to no target.
             * @example null
             */
            events: number | null;
            /** @description Numbers of deliveries, by the time at which each change was written */
            deliveries: {
                /**
                 * Format: int64
                 * @description New deliveries: one for each event and target that it goes to
                 * @example 12
                 */
                created: number;
                /**
                 * Format: int64
                 * @description Deliveries that an attempt finished successfully
                 * @example 12
                 */
                succeeded: number;
                /**
                 * Format: int64
                 * @description Deliveries that were given up at their deadline
                 * @example 0
                 */
                exhausted: number;
                /**
                 * Format: int64
                 * @description Deliveries that were cancelled by hand, or because their target was deleted
                 * @example 0
                 */
                cancelled: number;
                /**
                 * Format: int64
                 * @description Deliveries that were retried by hand. Each may be counted as finished a second time later.
                 * @example 0
                 */
                retried: number;
            };
            /** @description Numbers of attempts, by the time at which they began */
            attempts: {
                /**
                 * Format: int64
                 * @description Attempts with a complete 2xx response
                 * @example 12
                 */
                succeeded: number;
                /**
                 * Format: int64
                 * @description All other attempts
                 * @example 1
                 */
                failed: number;
            };
            /**
             * @description The latency of the attempts in milliseconds, from the start of an attempt to the end of the response or the failure. It is read from a histogram with ten buckets per decade from 1 ms to 31.6 s, so a figure is at most 12.3 % off. Null when there were no attempts.
             * @example {
             *       "p50": 35.5,
             *       "p90": 89.1,
             *       "p99": 223.9
             *     }
             */
            latency_ms: {
                /** Format: double */
                p50: number;
                /** Format: double */
                p90: number;
                /** Format: double */
                p99: number;
            } | null;
        };
        WaitingDeliveries: {
            /** @example tgt_01h455vb4pex5vsknk084sn02q */
            target: string;
            /** Format: int64 */
            count: number;
            /**
             * Format: date-time
             * @description When the oldest of these deliveries was created, to the minute
             */
            oldest_created_at: string;
        };
        /**
         * @description What each row is counted for. `none`: each interval has one row, for everything.
         * @default target
         * @example target
         * @enum {string}
         */
        StatsGroup: "target" | "source" | "event_type" | "none";
        /**
         * @description The length of an interval. Days are days of UTC.
         * @default hour
         * @example hour
         * @enum {string}
         */
        StatsInterval: "minute" | "ten_minutes" | "hour" | "six_hours" | "day";
        WaitingStats: {
            /**
             * Format: date-time
             * @description The start of the first interval
             */
            since: string;
            /**
             * Format: date-time
             * @example 2026-01-22T13:00:00Z
             */
            until: string;
            /** @description The rows, sorted by time and target. A target has no row in an interval in which nothing waited for it. */
            data: components["schemas"]["WaitingRow"][];
        };
        WaitingRow: {
            /**
             * Format: date-time
             * @description The start of the interval, in UTC
             */
            start: string;
            /**
             * @description Null for all other targets together. Each interval with a sample has this row; an interval without one has no row.
             * @example tgt_01h455vb4pex5vsknk084sn02q
             */
            target: string | null;
            /**
             * Format: double
             * @description Pending deliveries, on average over the samples of the interval
             * @example 12.5
             */
            waiting: number;
            /**
             * Format: int64
             * @description The highest age of a pending delivery in any of the samples, to the minute. 0 when none waited.
             * @example 340
             */
            oldest_seconds: number;
        };
        RejectionStats: {
            /** @description The most frequent first */
            data: components["schemas"]["RejectionCount"][];
            /**
             * Format: date-time
             * @description Null when all are counted. Otherwise the rejections since this time are counted, the newest 50000 of the log, and there are more.
             * @example null
             */
            counted_to: string | null;
        };
        RejectionCount: {
            /** @example src_01h455vb4pex5vsknk084sn02q */
            source: string;
            reason: components["schemas"]["RefusalReason"];
            /**
             * Format: int64
             * @description The number of refused requests
             * @example 40
             */
            count: number;
            /**
             * Format: date-time
             * @description When the newest of them was refused
             */
            newest_at: string;
        };
        ExportedConfiguration: {
            /** @example [] */
            sources: {
                [key: string]: unknown;
            }[];
            /** @example [] */
            targets: {
                [key: string]: unknown;
            }[];
            /** @example [] */
            keys: {
                [key: string]: unknown;
            }[];
        };
        AppliedConfiguration: {
            /** @example sluice.yaml */
            managed_by: string;
            dry_run: boolean;
            changes: components["schemas"]["ConfigurationChange"][];
            /**
             * Format: int64
             * @description How many resources are already as the configuration wants them
             */
            unchanged: number;
            /** @description What `managed_by` manages and the configuration does not name. `prune` removes it. */
            left: components["schemas"]["LeftResource"][];
        };
        ConfigurationChange: {
            type: components["schemas"]["ConfiguredType"];
            name: string;
            action: components["schemas"]["ConfigurationAction"];
            /**
             * @description What an update changes, as the API shows it, so without secrets
             * @example []
             */
            fields: components["schemas"]["ChangedField"][];
            /** @description Whether an update changes what the API does not show, such as the value of a header */
            changes_credential: boolean;
            /** @description The generated secret; shown only in this answer */
            new_signing_secret?: string;
            /** @description The first token of a new dynamic source; shown only in this answer */
            new_ingress_token?: string;
        };
        /** @enum {string} */
        ConfiguredType: "source" | "target" | "key";
        /**
         * @description A key that is deleted is revoked, and one whose text changed is replaced by a new one (update).
         * @enum {string}
         */
        ConfigurationAction: "create" | "update" | "delete";
        ChangedField: {
            /** @example uri */
            field: string;
            before?: unknown;
            after?: unknown;
        };
        LeftResource: {
            type: components["schemas"]["ConfiguredType"];
            name: string;
        };
        ConfigurationApplication: {
            configuration: components["schemas"]["SettingsFile"];
            /**
             * @description Whether nothing is changed, and the answer shows what would be
             * @default false
             */
            dry_run?: boolean;
            /**
             * @description Whether to remove what the configuration's `managed_by` manages and the configuration does not name
             * @default false
             */
            prune?: boolean;
        };
        /** @description Sources, targets and keys, as a file of settings has them */
        SettingsFile: {
            /**
             * @description Marks what this file manages. Give each of several files a name of its own.
             * @default sluice.yaml
             * @example sluice.yaml
             */
            managed_by?: string;
            /**
             * @description Where events come from
             * @default []
             * @example []
             */
            sources?: components["schemas"]["ConfiguredSource"][];
            /**
             * @description Where events go to
             * @default []
             * @example []
             */
            targets?: components["schemas"]["ConfiguredTarget"][];
            /**
             * @description The keys of the API
             * @default []
             * @example []
             */
            keys?: components["schemas"]["ConfiguredKey"][];
        };
        /**
         * @example {
         *       "name": "billing"
         *     }
         */
        ConfiguredSource: {
            /** @description Unique among sources. It is in the address of the source: `/in/{name}`. */
            name: string;
            /** @description The kind cannot be changed later */
            kind?: components["schemas"]["SourceKind"];
            /** @description If you leave it out, the source accepts all schemes of its kind */
            schemes?: components["schemas"]["Scheme"][];
            /** @description Only for static sources. If you leave it out, the relay generates one. */
            signing_secret?: string;
            /**
             * @description The key of the Gemini API with which the relay manages this source there; null removes it
             * @example AIzaSyExampleExampleExampleExample12345
             */
            gemini_api_key?: string | null;
            reconcile?: components["schemas"]["ReconcileChange"];
            /**
             * Format: int32
             * @description How far the timestamp of a webhook may be from the clock of the relay
             * @example 300
             */
            tolerance_seconds?: number;
            /**
             * Format: int32
             * @description When no event has come for longer, the relay tells so by `sluice.source.failing`. Null: it never does.
             * @example null
             */
            expect_every_seconds?: number | null;
            /** @description The accepted audiences: the `aud` of a JWT must be one of them */
            audiences?: string[];
            /** @description The accepted issuers: the `iss` of a JWT must be one of them. An empty list accepts any. */
            issuers?: string[];
            /** @description The accepted types: the `typ` of a JWT must be one of them. An empty list accepts any, and none. */
            token_types?: string[];
            /**
             * Format: int32
             * @description The longest lifetime of a JWT: from its `iat` to its `exp`
             */
            max_token_seconds?: number;
            /**
             * Format: uri
             * @description The URL of the key set, by https; null means https://generativelanguage.googleapis.com/.well-known/jwks.json
             */
            jwks_uri?: string | null;
            /** @description What happens to an event whose signature does not cover its body: `reject` refuses it, `mark` accepts it and marks it. New sources have `reject`. */
            body_unbound?: components["schemas"]["BodyUnbound"];
            /** @description Public keys for `v1a` signatures, in addition to the keys of the key set */
            public_keys?: string[];
        };
        ConfiguredTarget: {
            /** @description Unique among targets. Upper and lower case differ. */
            name: string;
            /**
             * Format: uri
             * @description Required, except for a pull target, which has none
             * @example http://billing.internal:3000/gemini
             */
            uri?: string;
            /**
             * @description The types of events that the target gets: exact names, groups such as `batch.*`, or `*` for all of them but the relay's own.
             * @example [
             *       "batch.*",
             *       "video.generated"
             *     ]
             */
            subscribed_events: string[];
            /** @description If you leave it out, a target keeps the state that it has */
            state?: components["schemas"]["SettableTargetState"];
            /**
             * @description Answers show every value as "[redacted]". If you send "[redacted]", the stored value stays.
             * @example {
             *       "authorization": "Bearer key-of-the-service"
             *     }
             */
            headers?: {
                [key: string]: string;
            };
            /**
             * Format: int32
             * @description How long the whole response may take
             * @example 20
             */
            timeout_seconds?: number;
            /**
             * Format: int32
             * @description How many requests all workers together send at the same time
             * @example 64
             */
            max_in_flight?: number;
            /**
             * @description The most requests in a time, over all workers. Null stands for no limit
             * @example {
             *       "requests": 100,
             *       "per_seconds": 60
             *     }
             */
            rate_limit?: components["schemas"]["RateLimit"] | null;
            retry?: components["schemas"]["RetryChange"];
            /**
             * @description A CEL expression over event.type, event.data, event.user_metadata, event.labels, event.body_unbound and source. The target gets only the events for which it is true; null stands for all events.
             * @example event.type == "batch.failed" || event.labels.team == "billing"
             */
            filter?: string | null;
            /**
             * Format: int32
             * @description Only for pull targets: the relay deletes a target that nobody pulled for so long. Null stands for never, and so does a file of settings that manages the target.
             * @example null
             */
            delete_after_idle_seconds?: number | null;
            /**
             * @description How the target is reached by TLS; only with https. Fields that you leave out stay as they are. Null removes all of them. A change of the origin of `uri` drops the client certificate and its key, unless it gives new ones.
             * @example null
             */
            tls?: components["schemas"]["TlsChange"] | null;
            /** @description The kind cannot be changed later */
            kind?: components["schemas"]["TargetKind"];
            /** @description The secret by which the service verifies deliveries. Another one than before replaces it, with an overlap of 24 hours. If you leave it out, the relay generates one. */
            signing_secret?: string;
        };
        ConfiguredKey: {
            /**
             * @description Unique among the keys that are not revoked. Upper and lower case differ.
             * @example billing team
             */
            name: string;
            /**
             * @description `read` allows every read. `write` includes `read` and allows changes. `admin` includes both, manages keys and reads the audit trail. `target:` with the name of a pull target, alone, allows to pull for that target and to read it and its deliveries.
             * @example [
             *       "read"
             *     ]
             */
            scopes: (components["schemas"]["Scope"] | string)[];
            /**
             * Format: date-time
             * @description The time from which the key is refused. Null when the key never expires.
             */
            expires_at?: string | null;
            /**
             * @description The key itself. Another one than before revokes the earlier one at once.
             * @example sluice_the-43-characters-that-nobody-else-knows
             */
            key: string;
        };
        TailMessage: components["schemas"]["EventMessage"] | components["schemas"]["AttemptMessage"] | components["schemas"]["DeliveryMessage"] | components["schemas"]["OverflowMessage"];
        EventMessage: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            event: "event";
            data: components["schemas"]["TailedEvent"];
        };
        TailedEvent: {
            /** @example evt_01h455vb4pex5vsknk084sn02q */
            id: string;
            /** @example src_01h455vb4pex5vsknk084sn02q */
            source: string;
            webhook_id: string;
            /** @example batch.succeeded */
            type: string | null;
            /**
             * Format: date-time
             * @description The `timestamp` of the payload. Null when the payload has none.
             * @example 2026-01-22T12:00:00Z
             */
            timestamp: string | null;
            /** Format: date-time */
            received_at: string;
            scheme: components["schemas"]["EventScheme"];
            /** @description True when the signature proves who sent the event, but not that the body is unchanged */
            body_unbound: boolean;
            /**
             * @description The `content-encoding` that the event arrived with. The body is kept and delivered as it came, with this label.
             * @example null
             */
            content_encoding: string | null;
            /**
             * @example {
             *       "team": "billing"
             *     }
             */
            user_metadata: {
                [key: string]: unknown;
            } | null;
            /**
             * @description The labels of the callback URL that received the event
             * @example {}
             */
            labels: {
                [key: string]: string;
            };
            /**
             * @description The targets whose filter failed on this event. A filter that fails does not match.
             * @example []
             */
            filter_errors: components["schemas"]["FilterError"][];
            /**
             * Format: int64
             * @description The size of the body. 0 when it was removed.
             * @example 158
             */
            size_bytes: number;
            /**
             * Format: date-time
             * @description When the body was removed, with everything that was taken from it: `user_metadata`, `labels`, `filter_errors`, `content_encoding`, and the excerpts of what targets answered. Null while the body is there.
             * @example null
             */
            body_removed_at: string | null;
            /**
             * @description retention: the event is older than `BODY_RETENTION_DAYS`. erasure: somebody called `:erase`. Null while the body is there.
             * @example null
             */
            body_removed_by: components["schemas"]["BodyRemoval"] | null;
        };
        AttemptMessage: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            event: "attempt";
            data: components["schemas"]["Attempt"];
        };
        DeliveryMessage: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            event: "delivery";
            data: components["schemas"]["DeliveryChange"];
        };
        DeliveryChange: {
            change: components["schemas"]["DeliveryChangeKind"];
            /**
             * Format: date-time
             * @description When the change was written
             */
            at: string;
            /** @description The delivery at the time when this message is sent; it may have changed again since `at` */
            delivery: components["schemas"]["Delivery"];
        };
        /** @enum {string} */
        DeliveryChangeKind: "created" | "succeeded" | "exhausted" | "cancelled" | "retried";
        OverflowMessage: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            event: "overflow";
            data: components["schemas"]["Overflow"];
        };
        Overflow: {
            detail: string;
        };
        SystemState: {
            status: components["schemas"]["SystemStatus"];
            /** @description What is wrong now: in this gateway, and what the other processes have said of themselves */
            problems: components["schemas"]["SystemProblem"][];
            gateway: {
                /**
                 * @description The name of its machine or container
                 * @example gateway-1
                 */
                host: string;
                /**
                 * Format: date-time
                 * @description When this gateway started
                 */
                started_at: string;
                /**
                 * @description `PUBLIC_URL`: where the world reaches the ingress. Null when it is not set.
                 * @example https://hooks.example.com
                 */
                public_url: string | null;
            };
            versions: {
                /**
                 * @description The version of this gateway
                 * @example 0.1.0
                 */
                sluice: string;
                /**
                 * @description The commit of which it was built, or `unknown`
                 * @example 4500d8f
                 */
                commit: string;
                /**
                 * @description The newest migration of the database. Null for one of a newer version, and while PostgreSQL is away.
                 * @example 0041_retention_periods
                 */
                schema: string | null;
                /** @example 24.11.0 */
                node: string;
                /**
                 * @description The version of PostgreSQL. Null while it cannot be asked.
                 * @example 17.6
                 */
                postgres: string | null;
                /**
                 * @description The product and version of Redis. Null without Redis, and while it does not say it.
                 * @example Redis 8.2.1
                 */
                redis: string | null;
            };
            stores: {
                postgres: {
                    /**
                     * @description Whether it answers and takes jobs
                     * @example true
                     */
                    ok: boolean;
                    /**
                     * @description What is wrong
                     * @example null
                     */
                    problem: string | null;
                    /** @description Connections to the whole server, of every client */
                    connections: {
                        /**
                         * Format: int64
                         * @description Connections of all clients. Null while it cannot be asked.
                         * @example 38
                         */
                        used: number | null;
                        /**
                         * Format: int64
                         * @description The most connections that clients may have. Null while it cannot be asked.
                         * @example 97
                         */
                        limit: number | null;
                    };
                    /** @description The connections of this gateway */
                    pools: components["schemas"]["SystemPool"][];
                    /**
                     * Format: int64
                     * @description The size of the database on disk. Null while it cannot be asked.
                     * @example 734003200
                     */
                    database_bytes: number | null;
                };
                /** @description Null when the queue is in PostgreSQL alone */
                redis: {
                    /**
                     * @description Whether it takes jobs and nothing is wrong
                     * @example true
                     */
                    ok: boolean;
                    /**
                     * @description What is wrong, in words
                     * @example []
                     */
                    problems: string[];
                    /** @description Whether jobs go to it. If not, they go to PostgreSQL. */
                    takes_jobs: boolean;
                    /**
                     * @description Whether it keeps what it confirms, by its settings. Null while it cannot be asked.
                     * @example true
                     */
                    durable: boolean | null;
                    /**
                     * @description Whether it writes an append-only file. Null while it cannot be asked.
                     * @example true
                     */
                    append_only: boolean | null;
                    /**
                     * @description Whether its last write to that file succeeded. Null without such a file.
                     * @example true
                     */
                    last_write_ok: boolean | null;
                    replicas: {
                        /**
                         * Format: int64
                         * @description Replicas that must confirm a job. Null while it cannot be asked.
                         * @example 0
                         */
                        required: number | null;
                        /**
                         * Format: int64
                         * @description Replicas that are online. Null while it cannot be asked.
                         * @example 0
                         */
                        seen: number | null;
                    };
                    /** @description Connections of all clients to it */
                    connections: {
                        /**
                         * Format: int64
                         * @description Connections of all clients. Null while it cannot be asked.
                         * @example 38
                         */
                        used: number | null;
                        /**
                         * Format: int64
                         * @description The most connections that clients may have. Null while it cannot be asked.
                         * @example 97
                         */
                        limit: number | null;
                    };
                    /**
                     * Format: int64
                     * @description The memory that it uses. Null while it cannot be asked.
                     * @example 2097152
                     */
                    used_memory_bytes: number | null;
                    /**
                     * Format: int64
                     * @description Its limit of memory. Null without one.
                     * @example null
                     */
                    max_memory_bytes: number | null;
                } | null;
            };
            queue: {
                /**
                 * @description The store that takes the jobs while all stores are well
                 * @example redis
                 */
                backend: components["schemas"]["QueueStore"];
                /**
                 * @description The store that takes them now. Null when none does: then no event is taken.
                 * @example redis
                 */
                takes: components["schemas"]["QueueStore"] | null;
                /** @description Batches of events that were acknowledged and are not stored yet, in each store that has a queue. Null for a store that does not answer. */
                waiting_batches: {
                    /** Format: int64 */
                    postgres?: number | null;
                    /** Format: int64 */
                    redis?: number | null;
                };
                /** @description Acknowledged events that could not be stored and are set aside, in each store that has a queue. Null for a store that does not answer. */
                set_aside_events: {
                    /** Format: int64 */
                    postgres?: number | null;
                    /** Format: int64 */
                    redis?: number | null;
                };
            };
            /**
             * Format: int64
             * @description Workers that gave a sign of life in the last 20 seconds. Null while it cannot be asked.
             * @example 2
             */
            workers: number | null;
            deliveries: {
                /**
                 * Format: int64
                 * @description Deliveries that are not finished. Null while it cannot be asked.
                 * @example 12
                 */
                waiting: number | null;
                /**
                 * Format: int64
                 * @description The age of the oldest of them, to the minute; 0 without any. Null while it cannot be asked.
                 * @example 60
                 */
                oldest_waiting_seconds: number | null;
            };
            targets: {
                /**
                 * Format: int64
                 * @description Targets that are enabled. Null while it cannot be asked.
                 * @example 7
                 */
                enabled: number | null;
                /**
                 * Format: int64
                 * @description Targets that are paused: their deliveries wait. Null while it cannot be asked.
                 * @example 0
                 */
                paused: number | null;
                /**
                 * Format: int64
                 * @description Targets that a person disabled, and those that answered 410. Null while it cannot be asked.
                 * @example 0
                 */
                disabled: number | null;
                /**
                 * Format: int64
                 * @description Targets that the relay disabled because every attempt failed. Null while it cannot be asked.
                 * @example 0
                 */
                disabled_due_to_failed_deliveries: number | null;
                /**
                 * Format: int64
                 * @description Targets that the relay leaves alone for a while because they fail. Null while it cannot be asked.
                 * @example 1
                 */
                breaker_open: number | null;
            };
            retention: {
                /**
                 * Format: int64
                 * @description How long the log is kept: `RETENTION_DAYS` of the workers. Null while it cannot be asked.
                 * @example 30
                 */
                log_days: number | null;
                /**
                 * Format: int64
                 * @description How long the bodies of events are kept: `BODY_RETENTION_DAYS`. Null when they are kept as long as the log.
                 * @example null
                 */
                body_days: number | null;
                /**
                 * Format: int64
                 * @description How long the audit trail is kept: `AUDIT_RETENTION_DAYS`. Null while it cannot be asked.
                 * @example 365
                 */
                audit_days: number | null;
                /**
                 * Format: int64
                 * @description Days past `log_days` that are not removed yet, because a transaction holds them. Null while it cannot be asked.
                 * @example 0
                 */
                overdue_days: number | null;
                /**
                 * Format: int64
                 * @description How many days longer than `log_days` the oldest day is kept, for whatever reason. Null while it cannot be asked.
                 * @example 0
                 */
                held_days: number | null;
            };
            /** @description Signatures are judged by the gateway's clock, and what is due by that of PostgreSQL. */
            clock: {
                /**
                 * Format: date-time
                 * @description The clock of this gateway
                 */
                gateway: string;
                /**
                 * Format: date-time
                 * @description The clock of PostgreSQL, which decides what is due. Null while it cannot be asked.
                 */
                postgres: string | null;
                /**
                 * Format: double
                 * @description How far the gateway is ahead of PostgreSQL, in milliseconds; negative when it is behind. Null while it cannot be asked.
                 * @example 1.5
                 */
                ahead_ms: number | null;
                /**
                 * Format: double
                 * @description How exactly that is known, in milliseconds. Null while it cannot be asked.
                 * @example 0.5
                 */
                precision_ms: number | null;
            };
        };
        /**
         * @description What this gateway can do. ready: everything. degraded: it takes events, and something is wrong. not_ready: it takes no events. stopping: it is about to end.
         * @enum {string}
         */
        SystemStatus: "ready" | "degraded" | "not_ready" | "stopping";
        SystemProblem: {
            /** @description The kind of process that has the problem */
            app: components["schemas"]["RelayApp"];
            /**
             * @description The check of `/readyz` that fails
             * @example redis
             */
            check: string;
            /**
             * @description What is wrong, in words
             * @example it does not answer
             */
            problem: string;
            /**
             * Format: date-time
             * @description Since when. Null for a problem that began seconds ago, and while PostgreSQL is away.
             */
            since: string | null;
        };
        SystemPool: {
            /**
             * @description What the connections are for
             * @example api
             */
            name: string;
            /**
             * Format: int64
             * @description Connections that work
             * @example 1
             */
            busy: number;
            /**
             * Format: int64
             * @description Open connections that wait for work
             * @example 2
             */
            idle: number;
            /**
             * Format: int64
             * @description The most connections of this pool
             * @example 9
             */
            limit: number;
            /**
             * Format: int64
             * @description Statements that wait for a connection
             * @example 0
             */
            waiting: number;
        };
        SystemSettings: {
            data: components["schemas"]["SystemSetting"][];
        };
        SystemSetting: {
            /** @example MAX_BODY_BYTES */
            name: string;
            /**
             * @description The value of a secret is never shown
             * @example false
             */
            is_secret: boolean;
            /**
             * @description Whether somebody set it. If not, its default holds.
             * @example false
             */
            is_set: boolean;
            /**
             * @description As it was set, or its default. Null for a secret, and for a setting without a default that is not set.
             * @example 1048576
             */
            value: string | null;
        };
        SystemLog: {
            /** @description The newest lines last, at most 200 */
            data: components["schemas"]["SystemLogLine"][];
        };
        SystemLogLine: {
            /**
             * Format: date-time
             * @description When it was written
             */
            time: string;
            level: components["schemas"]["SystemLogLevel"];
            /** @example Redis takes no jobs: they go to PostgreSQL */
            message: string;
            /**
             * @description What else the line has, such as the error with its stack. `is_cut`: the line was too long to keep.
             * @example {
             *       "problems": [
             *         "it does not answer"
             *       ]
             *     }
             */
            fields: {
                [key: string]: unknown;
            };
        };
        /** @enum {string} */
        SystemLogLevel: "warn" | "error" | "fatal";
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: {
        /** @description The id of the request: the one that it came with, or a new one. The log of the gateway has it. */
        "X-Request-Id": string;
        /** @description The version of the resource, to send as `If-Match` or `If-None-Match` */
        ETag: string;
        /** @description The path of the resource */
        Location: string;
        /** @description `true` when this is the answer to an earlier request with the same `Idempotency-Key` */
        "Idempotency-Replayed": "true";
        /** @description The seconds after which the request can be repeated */
        "Retry-After": number;
        /** @description In an answer with the status 405: the methods that the path takes */
        Allow: string;
        /** @description How to authenticate */
        "WWW-Authenticate": "Bearer";
        /** @description Makes a browser save the body instead of showing it */
        "Content-Disposition": string;
        /** @description The content type with which the event was received; absent when it had none */
        "Sluice-Content-Type": string;
    };
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    listSources: {
        parameters: {
            query?: {
                /** @description The largest number of entries in the page */
                limit?: number;
                /** @description The `next_cursor` of the page before; repeat the filters and the order of that page */
                cursor?: string;
                /** @description Only what has exactly this name */
                name?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of sources */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "data": [
                     *         {
                     *           "id": "src_01h455vb4pex5vsknk084sn02q",
                     *           "name": "billing",
                     *           "kind": "static",
                     *           "schemes": [
                     *             "v1"
                     *           ],
                     *           "tolerance_seconds": 300,
                     *           "expect_every_seconds": null,
                     *           "signing_secrets": [
                     *             {
                     *               "truncated_secret": "whsec_...MnM=",
                     *               "expire_time": null
                     *             }
                     *           ],
                     *           "gemini_api_key": null,
                     *           "upstream": null,
                     *           "reconcile": {
                     *             "enabled": false,
                     *             "every_seconds": 300,
                     *             "grace_seconds": 900,
                     *             "lookback_hours": 72
                     *           },
                     *           "audiences": [],
                     *           "issuers": [],
                     *           "token_types": [],
                     *           "max_token_seconds": 3600,
                     *           "jwks_uri": null,
                     *           "body_unbound": null,
                     *           "public_keys": [],
                     *           "ingress_tokens": [],
                     *           "lost_secrets": [],
                     *           "managed_by": null,
                     *           "ingress_path": "/in/billing",
                     *           "created_at": "2026-01-22T12:00:00Z",
                     *           "updated_at": "2026-01-22T12:00:00Z"
                     *         }
                     *       ],
                     *       "next_cursor": null
                     *     }
                     */
                    "application/json": components["schemas"]["SourcePage"];
                };
            };
        };
    };
    createSource: {
        parameters: {
            query?: never;
            header?: {
                /** @description For 24 hours, a repeated request with this key gets the same answer, and has its effect only once. */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "name": "billing",
                 *       "gemini_api_key": "AIzaSyExampleExampleExampleExample12345",
                 *       "tolerance_seconds": 300,
                 *       "expect_every_seconds": null
                 *     }
                 */
                "application/json": components["schemas"]["NewSource"];
            };
        };
        responses: {
            /** @description The source */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": "src_01h455vb4pex5vsknk084sn02q",
                     *       "name": "billing",
                     *       "kind": "static",
                     *       "schemes": [
                     *         "v1"
                     *       ],
                     *       "tolerance_seconds": 300,
                     *       "expect_every_seconds": null,
                     *       "signing_secrets": [
                     *         {
                     *           "truncated_secret": "whsec_...MnM=",
                     *           "expire_time": null
                     *         }
                     *       ],
                     *       "gemini_api_key": null,
                     *       "upstream": null,
                     *       "reconcile": {
                     *         "enabled": false,
                     *         "every_seconds": 300,
                     *         "grace_seconds": 900,
                     *         "lookback_hours": 72
                     *       },
                     *       "audiences": [],
                     *       "issuers": [],
                     *       "token_types": [],
                     *       "max_token_seconds": 3600,
                     *       "jwks_uri": null,
                     *       "body_unbound": null,
                     *       "public_keys": [],
                     *       "ingress_tokens": [],
                     *       "lost_secrets": [],
                     *       "managed_by": null,
                     *       "ingress_path": "/in/billing",
                     *       "created_at": "2026-01-22T12:00:00Z",
                     *       "updated_at": "2026-01-22T12:00:00Z"
                     *     }
                     */
                    "application/json": components["schemas"]["CreatedSource"];
                };
            };
        };
    };
    getSource: {
        parameters: {
            query?: never;
            header?: {
                /** @description The `ETag` of the version that you have. The answer is 304 if it is still current. */
                "If-None-Match"?: string;
            };
            path: {
                /** @description The id of the source */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The source */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": "src_01h455vb4pex5vsknk084sn02q",
                     *       "name": "billing",
                     *       "kind": "static",
                     *       "schemes": [
                     *         "v1"
                     *       ],
                     *       "tolerance_seconds": 300,
                     *       "expect_every_seconds": null,
                     *       "signing_secrets": [
                     *         {
                     *           "truncated_secret": "whsec_...MnM=",
                     *           "expire_time": null
                     *         }
                     *       ],
                     *       "gemini_api_key": null,
                     *       "upstream": null,
                     *       "reconcile": {
                     *         "enabled": false,
                     *         "every_seconds": 300,
                     *         "grace_seconds": 900,
                     *         "lookback_hours": 72
                     *       },
                     *       "audiences": [],
                     *       "issuers": [],
                     *       "token_types": [],
                     *       "max_token_seconds": 3600,
                     *       "jwks_uri": null,
                     *       "body_unbound": null,
                     *       "public_keys": [],
                     *       "ingress_tokens": [],
                     *       "lost_secrets": [],
                     *       "managed_by": null,
                     *       "ingress_path": "/in/billing",
                     *       "created_at": "2026-01-22T12:00:00Z",
                     *       "updated_at": "2026-01-22T12:00:00Z"
                     *     }
                     */
                    "application/json": components["schemas"]["Source"];
                };
            };
        };
    };
    deleteSource: {
        parameters: {
            query?: never;
            header?: {
                /** @description The `ETag` of the version that you change. The answer is 412 if it is no longer current. */
                "If-Match"?: string;
                /** @description `true` also changes what a file of settings manages, until the file is applied again. */
                "Sluice-Force"?: string;
            };
            path: {
                /** @description The id of the source */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The source is deleted */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    updateSource: {
        parameters: {
            query?: never;
            header?: {
                /** @description The `ETag` of the version that you change. The answer is 412 if it is no longer current. */
                "If-Match"?: string;
                /** @description `true` also changes what a file of settings manages, until the file is applied again. */
                "Sluice-Force"?: string;
            };
            path: {
                /** @description The id of the source */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "gemini_api_key": "AIzaSyExampleExampleExampleExample12345",
                 *       "tolerance_seconds": 300,
                 *       "expect_every_seconds": null
                 *     }
                 */
                "application/json": components["schemas"]["SourceChange"];
            };
        };
        responses: {
            /** @description The source */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": "src_01h455vb4pex5vsknk084sn02q",
                     *       "name": "billing",
                     *       "kind": "static",
                     *       "schemes": [
                     *         "v1"
                     *       ],
                     *       "tolerance_seconds": 300,
                     *       "expect_every_seconds": null,
                     *       "signing_secrets": [
                     *         {
                     *           "truncated_secret": "whsec_...MnM=",
                     *           "expire_time": null
                     *         }
                     *       ],
                     *       "gemini_api_key": null,
                     *       "upstream": null,
                     *       "reconcile": {
                     *         "enabled": false,
                     *         "every_seconds": 300,
                     *         "grace_seconds": 900,
                     *         "lookback_hours": 72
                     *       },
                     *       "audiences": [],
                     *       "issuers": [],
                     *       "token_types": [],
                     *       "max_token_seconds": 3600,
                     *       "jwks_uri": null,
                     *       "body_unbound": null,
                     *       "public_keys": [],
                     *       "ingress_tokens": [],
                     *       "lost_secrets": [],
                     *       "managed_by": null,
                     *       "ingress_path": "/in/billing",
                     *       "created_at": "2026-01-22T12:00:00Z",
                     *       "updated_at": "2026-01-22T12:00:00Z"
                     *     }
                     */
                    "application/json": components["schemas"]["Source"];
                };
            };
        };
    };
    getSourceByName: {
        parameters: {
            query?: never;
            header?: {
                /** @description The `ETag` of the version that you have. The answer is 304 if it is still current. */
                "If-None-Match"?: string;
            };
            path: {
                /** @description The name of the source */
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The source */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": "src_01h455vb4pex5vsknk084sn02q",
                     *       "name": "billing",
                     *       "kind": "static",
                     *       "schemes": [
                     *         "v1"
                     *       ],
                     *       "tolerance_seconds": 300,
                     *       "expect_every_seconds": null,
                     *       "signing_secrets": [
                     *         {
                     *           "truncated_secret": "whsec_...MnM=",
                     *           "expire_time": null
                     *         }
                     *       ],
                     *       "gemini_api_key": null,
                     *       "upstream": null,
                     *       "reconcile": {
                     *         "enabled": false,
                     *         "every_seconds": 300,
                     *         "grace_seconds": 900,
                     *         "lookback_hours": 72
                     *       },
                     *       "audiences": [],
                     *       "issuers": [],
                     *       "token_types": [],
                     *       "max_token_seconds": 3600,
                     *       "jwks_uri": null,
                     *       "body_unbound": null,
                     *       "public_keys": [],
                     *       "ingress_tokens": [],
                     *       "lost_secrets": [],
                     *       "managed_by": null,
                     *       "ingress_path": "/in/billing",
                     *       "created_at": "2026-01-22T12:00:00Z",
                     *       "updated_at": "2026-01-22T12:00:00Z"
                     *     }
                     */
                    "application/json": components["schemas"]["Source"];
                };
            };
        };
    };
    replaceSourceByName: {
        parameters: {
            query?: never;
            header?: {
                /** @description For 24 hours, a repeated request with this key gets the same answer, and has its effect only once. */
                "Idempotency-Key"?: string;
                /** @description The `ETag` of the version that you change. The answer is 412 if it is no longer current. */
                "If-Match"?: string;
                /** @description `true` also changes what a file of settings manages, until the file is applied again. */
                "Sluice-Force"?: string;
                /** @description `*` only creates. The answer is 412 if there is one already. */
                "If-None-Match"?: string;
            };
            path: {
                /** @description The name of the source */
                name: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "gemini_api_key": "AIzaSyExampleExampleExampleExample12345",
                 *       "tolerance_seconds": 300,
                 *       "expect_every_seconds": null
                 *     }
                 */
                "application/json": components["schemas"]["SourceReplacement"];
            };
        };
        responses: {
            /** @description The source, with its new settings */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": "src_01h455vb4pex5vsknk084sn02q",
                     *       "name": "billing",
                     *       "kind": "static",
                     *       "schemes": [
                     *         "v1"
                     *       ],
                     *       "tolerance_seconds": 300,
                     *       "expect_every_seconds": null,
                     *       "signing_secrets": [
                     *         {
                     *           "truncated_secret": "whsec_...MnM=",
                     *           "expire_time": null
                     *         }
                     *       ],
                     *       "gemini_api_key": null,
                     *       "upstream": null,
                     *       "reconcile": {
                     *         "enabled": false,
                     *         "every_seconds": 300,
                     *         "grace_seconds": 900,
                     *         "lookback_hours": 72
                     *       },
                     *       "audiences": [],
                     *       "issuers": [],
                     *       "token_types": [],
                     *       "max_token_seconds": 3600,
                     *       "jwks_uri": null,
                     *       "body_unbound": null,
                     *       "public_keys": [],
                     *       "ingress_tokens": [],
                     *       "lost_secrets": [],
                     *       "managed_by": null,
                     *       "ingress_path": "/in/billing",
                     *       "created_at": "2026-01-22T12:00:00Z",
                     *       "updated_at": "2026-01-22T12:00:00Z"
                     *     }
                     */
                    "application/json": components["schemas"]["Source"];
                };
            };
            /** @description The new source */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": "src_01h455vb4pex5vsknk084sn02q",
                     *       "name": "billing",
                     *       "kind": "static",
                     *       "schemes": [
                     *         "v1"
                     *       ],
                     *       "tolerance_seconds": 300,
                     *       "expect_every_seconds": null,
                     *       "signing_secrets": [
                     *         {
                     *           "truncated_secret": "whsec_...MnM=",
                     *           "expire_time": null
                     *         }
                     *       ],
                     *       "gemini_api_key": null,
                     *       "upstream": null,
                     *       "reconcile": {
                     *         "enabled": false,
                     *         "every_seconds": 300,
                     *         "grace_seconds": 900,
                     *         "lookback_hours": 72
                     *       },
                     *       "audiences": [],
                     *       "issuers": [],
                     *       "token_types": [],
                     *       "max_token_seconds": 3600,
                     *       "jwks_uri": null,
                     *       "body_unbound": null,
                     *       "public_keys": [],
                     *       "ingress_tokens": [],
                     *       "lost_secrets": [],
                     *       "managed_by": null,
                     *       "ingress_path": "/in/billing",
                     *       "created_at": "2026-01-22T12:00:00Z",
                     *       "updated_at": "2026-01-22T12:00:00Z"
                     *     }
                     */
                    "application/json": components["schemas"]["CreatedSource"];
                };
            };
        };
    };
    deleteSourceByName: {
        parameters: {
            query?: never;
            header?: {
                /** @description The `ETag` of the version that you change. The answer is 412 if it is no longer current. */
                "If-Match"?: string;
                /** @description `true` also changes what a file of settings manages, until the file is applied again. */
                "Sluice-Force"?: string;
            };
            path: {
                /** @description The name of the source */
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The source is deleted */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    createSourceSigningSecret: {
        parameters: {
            query?: never;
            header?: {
                /** @description For 24 hours, a repeated request with this key gets the same answer, and has its effect only once. */
                "Idempotency-Key"?: string;
                /** @description The `ETag` of the version that you change. The answer is 412 if it is no longer current. */
                "If-Match"?: string;
                /** @description `true` also changes what a file of settings manages, until the file is applied again. */
                "Sluice-Force"?: string;
            };
            path: {
                /** @description The id of the source */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "previous": "revoke_after_24h"
                 *     }
                 */
                "application/json": components["schemas"]["SecretRotation"];
            };
        };
        responses: {
            /** @description The source. The new secret is the last of the stored ones. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": "src_01h455vb4pex5vsknk084sn02q",
                     *       "name": "billing",
                     *       "kind": "static",
                     *       "schemes": [
                     *         "v1"
                     *       ],
                     *       "tolerance_seconds": 300,
                     *       "expect_every_seconds": null,
                     *       "signing_secrets": [
                     *         {
                     *           "truncated_secret": "whsec_...MnM=",
                     *           "expire_time": null
                     *         }
                     *       ],
                     *       "gemini_api_key": null,
                     *       "upstream": null,
                     *       "reconcile": {
                     *         "enabled": false,
                     *         "every_seconds": 300,
                     *         "grace_seconds": 900,
                     *         "lookback_hours": 72
                     *       },
                     *       "audiences": [],
                     *       "issuers": [],
                     *       "token_types": [],
                     *       "max_token_seconds": 3600,
                     *       "jwks_uri": null,
                     *       "body_unbound": null,
                     *       "public_keys": [],
                     *       "ingress_tokens": [],
                     *       "lost_secrets": [],
                     *       "managed_by": null,
                     *       "ingress_path": "/in/billing",
                     *       "created_at": "2026-01-22T12:00:00Z",
                     *       "updated_at": "2026-01-22T12:00:00Z"
                     *     }
                     */
                    "application/json": components["schemas"]["RotatedSource"];
                };
            };
        };
    };
    createSourceIngressToken: {
        parameters: {
            query?: never;
            header?: {
                /** @description For 24 hours, a repeated request with this key gets the same answer, and has its effect only once. */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description The id of the source */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                /** @example {} */
                "application/json": components["schemas"]["NewIngressToken"];
            };
        };
        responses: {
            /** @description The token */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": "itk_01h455vb4pex5vsknk084sn02q",
                     *       "truncated_token": "it_...mNoP",
                     *       "expire_time": null,
                     *       "token": "it_…",
                     *       "ingress_path": "/in/gemini-dynamic/it_…",
                     *       "url": null
                     *     }
                     */
                    "application/json": components["schemas"]["CreatedIngressToken"];
                };
            };
        };
    };
    deleteSourceIngressToken: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The id of the source */
                id: string;
                /** @description The id of the ingress token */
                token_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The token is revoked */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    createSourceCallbackUrl: {
        parameters: {
            query?: never;
            header?: {
                /** @description For 24 hours, a repeated request with this key gets the same answer, and has its effect only once. */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description The id of the source */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "labels": {
                 *         "job": "nightly-embeddings",
                 *         "customer": "42"
                 *       }
                 *     }
                 */
                "application/json": components["schemas"]["NewCallbackUrl"];
            };
        };
        responses: {
            /** @description The URL. It is not stored and cannot be shown again. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "url": null,
                     *       "ingress_path": "/in/gemini-dynamic/cb_…",
                     *       "labels": {
                     *         "job": "nightly-embeddings",
                     *         "customer": "42"
                     *       },
                     *       "expire_time": "2026-01-22T12:00:00Z",
                     *       "single_use": false,
                     *       "job": null
                     *     }
                     */
                    "application/json": components["schemas"]["CallbackUrl"];
                };
            };
        };
    };
    verifySource: {
        parameters: {
            query?: never;
            header?: {
                /** @description For 24 hours, a repeated request with this key gets the same answer, and has its effect only once. */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description The id of the source */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "headers": {
                 *         "webhook-id": "msg_1",
                 *         "webhook-timestamp": "1769083200",
                 *         "webhook-signature": "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4="
                 *       },
                 *       "body": "eyJ0eXBlIjoiYmF0Y2guc3VjY2VlZGVkIn0="
                 *     }
                 */
                "application/json": components["schemas"]["CapturedWebhook"];
            };
        };
        responses: {
            /** @description What the relay answers */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "verdict": "accepted",
                     *       "scheme": "v1",
                     *       "reason": null,
                     *       "detail": null,
                     *       "webhook_id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
                     *       "body_unbound": false,
                     *       "judged_at": "2026-01-22T12:00:00Z"
                     *     }
                     */
                    "application/json": components["schemas"]["Verification"];
                };
            };
        };
    };
    getSourceUpstream: {
        parameters: {
            query?: never;
            header?: {
                /** @description The `ETag` of the version that you have. The answer is 304 if it is still current. */
                "If-None-Match"?: string;
            };
            path: {
                /** @description The id of the source */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The webhook */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "source": "src_01h455vb4pex5vsknk084sn02q",
                     *       "webhook_id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
                     *       "uri": "https://hooks.example.com/in/gemini",
                     *       "subscribed_events": [
                     *         "batch.succeeded"
                     *       ],
                     *       "state": "enabled",
                     *       "signing_secrets": [
                     *         {
                     *           "truncated_secret": "whsec_...MnM=",
                     *           "expire_time": null
                     *         }
                     *       ],
                     *       "checked_at": null,
                     *       "last_event_at": null,
                     *       "drift": [],
                     *       "problem": null,
                     *       "under_way": null,
                     *       "rotate_every_days": null,
                     *       "next_rotation_at": null,
                     *       "heal": "off",
                     *       "healed_at": [],
                     *       "requests": {
                     *         "this_hour": 1,
                     *         "per_hour": 1
                     *       },
                     *       "created_at": "2026-01-22T12:00:00Z"
                     *     }
                     */
                    "application/json": components["schemas"]["Upstream"];
                };
            };
        };
    };
    updateSourceUpstream: {
        parameters: {
            query?: never;
            header?: {
                /** @description The `ETag` of the version that you change. The answer is 412 if it is no longer current. */
                "If-Match"?: string;
            };
            path: {
                /** @description The id of the source */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "rotate_every_days": 30,
                 *       "heal": "auto"
                 *     }
                 */
                "application/json": components["schemas"]["UpstreamChange"];
            };
        };
        responses: {
            /** @description The webhook */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "source": "src_01h455vb4pex5vsknk084sn02q",
                     *       "webhook_id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
                     *       "uri": "https://hooks.example.com/in/gemini",
                     *       "subscribed_events": [
                     *         "batch.succeeded"
                     *       ],
                     *       "state": "enabled",
                     *       "signing_secrets": [
                     *         {
                     *           "truncated_secret": "whsec_...MnM=",
                     *           "expire_time": null
                     *         }
                     *       ],
                     *       "checked_at": null,
                     *       "last_event_at": null,
                     *       "drift": [],
                     *       "problem": null,
                     *       "under_way": null,
                     *       "rotate_every_days": null,
                     *       "next_rotation_at": null,
                     *       "heal": "off",
                     *       "healed_at": [],
                     *       "requests": {
                     *         "this_hour": 1,
                     *         "per_hour": 1
                     *       },
                     *       "created_at": "2026-01-22T12:00:00Z"
                     *     }
                     */
                    "application/json": components["schemas"]["Upstream"];
                };
            };
        };
    };
    registerSourceUpstream: {
        parameters: {
            query?: never;
            header?: {
                /** @description For 24 hours, a repeated request with this key gets the same answer, and has its effect only once. */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description The id of the source */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                /**
                 * @example {
                 *       "subscribed_events": [
                 *         "batch.succeeded",
                 *         "batch.failed"
                 *       ]
                 *     }
                 */
                "application/json": components["schemas"]["UpstreamRegistration"];
            };
        };
        responses: {
            /** @description The webhook is registered. A warning says what does not work. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "steps": [
                     *         {
                     *           "step": "created",
                     *           "detail": "Gemini made the webhook k0h9q38f6ejj1g9j7cgcdsauadmbewegl79f"
                     *         }
                     *       ],
                     *       "warnings": [],
                     *       "upstream": {
                     *         "source": "src_01h455vb4pex5vsknk084sn02q",
                     *         "webhook_id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
                     *         "uri": "https://hooks.example.com/in/gemini",
                     *         "subscribed_events": [
                     *           "batch.succeeded"
                     *         ],
                     *         "state": "enabled",
                     *         "signing_secrets": [
                     *           {
                     *             "truncated_secret": "whsec_...MnM=",
                     *             "expire_time": null
                     *           }
                     *         ],
                     *         "checked_at": null,
                     *         "last_event_at": null,
                     *         "drift": [],
                     *         "problem": null,
                     *         "under_way": null,
                     *         "rotate_every_days": null,
                     *         "next_rotation_at": null,
                     *         "heal": "off",
                     *         "healed_at": [],
                     *         "requests": {
                     *           "this_hour": 1,
                     *           "per_hour": 1
                     *         },
                     *         "created_at": "2026-01-22T12:00:00Z"
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["UpstreamResult"];
                };
            };
        };
    };
    checkSourceUpstream: {
        parameters: {
            query?: never;
            header?: {
                /** @description For 24 hours, a repeated request with this key gets the same answer, and has its effect only once. */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description The id of the source */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                /** @example {} */
                "application/json": components["schemas"]["Empty"];
            };
        };
        responses: {
            /** @description What was done, and the webhook after it */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "steps": [
                     *         {
                     *           "step": "created",
                     *           "detail": "Gemini made the webhook k0h9q38f6ejj1g9j7cgcdsauadmbewegl79f"
                     *         }
                     *       ],
                     *       "warnings": [],
                     *       "upstream": {
                     *         "source": "src_01h455vb4pex5vsknk084sn02q",
                     *         "webhook_id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
                     *         "uri": "https://hooks.example.com/in/gemini",
                     *         "subscribed_events": [
                     *           "batch.succeeded"
                     *         ],
                     *         "state": "enabled",
                     *         "signing_secrets": [
                     *           {
                     *             "truncated_secret": "whsec_...MnM=",
                     *             "expire_time": null
                     *           }
                     *         ],
                     *         "checked_at": null,
                     *         "last_event_at": null,
                     *         "drift": [],
                     *         "problem": null,
                     *         "under_way": null,
                     *         "rotate_every_days": null,
                     *         "next_rotation_at": null,
                     *         "heal": "off",
                     *         "healed_at": [],
                     *         "requests": {
                     *           "this_hour": 1,
                     *           "per_hour": 1
                     *         },
                     *         "created_at": "2026-01-22T12:00:00Z"
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["UpstreamResult"];
                };
            };
        };
    };
    rotateSourceUpstream: {
        parameters: {
            query?: never;
            header?: {
                /** @description For 24 hours, a repeated request with this key gets the same answer, and has its effect only once. */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description The id of the source */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                /** @example {} */
                "application/json": components["schemas"]["Empty"];
            };
        };
        responses: {
            /** @description What was done, and the webhook after it */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "steps": [
                     *         {
                     *           "step": "created",
                     *           "detail": "Gemini made the webhook k0h9q38f6ejj1g9j7cgcdsauadmbewegl79f"
                     *         }
                     *       ],
                     *       "warnings": [],
                     *       "upstream": {
                     *         "source": "src_01h455vb4pex5vsknk084sn02q",
                     *         "webhook_id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
                     *         "uri": "https://hooks.example.com/in/gemini",
                     *         "subscribed_events": [
                     *           "batch.succeeded"
                     *         ],
                     *         "state": "enabled",
                     *         "signing_secrets": [
                     *           {
                     *             "truncated_secret": "whsec_...MnM=",
                     *             "expire_time": null
                     *           }
                     *         ],
                     *         "checked_at": null,
                     *         "last_event_at": null,
                     *         "drift": [],
                     *         "problem": null,
                     *         "under_way": null,
                     *         "rotate_every_days": null,
                     *         "next_rotation_at": null,
                     *         "heal": "off",
                     *         "healed_at": [],
                     *         "requests": {
                     *           "this_hour": 1,
                     *           "per_hour": 1
                     *         },
                     *         "created_at": "2026-01-22T12:00:00Z"
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["UpstreamResult"];
                };
            };
        };
    };
    healSourceUpstream: {
        parameters: {
            query?: never;
            header?: {
                /** @description For 24 hours, a repeated request with this key gets the same answer, and has its effect only once. */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description The id of the source */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                /** @example {} */
                "application/json": components["schemas"]["Empty"];
            };
        };
        responses: {
            /** @description What was done, and the webhook after it */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "steps": [
                     *         {
                     *           "step": "created",
                     *           "detail": "Gemini made the webhook k0h9q38f6ejj1g9j7cgcdsauadmbewegl79f"
                     *         }
                     *       ],
                     *       "warnings": [],
                     *       "upstream": {
                     *         "source": "src_01h455vb4pex5vsknk084sn02q",
                     *         "webhook_id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
                     *         "uri": "https://hooks.example.com/in/gemini",
                     *         "subscribed_events": [
                     *           "batch.succeeded"
                     *         ],
                     *         "state": "enabled",
                     *         "signing_secrets": [
                     *           {
                     *             "truncated_secret": "whsec_...MnM=",
                     *             "expire_time": null
                     *           }
                     *         ],
                     *         "checked_at": null,
                     *         "last_event_at": null,
                     *         "drift": [],
                     *         "problem": null,
                     *         "under_way": null,
                     *         "rotate_every_days": null,
                     *         "next_rotation_at": null,
                     *         "heal": "off",
                     *         "healed_at": [],
                     *         "requests": {
                     *           "this_hour": 1,
                     *           "per_hour": 1
                     *         },
                     *         "created_at": "2026-01-22T12:00:00Z"
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["UpstreamResult"];
                };
            };
        };
    };
    deregisterSourceUpstream: {
        parameters: {
            query?: never;
            header?: {
                /** @description For 24 hours, a repeated request with this key gets the same answer, and has its effect only once. */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description The id of the source */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                /** @example {} */
                "application/json": components["schemas"]["UpstreamDeregistration"];
            };
        };
        responses: {
            /** @description The webhook is deleted */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    listTargets: {
        parameters: {
            query?: {
                /** @description The largest number of entries in the page */
                limit?: number;
                /** @description The `next_cursor` of the page before; repeat the filters and the order of that page */
                cursor?: string;
                /** @description Only what has exactly this name */
                name?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of targets */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "data": [
                     *         {
                     *           "id": "tgt_01h455vb4pex5vsknk084sn02q",
                     *           "name": "billing",
                     *           "kind": "http",
                     *           "uri": "http://billing.internal:3000/gemini",
                     *           "subscribed_events": [
                     *             "batch.*",
                     *             "video.generated"
                     *           ],
                     *           "state": "enabled",
                     *           "state_reason": null,
                     *           "state_changed_at": "2026-01-22T12:00:00Z",
                     *           "health": {
                     *             "breaker": "closed",
                     *             "open_until": null,
                     *             "failing_since": null,
                     *             "last_success_at": null,
                     *             "last_failure_at": null
                     *           },
                     *           "headers": {
                     *             "authorization": "[redacted]"
                     *           },
                     *           "timeout_seconds": 20,
                     *           "max_in_flight": 64,
                     *           "rate_limit": null,
                     *           "retry": {
                     *             "base_seconds": 5,
                     *             "cap_seconds": 3600,
                     *             "horizon_seconds": 86400
                     *           },
                     *           "filter": null,
                     *           "tls": null,
                     *           "delete_after_idle_seconds": null,
                     *           "last_pulled_at": null,
                     *           "signing_secrets": [
                     *             {
                     *               "truncated_secret": "whsec_...MnM=",
                     *               "expire_time": null
                     *             }
                     *           ],
                     *           "lost_secrets": [],
                     *           "managed_by": null,
                     *           "created_at": "2026-01-22T12:00:00Z",
                     *           "updated_at": "2026-01-22T12:00:00Z"
                     *         }
                     *       ],
                     *       "next_cursor": null
                     *     }
                     */
                    "application/json": components["schemas"]["TargetPage"];
                };
            };
        };
    };
    createTarget: {
        parameters: {
            query?: never;
            header?: {
                /** @description For 24 hours, a repeated request with this key gets the same answer, and has its effect only once. */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "uri": "http://billing.internal:3000/gemini",
                 *       "subscribed_events": [
                 *         "batch.*",
                 *         "video.generated"
                 *       ],
                 *       "headers": {
                 *         "authorization": "Bearer key-of-the-service"
                 *       },
                 *       "timeout_seconds": 20,
                 *       "max_in_flight": 64,
                 *       "rate_limit": {
                 *         "requests": 100,
                 *         "per_seconds": 60
                 *       },
                 *       "filter": "event.type == \"batch.failed\" || event.labels.team == \"billing\"",
                 *       "delete_after_idle_seconds": null,
                 *       "tls": null
                 *     }
                 */
                "application/json": components["schemas"]["NewTarget"];
            };
        };
        responses: {
            /** @description The target */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": "tgt_01h455vb4pex5vsknk084sn02q",
                     *       "name": "billing",
                     *       "kind": "http",
                     *       "uri": "http://billing.internal:3000/gemini",
                     *       "subscribed_events": [
                     *         "batch.*",
                     *         "video.generated"
                     *       ],
                     *       "state": "enabled",
                     *       "state_reason": null,
                     *       "state_changed_at": "2026-01-22T12:00:00Z",
                     *       "health": {
                     *         "breaker": "closed",
                     *         "open_until": null,
                     *         "failing_since": null,
                     *         "last_success_at": null,
                     *         "last_failure_at": null
                     *       },
                     *       "headers": {
                     *         "authorization": "[redacted]"
                     *       },
                     *       "timeout_seconds": 20,
                     *       "max_in_flight": 64,
                     *       "rate_limit": null,
                     *       "retry": {
                     *         "base_seconds": 5,
                     *         "cap_seconds": 3600,
                     *         "horizon_seconds": 86400
                     *       },
                     *       "filter": null,
                     *       "tls": null,
                     *       "delete_after_idle_seconds": null,
                     *       "last_pulled_at": null,
                     *       "signing_secrets": [
                     *         {
                     *           "truncated_secret": "whsec_...MnM=",
                     *           "expire_time": null
                     *         }
                     *       ],
                     *       "lost_secrets": [],
                     *       "managed_by": null,
                     *       "created_at": "2026-01-22T12:00:00Z",
                     *       "updated_at": "2026-01-22T12:00:00Z"
                     *     }
                     */
                    "application/json": components["schemas"]["CreatedTarget"];
                };
            };
        };
    };
    getTarget: {
        parameters: {
            query?: never;
            header?: {
                /** @description The `ETag` of the version that you have. The answer is 304 if it is still current. */
                "If-None-Match"?: string;
            };
            path: {
                /** @description The id of the target */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The target */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": "tgt_01h455vb4pex5vsknk084sn02q",
                     *       "name": "billing",
                     *       "kind": "http",
                     *       "uri": "http://billing.internal:3000/gemini",
                     *       "subscribed_events": [
                     *         "batch.*",
                     *         "video.generated"
                     *       ],
                     *       "state": "enabled",
                     *       "state_reason": null,
                     *       "state_changed_at": "2026-01-22T12:00:00Z",
                     *       "health": {
                     *         "breaker": "closed",
                     *         "open_until": null,
                     *         "failing_since": null,
                     *         "last_success_at": null,
                     *         "last_failure_at": null
                     *       },
                     *       "headers": {
                     *         "authorization": "[redacted]"
                     *       },
                     *       "timeout_seconds": 20,
                     *       "max_in_flight": 64,
                     *       "rate_limit": null,
                     *       "retry": {
                     *         "base_seconds": 5,
                     *         "cap_seconds": 3600,
                     *         "horizon_seconds": 86400
                     *       },
                     *       "filter": null,
                     *       "tls": null,
                     *       "delete_after_idle_seconds": null,
                     *       "last_pulled_at": null,
                     *       "signing_secrets": [
                     *         {
                     *           "truncated_secret": "whsec_...MnM=",
                     *           "expire_time": null
                     *         }
                     *       ],
                     *       "lost_secrets": [],
                     *       "managed_by": null,
                     *       "created_at": "2026-01-22T12:00:00Z",
                     *       "updated_at": "2026-01-22T12:00:00Z"
                     *     }
                     */
                    "application/json": components["schemas"]["Target"];
                };
            };
        };
    };
    deleteTarget: {
        parameters: {
            query?: never;
            header?: {
                /** @description The `ETag` of the version that you change. The answer is 412 if it is no longer current. */
                "If-Match"?: string;
                /** @description `true` also changes what a file of settings manages, until the file is applied again. */
                "Sluice-Force"?: string;
            };
            path: {
                /** @description The id of the target */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The target is deleted */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    updateTarget: {
        parameters: {
            query?: never;
            header?: {
                /** @description The `ETag` of the version that you change. The answer is 412 if it is no longer current. */
                "If-Match"?: string;
                /** @description `true` also changes what a file of settings manages, until the file is applied again. */
                "Sluice-Force"?: string;
            };
            path: {
                /** @description The id of the target */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "uri": "http://billing.internal:3000/gemini",
                 *       "subscribed_events": [
                 *         "batch.*",
                 *         "video.generated"
                 *       ],
                 *       "headers": {
                 *         "authorization": "Bearer key-of-the-service"
                 *       },
                 *       "timeout_seconds": 20,
                 *       "max_in_flight": 64,
                 *       "rate_limit": {
                 *         "requests": 100,
                 *         "per_seconds": 60
                 *       },
                 *       "filter": "event.type == \"batch.failed\" || event.labels.team == \"billing\"",
                 *       "delete_after_idle_seconds": null,
                 *       "tls": null
                 *     }
                 */
                "application/json": components["schemas"]["TargetChange"];
            };
        };
        responses: {
            /** @description The target */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": "tgt_01h455vb4pex5vsknk084sn02q",
                     *       "name": "billing",
                     *       "kind": "http",
                     *       "uri": "http://billing.internal:3000/gemini",
                     *       "subscribed_events": [
                     *         "batch.*",
                     *         "video.generated"
                     *       ],
                     *       "state": "enabled",
                     *       "state_reason": null,
                     *       "state_changed_at": "2026-01-22T12:00:00Z",
                     *       "health": {
                     *         "breaker": "closed",
                     *         "open_until": null,
                     *         "failing_since": null,
                     *         "last_success_at": null,
                     *         "last_failure_at": null
                     *       },
                     *       "headers": {
                     *         "authorization": "[redacted]"
                     *       },
                     *       "timeout_seconds": 20,
                     *       "max_in_flight": 64,
                     *       "rate_limit": null,
                     *       "retry": {
                     *         "base_seconds": 5,
                     *         "cap_seconds": 3600,
                     *         "horizon_seconds": 86400
                     *       },
                     *       "filter": null,
                     *       "tls": null,
                     *       "delete_after_idle_seconds": null,
                     *       "last_pulled_at": null,
                     *       "signing_secrets": [
                     *         {
                     *           "truncated_secret": "whsec_...MnM=",
                     *           "expire_time": null
                     *         }
                     *       ],
                     *       "lost_secrets": [],
                     *       "managed_by": null,
                     *       "created_at": "2026-01-22T12:00:00Z",
                     *       "updated_at": "2026-01-22T12:00:00Z"
                     *     }
                     */
                    "application/json": components["schemas"]["Target"];
                };
            };
        };
    };
    tryTargetsFilter: {
        parameters: {
            query?: never;
            header?: {
                /** @description For 24 hours, a repeated request with this key gets the same answer, and has its effect only once. */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "filter": "event.type == \"batch.failed\" || event.labels.team == \"billing\"",
                 *       "subscribed_events": [
                 *         "batch.*"
                 *       ]
                 *     }
                 */
                "application/json": components["schemas"]["TryFilter"];
            };
        };
        responses: {
            /** @description What became of each event */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "matched": 1,
                     *       "failed": 0,
                     *       "data": [
                     *         {
                     *           "event": "evt_01h455vb4pex5vsknk084sn02q",
                     *           "source": "src_01h455vb4pex5vsknk084sn02q",
                     *           "type": "batch.succeeded",
                     *           "received_at": "2026-01-22T12:00:00Z",
                     *           "result": "matched",
                     *           "error": null
                     *         }
                     *       ]
                     *     }
                     */
                    "application/json": components["schemas"]["FilterTrial"];
                };
            };
        };
    };
    getTargetByName: {
        parameters: {
            query?: never;
            header?: {
                /** @description The `ETag` of the version that you have. The answer is 304 if it is still current. */
                "If-None-Match"?: string;
            };
            path: {
                /** @description Unique among targets. Upper and lower case differ. */
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The target */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": "tgt_01h455vb4pex5vsknk084sn02q",
                     *       "name": "billing",
                     *       "kind": "http",
                     *       "uri": "http://billing.internal:3000/gemini",
                     *       "subscribed_events": [
                     *         "batch.*",
                     *         "video.generated"
                     *       ],
                     *       "state": "enabled",
                     *       "state_reason": null,
                     *       "state_changed_at": "2026-01-22T12:00:00Z",
                     *       "health": {
                     *         "breaker": "closed",
                     *         "open_until": null,
                     *         "failing_since": null,
                     *         "last_success_at": null,
                     *         "last_failure_at": null
                     *       },
                     *       "headers": {
                     *         "authorization": "[redacted]"
                     *       },
                     *       "timeout_seconds": 20,
                     *       "max_in_flight": 64,
                     *       "rate_limit": null,
                     *       "retry": {
                     *         "base_seconds": 5,
                     *         "cap_seconds": 3600,
                     *         "horizon_seconds": 86400
                     *       },
                     *       "filter": null,
                     *       "tls": null,
                     *       "delete_after_idle_seconds": null,
                     *       "last_pulled_at": null,
                     *       "signing_secrets": [
                     *         {
                     *           "truncated_secret": "whsec_...MnM=",
                     *           "expire_time": null
                     *         }
                     *       ],
                     *       "lost_secrets": [],
                     *       "managed_by": null,
                     *       "created_at": "2026-01-22T12:00:00Z",
                     *       "updated_at": "2026-01-22T12:00:00Z"
                     *     }
                     */
                    "application/json": components["schemas"]["Target"];
                };
            };
        };
    };
    replaceTargetByName: {
        parameters: {
            query?: never;
            header?: {
                /** @description For 24 hours, a repeated request with this key gets the same answer, and has its effect only once. */
                "Idempotency-Key"?: string;
                /** @description The `ETag` of the version that you change. The answer is 412 if it is no longer current. */
                "If-Match"?: string;
                /** @description `true` also changes what a file of settings manages, until the file is applied again. */
                "Sluice-Force"?: string;
                /** @description `*` only creates. The answer is 412 if there is one already. */
                "If-None-Match"?: string;
            };
            path: {
                /** @description Unique among targets. Upper and lower case differ. */
                name: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "uri": "http://billing.internal:3000/gemini",
                 *       "subscribed_events": [
                 *         "batch.*",
                 *         "video.generated"
                 *       ],
                 *       "headers": {
                 *         "authorization": "Bearer key-of-the-service"
                 *       },
                 *       "timeout_seconds": 20,
                 *       "max_in_flight": 64,
                 *       "rate_limit": {
                 *         "requests": 100,
                 *         "per_seconds": 60
                 *       },
                 *       "filter": "event.type == \"batch.failed\" || event.labels.team == \"billing\"",
                 *       "delete_after_idle_seconds": null,
                 *       "tls": null
                 *     }
                 */
                "application/json": components["schemas"]["TargetReplacement"];
            };
        };
        responses: {
            /** @description The target, with its new settings */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": "tgt_01h455vb4pex5vsknk084sn02q",
                     *       "name": "billing",
                     *       "kind": "http",
                     *       "uri": "http://billing.internal:3000/gemini",
                     *       "subscribed_events": [
                     *         "batch.*",
                     *         "video.generated"
                     *       ],
                     *       "state": "enabled",
                     *       "state_reason": null,
                     *       "state_changed_at": "2026-01-22T12:00:00Z",
                     *       "health": {
                     *         "breaker": "closed",
                     *         "open_until": null,
                     *         "failing_since": null,
                     *         "last_success_at": null,
                     *         "last_failure_at": null
                     *       },
                     *       "headers": {
                     *         "authorization": "[redacted]"
                     *       },
                     *       "timeout_seconds": 20,
                     *       "max_in_flight": 64,
                     *       "rate_limit": null,
                     *       "retry": {
                     *         "base_seconds": 5,
                     *         "cap_seconds": 3600,
                     *         "horizon_seconds": 86400
                     *       },
                     *       "filter": null,
                     *       "tls": null,
                     *       "delete_after_idle_seconds": null,
                     *       "last_pulled_at": null,
                     *       "signing_secrets": [
                     *         {
                     *           "truncated_secret": "whsec_...MnM=",
                     *           "expire_time": null
                     *         }
                     *       ],
                     *       "lost_secrets": [],
                     *       "managed_by": null,
                     *       "created_at": "2026-01-22T12:00:00Z",
                     *       "updated_at": "2026-01-22T12:00:00Z"
                     *     }
                     */
                    "application/json": components["schemas"]["Target"];
                };
            };
            /** @description The new target */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": "tgt_01h455vb4pex5vsknk084sn02q",
                     *       "name": "billing",
                     *       "kind": "http",
                     *       "uri": "http://billing.internal:3000/gemini",
                     *       "subscribed_events": [
                     *         "batch.*",
                     *         "video.generated"
                     *       ],
                     *       "state": "enabled",
                     *       "state_reason": null,
                     *       "state_changed_at": "2026-01-22T12:00:00Z",
                     *       "health": {
                     *         "breaker": "closed",
                     *         "open_until": null,
                     *         "failing_since": null,
                     *         "last_success_at": null,
                     *         "last_failure_at": null
                     *       },
                     *       "headers": {
                     *         "authorization": "[redacted]"
                     *       },
                     *       "timeout_seconds": 20,
                     *       "max_in_flight": 64,
                     *       "rate_limit": null,
                     *       "retry": {
                     *         "base_seconds": 5,
                     *         "cap_seconds": 3600,
                     *         "horizon_seconds": 86400
                     *       },
                     *       "filter": null,
                     *       "tls": null,
                     *       "delete_after_idle_seconds": null,
                     *       "last_pulled_at": null,
                     *       "signing_secrets": [
                     *         {
                     *           "truncated_secret": "whsec_...MnM=",
                     *           "expire_time": null
                     *         }
                     *       ],
                     *       "lost_secrets": [],
                     *       "managed_by": null,
                     *       "created_at": "2026-01-22T12:00:00Z",
                     *       "updated_at": "2026-01-22T12:00:00Z"
                     *     }
                     */
                    "application/json": components["schemas"]["CreatedTarget"];
                };
            };
        };
    };
    deleteTargetByName: {
        parameters: {
            query?: never;
            header?: {
                /** @description The `ETag` of the version that you change. The answer is 412 if it is no longer current. */
                "If-Match"?: string;
                /** @description `true` also changes what a file of settings manages, until the file is applied again. */
                "Sluice-Force"?: string;
            };
            path: {
                /** @description Unique among targets. Upper and lower case differ. */
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The target is deleted */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    pauseTarget: {
        parameters: {
            query?: never;
            header?: {
                /** @description For 24 hours, a repeated request with this key gets the same answer, and has its effect only once. */
                "Idempotency-Key"?: string;
                /** @description The `ETag` of the version that you change. The answer is 412 if it is no longer current. */
                "If-Match"?: string;
            };
            path: {
                /** @description The id of the target */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                /** @example {} */
                "application/json": components["schemas"]["Empty"];
            };
        };
        responses: {
            /** @description The target */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": "tgt_01h455vb4pex5vsknk084sn02q",
                     *       "name": "billing",
                     *       "kind": "http",
                     *       "uri": "http://billing.internal:3000/gemini",
                     *       "subscribed_events": [
                     *         "batch.*",
                     *         "video.generated"
                     *       ],
                     *       "state": "enabled",
                     *       "state_reason": null,
                     *       "state_changed_at": "2026-01-22T12:00:00Z",
                     *       "health": {
                     *         "breaker": "closed",
                     *         "open_until": null,
                     *         "failing_since": null,
                     *         "last_success_at": null,
                     *         "last_failure_at": null
                     *       },
                     *       "headers": {
                     *         "authorization": "[redacted]"
                     *       },
                     *       "timeout_seconds": 20,
                     *       "max_in_flight": 64,
                     *       "rate_limit": null,
                     *       "retry": {
                     *         "base_seconds": 5,
                     *         "cap_seconds": 3600,
                     *         "horizon_seconds": 86400
                     *       },
                     *       "filter": null,
                     *       "tls": null,
                     *       "delete_after_idle_seconds": null,
                     *       "last_pulled_at": null,
                     *       "signing_secrets": [
                     *         {
                     *           "truncated_secret": "whsec_...MnM=",
                     *           "expire_time": null
                     *         }
                     *       ],
                     *       "lost_secrets": [],
                     *       "managed_by": null,
                     *       "created_at": "2026-01-22T12:00:00Z",
                     *       "updated_at": "2026-01-22T12:00:00Z"
                     *     }
                     */
                    "application/json": components["schemas"]["Target"];
                };
            };
        };
    };
    resumeTarget: {
        parameters: {
            query?: never;
            header?: {
                /** @description For 24 hours, a repeated request with this key gets the same answer, and has its effect only once. */
                "Idempotency-Key"?: string;
                /** @description The `ETag` of the version that you change. The answer is 412 if it is no longer current. */
                "If-Match"?: string;
            };
            path: {
                /** @description The id of the target */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                /** @example {} */
                "application/json": components["schemas"]["Empty"];
            };
        };
        responses: {
            /** @description The target */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": "tgt_01h455vb4pex5vsknk084sn02q",
                     *       "name": "billing",
                     *       "kind": "http",
                     *       "uri": "http://billing.internal:3000/gemini",
                     *       "subscribed_events": [
                     *         "batch.*",
                     *         "video.generated"
                     *       ],
                     *       "state": "enabled",
                     *       "state_reason": null,
                     *       "state_changed_at": "2026-01-22T12:00:00Z",
                     *       "health": {
                     *         "breaker": "closed",
                     *         "open_until": null,
                     *         "failing_since": null,
                     *         "last_success_at": null,
                     *         "last_failure_at": null
                     *       },
                     *       "headers": {
                     *         "authorization": "[redacted]"
                     *       },
                     *       "timeout_seconds": 20,
                     *       "max_in_flight": 64,
                     *       "rate_limit": null,
                     *       "retry": {
                     *         "base_seconds": 5,
                     *         "cap_seconds": 3600,
                     *         "horizon_seconds": 86400
                     *       },
                     *       "filter": null,
                     *       "tls": null,
                     *       "delete_after_idle_seconds": null,
                     *       "last_pulled_at": null,
                     *       "signing_secrets": [
                     *         {
                     *           "truncated_secret": "whsec_...MnM=",
                     *           "expire_time": null
                     *         }
                     *       ],
                     *       "lost_secrets": [],
                     *       "managed_by": null,
                     *       "created_at": "2026-01-22T12:00:00Z",
                     *       "updated_at": "2026-01-22T12:00:00Z"
                     *     }
                     */
                    "application/json": components["schemas"]["Target"];
                };
            };
        };
    };
    enableTarget: {
        parameters: {
            query?: never;
            header?: {
                /** @description For 24 hours, a repeated request with this key gets the same answer, and has its effect only once. */
                "Idempotency-Key"?: string;
                /** @description The `ETag` of the version that you change. The answer is 412 if it is no longer current. */
                "If-Match"?: string;
            };
            path: {
                /** @description The id of the target */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                /** @example {} */
                "application/json": components["schemas"]["Empty"];
            };
        };
        responses: {
            /** @description The target */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": "tgt_01h455vb4pex5vsknk084sn02q",
                     *       "name": "billing",
                     *       "kind": "http",
                     *       "uri": "http://billing.internal:3000/gemini",
                     *       "subscribed_events": [
                     *         "batch.*",
                     *         "video.generated"
                     *       ],
                     *       "state": "enabled",
                     *       "state_reason": null,
                     *       "state_changed_at": "2026-01-22T12:00:00Z",
                     *       "health": {
                     *         "breaker": "closed",
                     *         "open_until": null,
                     *         "failing_since": null,
                     *         "last_success_at": null,
                     *         "last_failure_at": null
                     *       },
                     *       "headers": {
                     *         "authorization": "[redacted]"
                     *       },
                     *       "timeout_seconds": 20,
                     *       "max_in_flight": 64,
                     *       "rate_limit": null,
                     *       "retry": {
                     *         "base_seconds": 5,
                     *         "cap_seconds": 3600,
                     *         "horizon_seconds": 86400
                     *       },
                     *       "filter": null,
                     *       "tls": null,
                     *       "delete_after_idle_seconds": null,
                     *       "last_pulled_at": null,
                     *       "signing_secrets": [
                     *         {
                     *           "truncated_secret": "whsec_...MnM=",
                     *           "expire_time": null
                     *         }
                     *       ],
                     *       "lost_secrets": [],
                     *       "managed_by": null,
                     *       "created_at": "2026-01-22T12:00:00Z",
                     *       "updated_at": "2026-01-22T12:00:00Z"
                     *     }
                     */
                    "application/json": components["schemas"]["Target"];
                };
            };
        };
    };
    disableTarget: {
        parameters: {
            query?: never;
            header?: {
                /** @description For 24 hours, a repeated request with this key gets the same answer, and has its effect only once. */
                "Idempotency-Key"?: string;
                /** @description The `ETag` of the version that you change. The answer is 412 if it is no longer current. */
                "If-Match"?: string;
            };
            path: {
                /** @description The id of the target */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                /** @example {} */
                "application/json": components["schemas"]["Empty"];
            };
        };
        responses: {
            /** @description The target */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": "tgt_01h455vb4pex5vsknk084sn02q",
                     *       "name": "billing",
                     *       "kind": "http",
                     *       "uri": "http://billing.internal:3000/gemini",
                     *       "subscribed_events": [
                     *         "batch.*",
                     *         "video.generated"
                     *       ],
                     *       "state": "enabled",
                     *       "state_reason": null,
                     *       "state_changed_at": "2026-01-22T12:00:00Z",
                     *       "health": {
                     *         "breaker": "closed",
                     *         "open_until": null,
                     *         "failing_since": null,
                     *         "last_success_at": null,
                     *         "last_failure_at": null
                     *       },
                     *       "headers": {
                     *         "authorization": "[redacted]"
                     *       },
                     *       "timeout_seconds": 20,
                     *       "max_in_flight": 64,
                     *       "rate_limit": null,
                     *       "retry": {
                     *         "base_seconds": 5,
                     *         "cap_seconds": 3600,
                     *         "horizon_seconds": 86400
                     *       },
                     *       "filter": null,
                     *       "tls": null,
                     *       "delete_after_idle_seconds": null,
                     *       "last_pulled_at": null,
                     *       "signing_secrets": [
                     *         {
                     *           "truncated_secret": "whsec_...MnM=",
                     *           "expire_time": null
                     *         }
                     *       ],
                     *       "lost_secrets": [],
                     *       "managed_by": null,
                     *       "created_at": "2026-01-22T12:00:00Z",
                     *       "updated_at": "2026-01-22T12:00:00Z"
                     *     }
                     */
                    "application/json": components["schemas"]["Target"];
                };
            };
        };
    };
    rotateTargetSecret: {
        parameters: {
            query?: never;
            header?: {
                /** @description For 24 hours, a repeated request with this key gets the same answer, and has its effect only once. */
                "Idempotency-Key"?: string;
                /** @description The `ETag` of the version that you change. The answer is 412 if it is no longer current. */
                "If-Match"?: string;
                /** @description `true` also changes what a file of settings manages, until the file is applied again. */
                "Sluice-Force"?: string;
            };
            path: {
                /** @description The id of the target */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "previous": "revoke_after_24h"
                 *     }
                 */
                "application/json": components["schemas"]["SecretRotation"];
            };
        };
        responses: {
            /** @description The target. The new secret is the last one. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": "tgt_01h455vb4pex5vsknk084sn02q",
                     *       "name": "billing",
                     *       "kind": "http",
                     *       "uri": "http://billing.internal:3000/gemini",
                     *       "subscribed_events": [
                     *         "batch.*",
                     *         "video.generated"
                     *       ],
                     *       "state": "enabled",
                     *       "state_reason": null,
                     *       "state_changed_at": "2026-01-22T12:00:00Z",
                     *       "health": {
                     *         "breaker": "closed",
                     *         "open_until": null,
                     *         "failing_since": null,
                     *         "last_success_at": null,
                     *         "last_failure_at": null
                     *       },
                     *       "headers": {
                     *         "authorization": "[redacted]"
                     *       },
                     *       "timeout_seconds": 20,
                     *       "max_in_flight": 64,
                     *       "rate_limit": null,
                     *       "retry": {
                     *         "base_seconds": 5,
                     *         "cap_seconds": 3600,
                     *         "horizon_seconds": 86400
                     *       },
                     *       "filter": null,
                     *       "tls": null,
                     *       "delete_after_idle_seconds": null,
                     *       "last_pulled_at": null,
                     *       "signing_secrets": [
                     *         {
                     *           "truncated_secret": "whsec_...MnM=",
                     *           "expire_time": null
                     *         }
                     *       ],
                     *       "lost_secrets": [],
                     *       "managed_by": null,
                     *       "created_at": "2026-01-22T12:00:00Z",
                     *       "updated_at": "2026-01-22T12:00:00Z"
                     *     }
                     */
                    "application/json": components["schemas"]["RotatedTarget"];
                };
            };
        };
    };
    testTarget: {
        parameters: {
            query?: never;
            header?: {
                /** @description For 24 hours, a repeated request with this key gets the same answer, and has its effect only once. */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description The id of the target */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                /** @example {} */
                "application/json": components["schemas"]["Empty"];
            };
        };
        responses: {
            /** @description The attempt is made; `attempt` has its result */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "event": "evt_01h455vb4pex5vsknk084sn02q",
                     *       "delivery": {
                     *         "id": "dlv_01h455vb4pex5vsknk084sn02q",
                     *         "event": "evt_01h455vb4pex5vsknk084sn02q",
                     *         "event_type": "batch.succeeded",
                     *         "webhook_id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
                     *         "source": "src_01h455vb4pex5vsknk084sn02q",
                     *         "target": "tgt_01h455vb4pex5vsknk084sn02q",
                     *         "status": "succeeded",
                     *         "in_flight": false,
                     *         "worker": null,
                     *         "attempt_count": 1,
                     *         "next_attempt_at": null,
                     *         "deadline_at": "2026-01-22T12:00:00Z",
                     *         "last_status_code": 200,
                     *         "last_error": null,
                     *         "created_at": "2026-01-22T12:00:00Z",
                     *         "finished_at": "2026-01-22T12:00:00Z"
                     *       },
                     *       "attempt": {
                     *         "id": "att_01h455vb4pex5vsknk084sn02q",
                     *         "delivery": "dlv_01h455vb4pex5vsknk084sn02q",
                     *         "event": "evt_01h455vb4pex5vsknk084sn02q",
                     *         "target": "tgt_01h455vb4pex5vsknk084sn02q",
                     *         "source": "src_01h455vb4pex5vsknk084sn02q",
                     *         "event_type": "batch.succeeded",
                     *         "number": 1,
                     *         "trigger": "initial",
                     *         "started_at": "2026-01-22T12:00:00Z",
                     *         "duration_ms": 41.7,
                     *         "status_code": 200,
                     *         "error": null,
                     *         "response_excerpt": "ok",
                     *         "url": "https://billing.internal/webhooks/gemini",
                     *         "address": "10.0.4.17:443",
                     *         "connect_ms": 8.41,
                     *         "first_byte_ms": 39.2,
                     *         "trace_id": "019be5a3c1d07a20b7a1f2c3d4e5f607",
                     *         "request_headers": {
                     *           "webhook-id": "msg_123",
                     *           "sluice-attempt": "1",
                     *           "authorization": "[redacted]"
                     *         },
                     *         "response_headers": {
                     *           "content-type": "text/plain",
                     *           "date": "Thu, 22 Jan 2026 12:00:00 GMT"
                     *         }
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["TargetTest"];
                };
            };
            /** @description Nobody has made the attempt yet. The delivery shows the result when somebody does. */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "event": "evt_01h455vb4pex5vsknk084sn02q",
                     *       "delivery": {
                     *         "id": "dlv_01h455vb4pex5vsknk084sn02q",
                     *         "event": "evt_01h455vb4pex5vsknk084sn02q",
                     *         "event_type": "batch.succeeded",
                     *         "webhook_id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
                     *         "source": "src_01h455vb4pex5vsknk084sn02q",
                     *         "target": "tgt_01h455vb4pex5vsknk084sn02q",
                     *         "status": "succeeded",
                     *         "in_flight": false,
                     *         "worker": null,
                     *         "attempt_count": 1,
                     *         "next_attempt_at": null,
                     *         "deadline_at": "2026-01-22T12:00:00Z",
                     *         "last_status_code": 200,
                     *         "last_error": null,
                     *         "created_at": "2026-01-22T12:00:00Z",
                     *         "finished_at": "2026-01-22T12:00:00Z"
                     *       },
                     *       "attempt": {
                     *         "id": "att_01h455vb4pex5vsknk084sn02q",
                     *         "delivery": "dlv_01h455vb4pex5vsknk084sn02q",
                     *         "event": "evt_01h455vb4pex5vsknk084sn02q",
                     *         "target": "tgt_01h455vb4pex5vsknk084sn02q",
                     *         "source": "src_01h455vb4pex5vsknk084sn02q",
                     *         "event_type": "batch.succeeded",
                     *         "number": 1,
                     *         "trigger": "initial",
                     *         "started_at": "2026-01-22T12:00:00Z",
                     *         "duration_ms": 41.7,
                     *         "status_code": 200,
                     *         "error": null,
                     *         "response_excerpt": "ok",
                     *         "url": "https://billing.internal/webhooks/gemini",
                     *         "address": "10.0.4.17:443",
                     *         "connect_ms": 8.41,
                     *         "first_byte_ms": 39.2,
                     *         "trace_id": "019be5a3c1d07a20b7a1f2c3d4e5f607",
                     *         "request_headers": {
                     *           "webhook-id": "msg_123",
                     *           "sluice-attempt": "1",
                     *           "authorization": "[redacted]"
                     *         },
                     *         "response_headers": {
                     *           "content-type": "text/plain",
                     *           "date": "Thu, 22 Jan 2026 12:00:00 GMT"
                     *         }
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["TargetTest"];
                };
            };
        };
    };
    pullTarget: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The id of the target */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                /** @example {} */
                "application/json": components["schemas"]["PullRequest"];
            };
        };
        responses: {
            /** @description The deliveries; none if the time was over, or the target is not enabled */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "deliveries": [
                     *         {
                     *           "token": "AZsAAAAAcACAAAAAAAAAAAGbAAAAAHAAgAAAAAAAAAA",
                     *           "delivery_id": "dlv_01h455vb4pex5vsknk084sn02q",
                     *           "event_id": "evt_01h455vb4pex5vsknk084sn02q",
                     *           "event_type": "batch.succeeded",
                     *           "attempt": 1,
                     *           "trigger": "initial",
                     *           "headers": {
                     *             "webhook-id": "msg_123",
                     *             "webhook-timestamp": "1795000000",
                     *             "webhook-signature": "v1,…"
                     *           },
                     *           "body": "e30=",
                     *           "deadline_at": "2026-01-22T12:00:00Z",
                     *           "lease_expires_at": "2026-01-22T12:00:00Z"
                     *         }
                     *       ],
                     *       "waiting": 0,
                     *       "state": "enabled"
                     *     }
                     */
                    "application/json": components["schemas"]["PullAnswer"];
                };
            };
        };
    };
    ackTarget: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The id of the target */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "results": [
                 *         {
                 *           "token": "AZsAAAAAcACAAAAAAAAAAAGbAAAAAHAAgAAAAAAAAAA",
                 *           "status_code": 200,
                 *           "error": "timeout: no answer within 20 s",
                 *           "duration_ms": 41.7,
                 *           "response_excerpt": "ok",
                 *           "retry_after_seconds": 30
                 *         }
                 *       ]
                 *     }
                 */
                "application/json": components["schemas"]["AckRequest"];
            };
        };
        responses: {
            /** @description One result for each token, in the order of the request */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "results": [
                     *         {
                     *           "token": "AZsAAAAAcACAAAAAAAAAAAGbAAAAAHAAgAAAAAAAAAA",
                     *           "code": "lease_lost",
                     *           "status": "succeeded",
                     *           "next_attempt_at": null
                     *         }
                     *       ]
                     *     }
                     */
                    "application/json": components["schemas"]["AckAnswer"];
                };
            };
        };
    };
    extendTarget: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The id of the target */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "tokens": [
                 *         "AZsAAAAAcACAAAAAAAAAAAGbAAAAAHAAgAAAAAAAAAA"
                 *       ]
                 *     }
                 */
                "application/json": components["schemas"]["ExtendRequest"];
            };
        };
        responses: {
            /** @description One result for each token, in the order of the request */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "results": [
                     *         {
                     *           "token": "AZsAAAAAcACAAAAAAAAAAAGbAAAAAHAAgAAAAAAAAAA",
                     *           "code": "lease_lost",
                     *           "lease_expires_at": null
                     *         }
                     *       ]
                     *     }
                     */
                    "application/json": components["schemas"]["ExtendAnswer"];
                };
            };
        };
    };
    listWebhooks: {
        parameters: {
            query?: {
                /** @description A page has at most 1000 webhooks */
                page_size?: number;
                /** @description The `next_page_token` of the page before */
                page_token?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of webhooks */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "webhooks": [
                     *         {
                     *           "id": "tgt_01h455vb4pex5vsknk084sn02q",
                     *           "name": "billing",
                     *           "uri": "http://billing.internal:3000/gemini",
                     *           "subscribed_events": [
                     *             "batch.*",
                     *             "video.generated"
                     *           ],
                     *           "state": "enabled",
                     *           "signing_secrets": [
                     *             {
                     *               "truncated_secret": "whsec_...LaSw"
                     *             }
                     *           ],
                     *           "create_time": "2026-01-22T12:00:00Z",
                     *           "update_time": "2026-01-22T12:00:00Z"
                     *         }
                     *       ]
                     *     }
                     */
                    "application/json": components["schemas"]["WebhookPage"];
                };
            };
        };
    };
    createWebhook: {
        parameters: {
            query?: never;
            header?: {
                /** @description For 24 hours, a repeated request with this key gets the same answer, and has its effect only once. */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "uri": "http://billing.internal:3000/gemini",
                 *       "subscribed_events": [
                 *         "batch.*",
                 *         "video.generated"
                 *       ]
                 *     }
                 */
                "application/json": components["schemas"]["NewWebhook"];
            };
        };
        responses: {
            /** @description The webhook */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": "tgt_01h455vb4pex5vsknk084sn02q",
                     *       "name": "billing",
                     *       "uri": "http://billing.internal:3000/gemini",
                     *       "subscribed_events": [
                     *         "batch.*",
                     *         "video.generated"
                     *       ],
                     *       "state": "enabled",
                     *       "signing_secrets": [
                     *         {
                     *           "truncated_secret": "whsec_...LaSw"
                     *         }
                     *       ],
                     *       "create_time": "2026-01-22T12:00:00Z",
                     *       "update_time": "2026-01-22T12:00:00Z",
                     *       "new_signing_secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
                     *     }
                     */
                    "application/json": components["schemas"]["CreatedWebhook"];
                };
            };
        };
    };
    getWebhook: {
        parameters: {
            query?: never;
            header?: {
                /** @description The `ETag` of the version that you have. The answer is 304 if it is still current. */
                "If-None-Match"?: string;
            };
            path: {
                /** @description The id of the target */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The webhook */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": "tgt_01h455vb4pex5vsknk084sn02q",
                     *       "name": "billing",
                     *       "uri": "http://billing.internal:3000/gemini",
                     *       "subscribed_events": [
                     *         "batch.*",
                     *         "video.generated"
                     *       ],
                     *       "state": "enabled",
                     *       "signing_secrets": [
                     *         {
                     *           "truncated_secret": "whsec_...LaSw"
                     *         }
                     *       ],
                     *       "create_time": "2026-01-22T12:00:00Z",
                     *       "update_time": "2026-01-22T12:00:00Z"
                     *     }
                     */
                    "application/json": components["schemas"]["Webhook"];
                };
            };
        };
    };
    deleteWebhook: {
        parameters: {
            query?: never;
            header?: {
                /** @description The `ETag` of the version that you change. The answer is 412 if it is no longer current. */
                "If-Match"?: string;
                /** @description `true` also changes what a file of settings manages, until the file is applied again. */
                "Sluice-Force"?: string;
            };
            path: {
                /** @description The id of the target */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The webhook is deleted */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /** @example {} */
                    "application/json": components["schemas"]["Empty"];
                };
            };
        };
    };
    updateWebhook: {
        parameters: {
            query?: {
                /** @description The fields of the body to apply, separated by commas. If you leave it out, or for `*`, all fields are applied. */
                update_mask?: string;
            };
            header?: {
                /** @description The `ETag` of the version that you change. The answer is 412 if it is no longer current. */
                "If-Match"?: string;
                /** @description `true` also changes what a file of settings manages, until the file is applied again. */
                "Sluice-Force"?: string;
            };
            path: {
                /** @description The id of the target */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "uri": "http://billing.internal:3000/gemini",
                 *       "subscribed_events": [
                 *         "batch.*",
                 *         "video.generated"
                 *       ]
                 *     }
                 */
                "application/json": components["schemas"]["WebhookChange"];
            };
        };
        responses: {
            /** @description The webhook */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": "tgt_01h455vb4pex5vsknk084sn02q",
                     *       "name": "billing",
                     *       "uri": "http://billing.internal:3000/gemini",
                     *       "subscribed_events": [
                     *         "batch.*",
                     *         "video.generated"
                     *       ],
                     *       "state": "enabled",
                     *       "signing_secrets": [
                     *         {
                     *           "truncated_secret": "whsec_...LaSw"
                     *         }
                     *       ],
                     *       "create_time": "2026-01-22T12:00:00Z",
                     *       "update_time": "2026-01-22T12:00:00Z"
                     *     }
                     */
                    "application/json": components["schemas"]["Webhook"];
                };
            };
        };
    };
    rotateWebhookSigningSecret: {
        parameters: {
            query?: never;
            header?: {
                /** @description For 24 hours, a repeated request with this key gets the same answer, and has its effect only once. */
                "Idempotency-Key"?: string;
                /** @description The `ETag` of the version that you change. The answer is 412 if it is no longer current. */
                "If-Match"?: string;
                /** @description `true` also changes what a file of settings manages, until the file is applied again. */
                "Sluice-Force"?: string;
            };
            path: {
                /** @description The id of the target */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                /** @example {} */
                "application/json": components["schemas"]["WebhookRotation"];
            };
        };
        responses: {
            /** @description The new secret */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
                     *     }
                     */
                    "application/json": components["schemas"]["RotatedWebhookSecret"];
                };
            };
        };
    };
    rotateWebhookSecret: {
        parameters: {
            query?: never;
            header?: {
                /** @description For 24 hours, a repeated request with this key gets the same answer, and has its effect only once. */
                "Idempotency-Key"?: string;
                /** @description The `ETag` of the version that you change. The answer is 412 if it is no longer current. */
                "If-Match"?: string;
                /** @description `true` also changes what a file of settings manages, until the file is applied again. */
                "Sluice-Force"?: string;
            };
            path: {
                /** @description The id of the target */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                /** @example {} */
                "application/json": components["schemas"]["WebhookRotation"];
            };
        };
        responses: {
            /** @description The new secret */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
                     *     }
                     */
                    "application/json": components["schemas"]["RotatedWebhookSecret"];
                };
            };
        };
    };
    pingWebhook: {
        parameters: {
            query?: never;
            header?: {
                /** @description For 24 hours, a repeated request with this key gets the same answer, and has its effect only once. */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description The id of the target */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                /** @example {} */
                "application/json": components["schemas"]["Empty"];
            };
        };
        responses: {
            /** @description The webhook answered the ping with a 2xx */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /** @example {} */
                    "application/json": components["schemas"]["Empty"];
                };
            };
        };
    };
    listWebhooksBeta: {
        parameters: {
            query?: {
                /** @description A page has at most 1000 webhooks */
                page_size?: number;
                /** @description The `next_page_token` of the page before */
                page_token?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of webhooks */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "webhooks": [
                     *         {
                     *           "id": "tgt_01h455vb4pex5vsknk084sn02q",
                     *           "name": "billing",
                     *           "uri": "http://billing.internal:3000/gemini",
                     *           "subscribed_events": [
                     *             "batch.*",
                     *             "video.generated"
                     *           ],
                     *           "state": "enabled",
                     *           "signing_secrets": [
                     *             {
                     *               "truncated_secret": "whsec_...LaSw"
                     *             }
                     *           ],
                     *           "create_time": "2026-01-22T12:00:00Z",
                     *           "update_time": "2026-01-22T12:00:00Z"
                     *         }
                     *       ]
                     *     }
                     */
                    "application/json": components["schemas"]["WebhookPage"];
                };
            };
        };
    };
    createWebhookBeta: {
        parameters: {
            query?: never;
            header?: {
                /** @description For 24 hours, a repeated request with this key gets the same answer, and has its effect only once. */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "uri": "http://billing.internal:3000/gemini",
                 *       "subscribed_events": [
                 *         "batch.*",
                 *         "video.generated"
                 *       ]
                 *     }
                 */
                "application/json": components["schemas"]["NewWebhook"];
            };
        };
        responses: {
            /** @description The webhook */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": "tgt_01h455vb4pex5vsknk084sn02q",
                     *       "name": "billing",
                     *       "uri": "http://billing.internal:3000/gemini",
                     *       "subscribed_events": [
                     *         "batch.*",
                     *         "video.generated"
                     *       ],
                     *       "state": "enabled",
                     *       "signing_secrets": [
                     *         {
                     *           "truncated_secret": "whsec_...LaSw"
                     *         }
                     *       ],
                     *       "create_time": "2026-01-22T12:00:00Z",
                     *       "update_time": "2026-01-22T12:00:00Z",
                     *       "new_signing_secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
                     *     }
                     */
                    "application/json": components["schemas"]["CreatedWebhook"];
                };
            };
        };
    };
    getWebhookBeta: {
        parameters: {
            query?: never;
            header?: {
                /** @description The `ETag` of the version that you have. The answer is 304 if it is still current. */
                "If-None-Match"?: string;
            };
            path: {
                /** @description The id of the target */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The webhook */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": "tgt_01h455vb4pex5vsknk084sn02q",
                     *       "name": "billing",
                     *       "uri": "http://billing.internal:3000/gemini",
                     *       "subscribed_events": [
                     *         "batch.*",
                     *         "video.generated"
                     *       ],
                     *       "state": "enabled",
                     *       "signing_secrets": [
                     *         {
                     *           "truncated_secret": "whsec_...LaSw"
                     *         }
                     *       ],
                     *       "create_time": "2026-01-22T12:00:00Z",
                     *       "update_time": "2026-01-22T12:00:00Z"
                     *     }
                     */
                    "application/json": components["schemas"]["Webhook"];
                };
            };
        };
    };
    deleteWebhookBeta: {
        parameters: {
            query?: never;
            header?: {
                /** @description The `ETag` of the version that you change. The answer is 412 if it is no longer current. */
                "If-Match"?: string;
                /** @description `true` also changes what a file of settings manages, until the file is applied again. */
                "Sluice-Force"?: string;
            };
            path: {
                /** @description The id of the target */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The webhook is deleted */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /** @example {} */
                    "application/json": components["schemas"]["Empty"];
                };
            };
        };
    };
    updateWebhookBeta: {
        parameters: {
            query?: {
                /** @description The fields of the body to apply, separated by commas. If you leave it out, or for `*`, all fields are applied. */
                update_mask?: string;
            };
            header?: {
                /** @description The `ETag` of the version that you change. The answer is 412 if it is no longer current. */
                "If-Match"?: string;
                /** @description `true` also changes what a file of settings manages, until the file is applied again. */
                "Sluice-Force"?: string;
            };
            path: {
                /** @description The id of the target */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "uri": "http://billing.internal:3000/gemini",
                 *       "subscribed_events": [
                 *         "batch.*",
                 *         "video.generated"
                 *       ]
                 *     }
                 */
                "application/json": components["schemas"]["WebhookChange"];
            };
        };
        responses: {
            /** @description The webhook */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": "tgt_01h455vb4pex5vsknk084sn02q",
                     *       "name": "billing",
                     *       "uri": "http://billing.internal:3000/gemini",
                     *       "subscribed_events": [
                     *         "batch.*",
                     *         "video.generated"
                     *       ],
                     *       "state": "enabled",
                     *       "signing_secrets": [
                     *         {
                     *           "truncated_secret": "whsec_...LaSw"
                     *         }
                     *       ],
                     *       "create_time": "2026-01-22T12:00:00Z",
                     *       "update_time": "2026-01-22T12:00:00Z"
                     *     }
                     */
                    "application/json": components["schemas"]["Webhook"];
                };
            };
        };
    };
    rotateWebhookSigningSecretBeta: {
        parameters: {
            query?: never;
            header?: {
                /** @description For 24 hours, a repeated request with this key gets the same answer, and has its effect only once. */
                "Idempotency-Key"?: string;
                /** @description The `ETag` of the version that you change. The answer is 412 if it is no longer current. */
                "If-Match"?: string;
                /** @description `true` also changes what a file of settings manages, until the file is applied again. */
                "Sluice-Force"?: string;
            };
            path: {
                /** @description The id of the target */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                /** @example {} */
                "application/json": components["schemas"]["WebhookRotation"];
            };
        };
        responses: {
            /** @description The new secret */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
                     *     }
                     */
                    "application/json": components["schemas"]["RotatedWebhookSecret"];
                };
            };
        };
    };
    rotateWebhookSecretBeta: {
        parameters: {
            query?: never;
            header?: {
                /** @description For 24 hours, a repeated request with this key gets the same answer, and has its effect only once. */
                "Idempotency-Key"?: string;
                /** @description The `ETag` of the version that you change. The answer is 412 if it is no longer current. */
                "If-Match"?: string;
                /** @description `true` also changes what a file of settings manages, until the file is applied again. */
                "Sluice-Force"?: string;
            };
            path: {
                /** @description The id of the target */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                /** @example {} */
                "application/json": components["schemas"]["WebhookRotation"];
            };
        };
        responses: {
            /** @description The new secret */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
                     *     }
                     */
                    "application/json": components["schemas"]["RotatedWebhookSecret"];
                };
            };
        };
    };
    pingWebhookBeta: {
        parameters: {
            query?: never;
            header?: {
                /** @description For 24 hours, a repeated request with this key gets the same answer, and has its effect only once. */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description The id of the target */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                /** @example {} */
                "application/json": components["schemas"]["Empty"];
            };
        };
        responses: {
            /** @description The webhook answered the ping with a 2xx */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /** @example {} */
                    "application/json": components["schemas"]["Empty"];
                };
            };
        };
    };
    listEvents: {
        parameters: {
            query?: {
                /** @description The largest number of entries in the page */
                limit?: number;
                /** @description The `next_cursor` of the page before; repeat the filters and the order of that page */
                cursor?: string;
                /** @description Which entries come first. With `oldest`, the list can be read on from its end: see `resume_cursor`. An entry that is stored late then comes after newer ones. */
                order?: components["schemas"]["ListOrder"];
                /** @description The start of the time range, included, as RFC 3339. It is compared with the time that a row shows: when it was received, created or started. */
                since?: string;
                /** @description The end of the time range, not included, as RFC 3339. It is compared with the time that a row shows: when it was received, created or started. */
                until?: string;
                /** @description The id or the name of a source */
                source?: string;
                /** @description An event type, or a group of them such as `batch.*`. `batch.completed` and `batch.succeeded` are two names of one type. */
                event_type?: string;
                /** @description The `webhook-id` that the sender set */
                webhook_id?: string;
                /** @description `data.id` of the payload: the Gemini job that the event is about, with or without `batches/` */
                data_id?: string;
                /** @description A label of the callback URL that received the event, as name:value. Repeat the parameter to match all of several values. */
                label?: string[];
                /** @description A top-level key of `user_metadata`, or a key and its value as key=value. The value is compared as text: `n=1` matches the number 1 and the text, and `n=null` the JSON null and the text. Repeat the parameter to match all of several values. */
                user_metadata?: string[];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "data": [
                     *         {
                     *           "id": "evt_01h455vb4pex5vsknk084sn02q",
                     *           "source": "src_01h455vb4pex5vsknk084sn02q",
                     *           "webhook_id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
                     *           "type": "batch.succeeded",
                     *           "timestamp": "2026-01-22T12:00:00Z",
                     *           "received_at": "2026-01-22T12:00:00Z",
                     *           "scheme": "v1",
                     *           "body_unbound": false,
                     *           "content_encoding": null,
                     *           "user_metadata": {
                     *             "team": "billing"
                     *           },
                     *           "labels": {},
                     *           "filter_errors": [],
                     *           "size_bytes": 158,
                     *           "body_removed_at": null,
                     *           "body_removed_by": null,
                     *           "payload": {
                     *             "type": "batch.succeeded",
                     *             "version": "v1",
                     *             "timestamp": "2026-01-22T12:00:00Z",
                     *             "data": {
                     *               "id": "batch_123456"
                     *             },
                     *             "user_metadata": {
                     *               "team": "billing"
                     *             }
                     *           }
                     *         }
                     *       ],
                     *       "next_cursor": null,
                     *       "resume_cursor": null,
                     *       "searched_to": null
                     *     }
                     */
                    "application/json": components["schemas"]["EventPage"];
                };
            };
        };
    };
    createEvent: {
        parameters: {
            query?: never;
            header?: {
                /** @description For 24 hours, a repeated request with this key gets the same answer, and has its effect only once. */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "type": "batch.succeeded",
                 *       "data": {
                 *         "id": "batch_123456",
                 *         "output_file_uri": "gs://my-bucket/results.jsonl"
                 *       },
                 *       "user_metadata": {
                 *         "team": "billing"
                 *       },
                 *       "labels": {
                 *         "job": "nightly-embeddings",
                 *         "customer": "42"
                 *       },
                 *       "source": "api",
                 *       "webhook_id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
                 *       "targets": [
                 *         "tgt_01h455vb4pex5vsknk084sn02q"
                 *       ],
                 *       "timestamp": "2026-01-22T12:00:00Z"
                 *     }
                 */
                "application/json": components["schemas"]["NewEvent"];
            };
        };
        responses: {
            /** @description The event that was stored before with this `webhook_id` */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": "evt_01h455vb4pex5vsknk084sn02q",
                     *       "source": "src_01h455vb4pex5vsknk084sn02q",
                     *       "webhook_id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
                     *       "is_duplicate": false,
                     *       "deliveries": 1
                     *     }
                     */
                    "application/json": components["schemas"]["InjectedEvent"];
                };
            };
            /** @description The event, stored */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": "evt_01h455vb4pex5vsknk084sn02q",
                     *       "source": "src_01h455vb4pex5vsknk084sn02q",
                     *       "webhook_id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
                     *       "is_duplicate": false,
                     *       "deliveries": 1
                     *     }
                     */
                    "application/json": components["schemas"]["InjectedEvent"];
                };
            };
        };
    };
    getEvent: {
        parameters: {
            query?: never;
            header?: {
                /** @description The `ETag` of the version that you have. The answer is 304 if it is still current. */
                "If-None-Match"?: string;
            };
            path: {
                /** @description The id of the event */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The event */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": "evt_01h455vb4pex5vsknk084sn02q",
                     *       "source": "src_01h455vb4pex5vsknk084sn02q",
                     *       "webhook_id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
                     *       "type": "batch.succeeded",
                     *       "timestamp": "2026-01-22T12:00:00Z",
                     *       "received_at": "2026-01-22T12:00:00Z",
                     *       "scheme": "v1",
                     *       "body_unbound": false,
                     *       "content_encoding": null,
                     *       "user_metadata": {
                     *         "team": "billing"
                     *       },
                     *       "labels": {},
                     *       "filter_errors": [],
                     *       "size_bytes": 158,
                     *       "body_removed_at": null,
                     *       "body_removed_by": null,
                     *       "payload": {
                     *         "type": "batch.succeeded",
                     *         "version": "v1",
                     *         "timestamp": "2026-01-22T12:00:00Z",
                     *         "data": {
                     *           "id": "batch_123456"
                     *         },
                     *         "user_metadata": {
                     *           "team": "billing"
                     *         }
                     *       },
                     *       "deliveries": [
                     *         {
                     *           "id": "dlv_01h455vb4pex5vsknk084sn02q",
                     *           "event": "evt_01h455vb4pex5vsknk084sn02q",
                     *           "event_type": "batch.succeeded",
                     *           "webhook_id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
                     *           "source": "src_01h455vb4pex5vsknk084sn02q",
                     *           "target": "tgt_01h455vb4pex5vsknk084sn02q",
                     *           "status": "succeeded",
                     *           "in_flight": false,
                     *           "worker": null,
                     *           "attempt_count": 1,
                     *           "next_attempt_at": null,
                     *           "deadline_at": "2026-01-22T12:00:00Z",
                     *           "last_status_code": 200,
                     *           "last_error": null,
                     *           "created_at": "2026-01-22T12:00:00Z",
                     *           "finished_at": "2026-01-22T12:00:00Z",
                     *           "attempts": [
                     *             {
                     *               "id": "att_01h455vb4pex5vsknk084sn02q",
                     *               "delivery": "dlv_01h455vb4pex5vsknk084sn02q",
                     *               "event": "evt_01h455vb4pex5vsknk084sn02q",
                     *               "target": "tgt_01h455vb4pex5vsknk084sn02q",
                     *               "source": "src_01h455vb4pex5vsknk084sn02q",
                     *               "event_type": "batch.succeeded",
                     *               "number": 1,
                     *               "trigger": "initial",
                     *               "started_at": "2026-01-22T12:00:00Z",
                     *               "duration_ms": 41.7,
                     *               "status_code": 200,
                     *               "error": null,
                     *               "response_excerpt": "ok",
                     *               "url": "https://billing.internal/webhooks/gemini",
                     *               "address": "10.0.4.17:443",
                     *               "connect_ms": 8.41,
                     *               "first_byte_ms": 39.2,
                     *               "trace_id": "019be5a3c1d07a20b7a1f2c3d4e5f607",
                     *               "request_headers": {
                     *                 "webhook-id": "msg_123",
                     *                 "sluice-attempt": "1",
                     *                 "authorization": "[redacted]"
                     *               },
                     *               "response_headers": {
                     *                 "content-type": "text/plain",
                     *                 "date": "Thu, 22 Jan 2026 12:00:00 GMT"
                     *               }
                     *             }
                     *           ]
                     *         }
                     *       ]
                     *     }
                     */
                    "application/json": components["schemas"]["EventWithDeliveries"];
                };
            };
        };
    };
    getEventBody: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The id of the event */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The body */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/octet-stream": string;
                    /**
                     * @example {
                     *       "type": "batch.succeeded",
                     *       "data": {
                     *         "id": "batch_123456"
                     *       }
                     *     }
                     */
                    "application/json": unknown;
                };
            };
        };
    };
    replayEvent: {
        parameters: {
            query?: never;
            header?: {
                /** @description For 24 hours, a repeated request with this key gets the same answer, and has its effect only once. */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description The id of the event */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                /** @example {} */
                "application/json": components["schemas"]["Replay"];
            };
        };
        responses: {
            /** @description What was done for each target */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "event": "evt_01h455vb4pex5vsknk084sn02q",
                     *       "deliveries": [
                     *         {
                     *           "target": "tgt_01h455vb4pex5vsknk084sn02q",
                     *           "delivery": "dlv_01h455vb4pex5vsknk084sn02q",
                     *           "result": "created"
                     *         }
                     *       ],
                     *       "filter_errors": []
                     *     }
                     */
                    "application/json": components["schemas"]["Replayed"];
                };
            };
        };
    };
    replayEvents: {
        parameters: {
            query?: never;
            header?: {
                /** @description For 24 hours, a repeated request with this key gets the same answer, and has its effect only once. */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "targets": [
                 *         "tgt_01h455vb4pex5vsknk084sn02q"
                 *       ],
                 *       "since": "2026-01-22T00:00:00Z",
                 *       "dry_run": true
                 *     }
                 */
                "application/json": components["schemas"]["ReplayEvents"];
            };
        };
        responses: {
            /** @description After a dry run: what a replay would do now */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "matched": 1,
                     *       "targets": [
                     *         {
                     *           "target": "tgt_01h455vb4pex5vsknk084sn02q",
                     *           "created": 1200,
                     *           "retried": 0,
                     *           "skipped": 0,
                     *           "not_matched": 0,
                     *           "filter_errors": 0,
                     *           "left_out": 0
                     *         }
                     *       ],
                     *       "first_filter_error": null,
                     *       "total": 1200,
                     *       "failed": 0,
                     *       "complete": false
                     *     }
                     */
                    "application/json": components["schemas"]["ReplayPreview"];
                };
            };
            /** @description The operation, which begins in about a second */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": "opr_01h455vb4pex5vsknk084sn02q",
                     *       "kind": "retry_deliveries",
                     *       "state": "running",
                     *       "filter": {
                     *         "target": "tgt_01h455vb4pex5vsknk084sn02q",
                     *         "status": [
                     *           "exhausted"
                     *         ]
                     *       },
                     *       "total": 2000,
                     *       "done": 500,
                     *       "failed": 0,
                     *       "replay": null,
                     *       "error": null,
                     *       "created_at": "2026-01-22T12:00:00Z",
                     *       "created_by": {
                     *         "key": "key_01h455vb4pex5vsknk084sn02q",
                     *         "name": "billing"
                     *       },
                     *       "finished_at": null
                     *     }
                     */
                    "application/json": components["schemas"]["Operation"];
                };
            };
        };
    };
    eraseEvent: {
        parameters: {
            query?: never;
            header?: {
                /** @description For 24 hours, a repeated request with this key gets the same answer, and has its effect only once. */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description The id of the event */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                /** @example {} */
                "application/json": components["schemas"]["Empty"];
            };
        };
        responses: {
            /** @description The event is erased */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "event": "evt_01h455vb4pex5vsknk084sn02q",
                     *       "body_removed_at": "2026-01-22T12:00:00Z",
                     *       "cancelled": 1,
                     *       "in_flight": 0
                     *     }
                     */
                    "application/json": components["schemas"]["ErasedEvent"];
                };
            };
        };
    };
    listDeliveries: {
        parameters: {
            query?: {
                /** @description The largest number of entries in the page */
                limit?: number;
                /** @description The `next_cursor` of the page before; repeat the filters and the order of that page */
                cursor?: string;
                /** @description Which entries come first. With `oldest`, the list can be read on from its end: see `resume_cursor`. An entry that is stored late then comes after newer ones. */
                order?: components["schemas"]["ListOrder"];
                /** @description The start of the time range, included, as RFC 3339. It is compared with the time that a row shows: when it was received, created or started. */
                since?: string;
                /** @description The end of the time range, not included, as RFC 3339. It is compared with the time that a row shows: when it was received, created or started. */
                until?: string;
                /** @description The id or the name of a source */
                source?: string;
                /** @description An event type, or a group of them such as `batch.*`. `batch.completed` and `batch.succeeded` are two names of one type. */
                event_type?: string;
                /** @description The `webhook-id` that the sender set */
                webhook_id?: string;
                /** @description `data.id` of the payload: the Gemini job that the event is about, with or without `batches/` */
                data_id?: string;
                /** @description A label of the callback URL that received the event, as name:value. Repeat the parameter to match all of several values. */
                label?: string[];
                /** @description A top-level key of `user_metadata`, or a key and its value as key=value. The value is compared as text: `n=1` matches the number 1 and the text, and `n=null` the JSON null and the text. Repeat the parameter to match all of several values. */
                user_metadata?: string[];
                /** @description The id of the event */
                event?: string;
                /** @description The id of the target, which may be deleted */
                target?: string;
                /** @description The status code of the attempt, or of the last attempt of a delivery: a code, a class such as `5xx`, or `none` when there was no response. Repeat the parameter to match any of several values. */
                status_code?: string[];
                /** @description A text that the error of the last attempt contains, in upper or lower case */
                error?: string;
                /** @description The least number of attempts */
                min_attempts?: number;
                /** @description The status of the delivery. Repeat the parameter to match any of several values. */
                status?: components["schemas"]["DeliveryStatus"][];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "data": [
                     *         {
                     *           "id": "dlv_01h455vb4pex5vsknk084sn02q",
                     *           "event": "evt_01h455vb4pex5vsknk084sn02q",
                     *           "event_type": "batch.succeeded",
                     *           "webhook_id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
                     *           "source": "src_01h455vb4pex5vsknk084sn02q",
                     *           "target": "tgt_01h455vb4pex5vsknk084sn02q",
                     *           "status": "succeeded",
                     *           "in_flight": false,
                     *           "worker": null,
                     *           "attempt_count": 1,
                     *           "next_attempt_at": null,
                     *           "deadline_at": "2026-01-22T12:00:00Z",
                     *           "last_status_code": 200,
                     *           "last_error": null,
                     *           "created_at": "2026-01-22T12:00:00Z",
                     *           "finished_at": "2026-01-22T12:00:00Z"
                     *         }
                     *       ],
                     *       "next_cursor": null,
                     *       "resume_cursor": null,
                     *       "searched_to": null
                     *     }
                     */
                    "application/json": components["schemas"]["DeliveryPage"];
                };
            };
        };
    };
    getDelivery: {
        parameters: {
            query?: never;
            header?: {
                /** @description The `ETag` of the version that you have. The answer is 304 if it is still current. */
                "If-None-Match"?: string;
            };
            path: {
                /** @description The id of the delivery */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The delivery */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": "dlv_01h455vb4pex5vsknk084sn02q",
                     *       "event": "evt_01h455vb4pex5vsknk084sn02q",
                     *       "event_type": "batch.succeeded",
                     *       "webhook_id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
                     *       "source": "src_01h455vb4pex5vsknk084sn02q",
                     *       "target": "tgt_01h455vb4pex5vsknk084sn02q",
                     *       "status": "succeeded",
                     *       "in_flight": false,
                     *       "worker": null,
                     *       "attempt_count": 1,
                     *       "next_attempt_at": null,
                     *       "deadline_at": "2026-01-22T12:00:00Z",
                     *       "last_status_code": 200,
                     *       "last_error": null,
                     *       "created_at": "2026-01-22T12:00:00Z",
                     *       "finished_at": "2026-01-22T12:00:00Z",
                     *       "attempts": [
                     *         {
                     *           "id": "att_01h455vb4pex5vsknk084sn02q",
                     *           "delivery": "dlv_01h455vb4pex5vsknk084sn02q",
                     *           "event": "evt_01h455vb4pex5vsknk084sn02q",
                     *           "target": "tgt_01h455vb4pex5vsknk084sn02q",
                     *           "source": "src_01h455vb4pex5vsknk084sn02q",
                     *           "event_type": "batch.succeeded",
                     *           "number": 1,
                     *           "trigger": "initial",
                     *           "started_at": "2026-01-22T12:00:00Z",
                     *           "duration_ms": 41.7,
                     *           "status_code": 200,
                     *           "error": null,
                     *           "response_excerpt": "ok",
                     *           "url": "https://billing.internal/webhooks/gemini",
                     *           "address": "10.0.4.17:443",
                     *           "connect_ms": 8.41,
                     *           "first_byte_ms": 39.2,
                     *           "trace_id": "019be5a3c1d07a20b7a1f2c3d4e5f607",
                     *           "request_headers": {
                     *             "webhook-id": "msg_123",
                     *             "sluice-attempt": "1",
                     *             "authorization": "[redacted]"
                     *           },
                     *           "response_headers": {
                     *             "content-type": "text/plain",
                     *             "date": "Thu, 22 Jan 2026 12:00:00 GMT"
                     *           }
                     *         }
                     *       ]
                     *     }
                     */
                    "application/json": components["schemas"]["DeliveryWithAttempts"];
                };
            };
        };
    };
    retryDelivery: {
        parameters: {
            query?: never;
            header?: {
                /** @description For 24 hours, a repeated request with this key gets the same answer, and has its effect only once. */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description The id of the delivery */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                /** @example {} */
                "application/json": components["schemas"]["Empty"];
            };
        };
        responses: {
            /** @description The delivery, due now */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": "dlv_01h455vb4pex5vsknk084sn02q",
                     *       "event": "evt_01h455vb4pex5vsknk084sn02q",
                     *       "event_type": "batch.succeeded",
                     *       "webhook_id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
                     *       "source": "src_01h455vb4pex5vsknk084sn02q",
                     *       "target": "tgt_01h455vb4pex5vsknk084sn02q",
                     *       "status": "succeeded",
                     *       "in_flight": false,
                     *       "worker": null,
                     *       "attempt_count": 1,
                     *       "next_attempt_at": null,
                     *       "deadline_at": "2026-01-22T12:00:00Z",
                     *       "last_status_code": 200,
                     *       "last_error": null,
                     *       "created_at": "2026-01-22T12:00:00Z",
                     *       "finished_at": "2026-01-22T12:00:00Z"
                     *     }
                     */
                    "application/json": components["schemas"]["Delivery"];
                };
            };
        };
    };
    cancelDelivery: {
        parameters: {
            query?: never;
            header?: {
                /** @description For 24 hours, a repeated request with this key gets the same answer, and has its effect only once. */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description The id of the delivery */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                /** @example {} */
                "application/json": components["schemas"]["Empty"];
            };
        };
        responses: {
            /** @description The delivery, cancelled */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": "dlv_01h455vb4pex5vsknk084sn02q",
                     *       "event": "evt_01h455vb4pex5vsknk084sn02q",
                     *       "event_type": "batch.succeeded",
                     *       "webhook_id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
                     *       "source": "src_01h455vb4pex5vsknk084sn02q",
                     *       "target": "tgt_01h455vb4pex5vsknk084sn02q",
                     *       "status": "succeeded",
                     *       "in_flight": false,
                     *       "worker": null,
                     *       "attempt_count": 1,
                     *       "next_attempt_at": null,
                     *       "deadline_at": "2026-01-22T12:00:00Z",
                     *       "last_status_code": 200,
                     *       "last_error": null,
                     *       "created_at": "2026-01-22T12:00:00Z",
                     *       "finished_at": "2026-01-22T12:00:00Z"
                     *     }
                     */
                    "application/json": components["schemas"]["Delivery"];
                };
            };
        };
    };
    retryDeliveries: {
        parameters: {
            query?: never;
            header?: {
                /** @description For 24 hours, a repeated request with this key gets the same answer, and has its effect only once. */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "target": "tgt_01h455vb4pex5vsknk084sn02q",
                 *       "status": [
                 *         "exhausted"
                 *       ],
                 *       "dry_run": true
                 *     }
                 */
                "application/json": components["schemas"]["RetryDeliveries"];
            };
        };
        responses: {
            /** @description After a dry run: how many deliveries match now */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "total": 120,
                     *       "by_status": {
                     *         "pending": 1,
                     *         "succeeded": 1,
                     *         "exhausted": 1,
                     *         "cancelled": 1
                     *       },
                     *       "complete": false
                     *     }
                     */
                    "application/json": components["schemas"]["MatchingDeliveries"];
                };
            };
            /** @description The operation, which begins in about a second */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": "opr_01h455vb4pex5vsknk084sn02q",
                     *       "kind": "retry_deliveries",
                     *       "state": "running",
                     *       "filter": {
                     *         "target": "tgt_01h455vb4pex5vsknk084sn02q",
                     *         "status": [
                     *           "exhausted"
                     *         ]
                     *       },
                     *       "total": 2000,
                     *       "done": 500,
                     *       "failed": 0,
                     *       "replay": null,
                     *       "error": null,
                     *       "created_at": "2026-01-22T12:00:00Z",
                     *       "created_by": {
                     *         "key": "key_01h455vb4pex5vsknk084sn02q",
                     *         "name": "billing"
                     *       },
                     *       "finished_at": null
                     *     }
                     */
                    "application/json": components["schemas"]["Operation"];
                };
            };
        };
    };
    cancelDeliveries: {
        parameters: {
            query?: never;
            header?: {
                /** @description For 24 hours, a repeated request with this key gets the same answer, and has its effect only once. */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "target": "tgt_01h455vb4pex5vsknk084sn02q",
                 *       "dry_run": true
                 *     }
                 */
                "application/json": components["schemas"]["CancelDeliveries"];
            };
        };
        responses: {
            /** @description After a dry run: how many deliveries match now */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "total": 120,
                     *       "by_status": {
                     *         "pending": 1,
                     *         "succeeded": 1,
                     *         "exhausted": 1,
                     *         "cancelled": 1
                     *       },
                     *       "complete": false
                     *     }
                     */
                    "application/json": components["schemas"]["MatchingDeliveries"];
                };
            };
            /** @description The operation, which begins in about a second */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": "opr_01h455vb4pex5vsknk084sn02q",
                     *       "kind": "retry_deliveries",
                     *       "state": "running",
                     *       "filter": {
                     *         "target": "tgt_01h455vb4pex5vsknk084sn02q",
                     *         "status": [
                     *           "exhausted"
                     *         ]
                     *       },
                     *       "total": 2000,
                     *       "done": 500,
                     *       "failed": 0,
                     *       "replay": null,
                     *       "error": null,
                     *       "created_at": "2026-01-22T12:00:00Z",
                     *       "created_by": {
                     *         "key": "key_01h455vb4pex5vsknk084sn02q",
                     *         "name": "billing"
                     *       },
                     *       "finished_at": null
                     *     }
                     */
                    "application/json": components["schemas"]["Operation"];
                };
            };
        };
    };
    listOperations: {
        parameters: {
            query?: {
                /** @description The largest number of entries in the page */
                limit?: number;
                /** @description The `next_cursor` of the page before; repeat the filters and the order of that page */
                cursor?: string;
                /** @description The state of the operation */
                state?: components["schemas"]["OperationState"];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "data": [
                     *         {
                     *           "id": "opr_01h455vb4pex5vsknk084sn02q",
                     *           "kind": "retry_deliveries",
                     *           "state": "running",
                     *           "filter": {
                     *             "target": "tgt_01h455vb4pex5vsknk084sn02q",
                     *             "status": [
                     *               "exhausted"
                     *             ]
                     *           },
                     *           "total": 2000,
                     *           "done": 500,
                     *           "failed": 0,
                     *           "replay": null,
                     *           "error": null,
                     *           "created_at": "2026-01-22T12:00:00Z",
                     *           "created_by": {
                     *             "key": "key_01h455vb4pex5vsknk084sn02q",
                     *             "name": "billing"
                     *           },
                     *           "finished_at": null
                     *         }
                     *       ],
                     *       "next_cursor": null
                     *     }
                     */
                    "application/json": components["schemas"]["OperationPage"];
                };
            };
        };
    };
    getOperation: {
        parameters: {
            query?: never;
            header?: {
                /** @description The `ETag` of the version that you have. The answer is 304 if it is still current. */
                "If-None-Match"?: string;
            };
            path: {
                /** @description The id of the operation */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The operation */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": "opr_01h455vb4pex5vsknk084sn02q",
                     *       "kind": "retry_deliveries",
                     *       "state": "running",
                     *       "filter": {
                     *         "target": "tgt_01h455vb4pex5vsknk084sn02q",
                     *         "status": [
                     *           "exhausted"
                     *         ]
                     *       },
                     *       "total": 2000,
                     *       "done": 500,
                     *       "failed": 0,
                     *       "replay": null,
                     *       "error": null,
                     *       "created_at": "2026-01-22T12:00:00Z",
                     *       "created_by": {
                     *         "key": "key_01h455vb4pex5vsknk084sn02q",
                     *         "name": "billing"
                     *       },
                     *       "finished_at": null
                     *     }
                     */
                    "application/json": components["schemas"]["Operation"];
                };
            };
        };
    };
    cancelOperation: {
        parameters: {
            query?: never;
            header?: {
                /** @description For 24 hours, a repeated request with this key gets the same answer, and has its effect only once. */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description The id of the operation */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                /** @example {} */
                "application/json": components["schemas"]["Empty"];
            };
        };
        responses: {
            /** @description The operation, cancelled */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": "opr_01h455vb4pex5vsknk084sn02q",
                     *       "kind": "retry_deliveries",
                     *       "state": "running",
                     *       "filter": {
                     *         "target": "tgt_01h455vb4pex5vsknk084sn02q",
                     *         "status": [
                     *           "exhausted"
                     *         ]
                     *       },
                     *       "total": 2000,
                     *       "done": 500,
                     *       "failed": 0,
                     *       "replay": null,
                     *       "error": null,
                     *       "created_at": "2026-01-22T12:00:00Z",
                     *       "created_by": {
                     *         "key": "key_01h455vb4pex5vsknk084sn02q",
                     *         "name": "billing"
                     *       },
                     *       "finished_at": null
                     *     }
                     */
                    "application/json": components["schemas"]["Operation"];
                };
            };
        };
    };
    listAttempts: {
        parameters: {
            query?: {
                /** @description The largest number of entries in the page */
                limit?: number;
                /** @description The `next_cursor` of the page before; repeat the filters and the order of that page */
                cursor?: string;
                /** @description Which entries come first. With `oldest`, the list can be read on from its end: see `resume_cursor`. An entry that is stored late then comes after newer ones. */
                order?: components["schemas"]["ListOrder"];
                /** @description The start of the time range, included, as RFC 3339. It is compared with the time that a row shows: when it was received, created or started. */
                since?: string;
                /** @description The end of the time range, not included, as RFC 3339. It is compared with the time that a row shows: when it was received, created or started. */
                until?: string;
                /** @description The id or the name of a source */
                source?: string;
                /** @description An event type, or a group of them such as `batch.*`. `batch.completed` and `batch.succeeded` are two names of one type. */
                event_type?: string;
                /** @description The `webhook-id` that the sender set */
                webhook_id?: string;
                /** @description `data.id` of the payload: the Gemini job that the event is about, with or without `batches/` */
                data_id?: string;
                /** @description A label of the callback URL that received the event, as name:value. Repeat the parameter to match all of several values. */
                label?: string[];
                /** @description A top-level key of `user_metadata`, or a key and its value as key=value. The value is compared as text: `n=1` matches the number 1 and the text, and `n=null` the JSON null and the text. Repeat the parameter to match all of several values. */
                user_metadata?: string[];
                /** @description The id of the event */
                event?: string;
                /** @description The id of the target, which may be deleted */
                target?: string;
                /** @description The status code of the attempt, or of the last attempt of a delivery: a code, a class such as `5xx`, or `none` when there was no response. Repeat the parameter to match any of several values. */
                status_code?: string[];
                /** @description A text that the error of the last attempt contains, in upper or lower case */
                error?: string;
                /** @description The least number of attempts */
                min_attempts?: number;
                /** @description The id of the delivery */
                delivery?: string;
                /** @description Why the attempt was made. Repeat the parameter to match any of several values. */
                trigger?: components["schemas"]["AttemptTrigger"][];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "data": [
                     *         {
                     *           "id": "att_01h455vb4pex5vsknk084sn02q",
                     *           "delivery": "dlv_01h455vb4pex5vsknk084sn02q",
                     *           "event": "evt_01h455vb4pex5vsknk084sn02q",
                     *           "target": "tgt_01h455vb4pex5vsknk084sn02q",
                     *           "source": "src_01h455vb4pex5vsknk084sn02q",
                     *           "event_type": "batch.succeeded",
                     *           "number": 1,
                     *           "trigger": "initial",
                     *           "started_at": "2026-01-22T12:00:00Z",
                     *           "duration_ms": 41.7,
                     *           "status_code": 200,
                     *           "error": null,
                     *           "response_excerpt": "ok",
                     *           "url": "https://billing.internal/webhooks/gemini",
                     *           "address": "10.0.4.17:443",
                     *           "connect_ms": 8.41,
                     *           "first_byte_ms": 39.2,
                     *           "trace_id": "019be5a3c1d07a20b7a1f2c3d4e5f607",
                     *           "request_headers": {
                     *             "webhook-id": "msg_123",
                     *             "sluice-attempt": "1",
                     *             "authorization": "[redacted]"
                     *           },
                     *           "response_headers": {
                     *             "content-type": "text/plain",
                     *             "date": "Thu, 22 Jan 2026 12:00:00 GMT"
                     *           }
                     *         }
                     *       ],
                     *       "next_cursor": null,
                     *       "resume_cursor": null,
                     *       "searched_to": null
                     *     }
                     */
                    "application/json": components["schemas"]["AttemptPage"];
                };
            };
        };
    };
    getAttempt: {
        parameters: {
            query?: never;
            header?: {
                /** @description The `ETag` of the version that you have. The answer is 304 if it is still current. */
                "If-None-Match"?: string;
            };
            path: {
                /** @description The id of the attempt */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The attempt */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": "att_01h455vb4pex5vsknk084sn02q",
                     *       "delivery": "dlv_01h455vb4pex5vsknk084sn02q",
                     *       "event": "evt_01h455vb4pex5vsknk084sn02q",
                     *       "target": "tgt_01h455vb4pex5vsknk084sn02q",
                     *       "source": "src_01h455vb4pex5vsknk084sn02q",
                     *       "event_type": "batch.succeeded",
                     *       "number": 1,
                     *       "trigger": "initial",
                     *       "started_at": "2026-01-22T12:00:00Z",
                     *       "duration_ms": 41.7,
                     *       "status_code": 200,
                     *       "error": null,
                     *       "response_excerpt": "ok",
                     *       "url": "https://billing.internal/webhooks/gemini",
                     *       "address": "10.0.4.17:443",
                     *       "connect_ms": 8.41,
                     *       "first_byte_ms": 39.2,
                     *       "trace_id": "019be5a3c1d07a20b7a1f2c3d4e5f607",
                     *       "request_headers": {
                     *         "webhook-id": "msg_123",
                     *         "sluice-attempt": "1",
                     *         "authorization": "[redacted]"
                     *       },
                     *       "response_headers": {
                     *         "content-type": "text/plain",
                     *         "date": "Thu, 22 Jan 2026 12:00:00 GMT"
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Attempt"];
                };
            };
        };
    };
    listRejections: {
        parameters: {
            query?: {
                /** @description The largest number of entries in the page */
                limit?: number;
                /** @description The `next_cursor` of the page before; repeat the filters and the order of that page */
                cursor?: string;
                /** @description Which entries come first. With `oldest`, the list can be read on from its end: see `resume_cursor`. An entry that is stored late then comes after newer ones. */
                order?: components["schemas"]["ListOrder"];
                /** @description The start of the time range, included, as RFC 3339. It is compared with the time that a row shows: when it was received, created or started. */
                since?: string;
                /** @description The end of the time range, not included, as RFC 3339. It is compared with the time that a row shows: when it was received, created or started. */
                until?: string;
                /** @description The id or the name of a source */
                source?: string;
                /** @description The `webhook-id` that the sender set */
                webhook_id?: string;
                /** @description Why the request was refused. Repeat the parameter to match any of several values. */
                reason?: components["schemas"]["RefusalReason"][];
                /** @description The IP address of the sender */
                remote_address?: string;
                /** @description A text that the detail contains, in upper or lower case */
                error?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "data": [
                     *         {
                     *           "id": "rej_01h455vb4pex5vsknk084sn02q",
                     *           "source": "src_01h455vb4pex5vsknk084sn02q",
                     *           "reason": "signature_mismatch",
                     *           "detail": "No signature matches a secret of the source",
                     *           "webhook_id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
                     *           "remote_address": "192.0.2.1",
                     *           "size_bytes": null,
                     *           "count": 1,
                     *           "created_at": "2026-01-22T12:00:00Z"
                     *         }
                     *       ],
                     *       "next_cursor": null,
                     *       "resume_cursor": null,
                     *       "searched_to": null
                     *     }
                     */
                    "application/json": components["schemas"]["RejectionPage"];
                };
            };
        };
    };
    getRejection: {
        parameters: {
            query?: never;
            header?: {
                /** @description The `ETag` of the version that you have. The answer is 304 if it is still current. */
                "If-None-Match"?: string;
            };
            path: {
                /** @description The id of the rejection */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The rejection */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": "rej_01h455vb4pex5vsknk084sn02q",
                     *       "source": "src_01h455vb4pex5vsknk084sn02q",
                     *       "reason": "signature_mismatch",
                     *       "detail": "No signature matches a secret of the source",
                     *       "webhook_id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
                     *       "remote_address": "192.0.2.1",
                     *       "size_bytes": null,
                     *       "count": 1,
                     *       "created_at": "2026-01-22T12:00:00Z"
                     *     }
                     */
                    "application/json": components["schemas"]["Rejection"];
                };
            };
        };
    };
    listJobs: {
        parameters: {
            query?: {
                /** @description The largest number of entries in the page */
                limit?: number;
                /** @description The `next_cursor` of the page before; repeat the filters and the order of that page */
                cursor?: string;
                /** @description The status of the job. Repeat the parameter to match any of several values. */
                status?: components["schemas"]["JobStatus"][];
                /** @description The kind of the job */
                kind?: components["schemas"]["JobKind"];
                /** @description The id or the name of a source */
                source?: string;
                /** @description The name that Gemini gave to the job: `batches/…`, the id of an interaction, or `models/…/operations/…` of a video */
                name?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "data": [
                     *         {
                     *           "id": "job_01h455vb4pex5vsknk084sn02q",
                     *           "kind": "batch",
                     *           "name": "batches/abc123",
                     *           "source": "src_01h455vb4pex5vsknk084sn02q",
                     *           "status": "waiting",
                     *           "state": "succeeded",
                     *           "labels": {},
                     *           "expected_at": "2026-01-22T12:00:00Z",
                     *           "ended_at": null,
                     *           "event": null,
                     *           "problem": null,
                     *           "checked_at": null,
                     *           "next_check_at": null,
                     *           "created_at": "2026-01-22T12:00:00Z"
                     *         }
                     *       ],
                     *       "next_cursor": null,
                     *       "readers": [
                     *         {
                     *           "sources": [
                     *             "src_01h455vb4pex5vsknk084sn02q"
                     *           ],
                     *           "requests_this_hour": 12,
                     *           "requests_per_hour": 1000,
                     *           "listed_at": null,
                     *           "paused_until": null,
                     *           "problem": null
                     *         }
                     *       ]
                     *     }
                     */
                    "application/json": components["schemas"]["JobPage"];
                };
            };
        };
    };
    createJob: {
        parameters: {
            query?: never;
            header?: {
                /** @description For 24 hours, a repeated request with this key gets the same answer, and has its effect only once. */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "kind": "batch",
                 *       "name": "v1_abc123",
                 *       "source": "gemini",
                 *       "expect_within_seconds": 3600,
                 *       "labels": {
                 *         "job": "nightly-embeddings",
                 *         "customer": "42"
                 *       }
                 *     }
                 */
                "application/json": components["schemas"]["NewJob"];
            };
        };
        responses: {
            /** @description The job, which the relay knew before */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": "job_01h455vb4pex5vsknk084sn02q",
                     *       "kind": "batch",
                     *       "name": "batches/abc123",
                     *       "source": "src_01h455vb4pex5vsknk084sn02q",
                     *       "status": "waiting",
                     *       "state": "succeeded",
                     *       "labels": {},
                     *       "expected_at": "2026-01-22T12:00:00Z",
                     *       "ended_at": null,
                     *       "event": null,
                     *       "problem": null,
                     *       "checked_at": null,
                     *       "next_check_at": null,
                     *       "created_at": "2026-01-22T12:00:00Z"
                     *     }
                     */
                    "application/json": components["schemas"]["Job"];
                };
            };
            /** @description The job */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": "job_01h455vb4pex5vsknk084sn02q",
                     *       "kind": "batch",
                     *       "name": "batches/abc123",
                     *       "source": "src_01h455vb4pex5vsknk084sn02q",
                     *       "status": "waiting",
                     *       "state": "succeeded",
                     *       "labels": {},
                     *       "expected_at": "2026-01-22T12:00:00Z",
                     *       "ended_at": null,
                     *       "event": null,
                     *       "problem": null,
                     *       "checked_at": null,
                     *       "next_check_at": null,
                     *       "created_at": "2026-01-22T12:00:00Z"
                     *     }
                     */
                    "application/json": components["schemas"]["Job"];
                };
            };
        };
    };
    getJob: {
        parameters: {
            query?: never;
            header?: {
                /** @description The `ETag` of the version that you have. The answer is 304 if it is still current. */
                "If-None-Match"?: string;
            };
            path: {
                /** @description The id of the job */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The job */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": "job_01h455vb4pex5vsknk084sn02q",
                     *       "kind": "batch",
                     *       "name": "batches/abc123",
                     *       "source": "src_01h455vb4pex5vsknk084sn02q",
                     *       "status": "waiting",
                     *       "state": "succeeded",
                     *       "labels": {},
                     *       "expected_at": "2026-01-22T12:00:00Z",
                     *       "ended_at": null,
                     *       "event": null,
                     *       "problem": null,
                     *       "checked_at": null,
                     *       "next_check_at": null,
                     *       "created_at": "2026-01-22T12:00:00Z"
                     *     }
                     */
                    "application/json": components["schemas"]["Job"];
                };
            };
        };
    };
    updateJob: {
        parameters: {
            query?: never;
            header?: {
                /** @description The `ETag` of the version that you change. The answer is 412 if it is no longer current. */
                "If-Match"?: string;
            };
            path: {
                /** @description The id of the job */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "name": "v1_abc123"
                 *     }
                 */
                "application/json": components["schemas"]["JobChange"];
            };
        };
        responses: {
            /** @description The job */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": "job_01h455vb4pex5vsknk084sn02q",
                     *       "kind": "batch",
                     *       "name": "batches/abc123",
                     *       "source": "src_01h455vb4pex5vsknk084sn02q",
                     *       "status": "waiting",
                     *       "state": "succeeded",
                     *       "labels": {},
                     *       "expected_at": "2026-01-22T12:00:00Z",
                     *       "ended_at": null,
                     *       "event": null,
                     *       "problem": null,
                     *       "checked_at": null,
                     *       "next_check_at": null,
                     *       "created_at": "2026-01-22T12:00:00Z"
                     *     }
                     */
                    "application/json": components["schemas"]["Job"];
                };
            };
        };
    };
    listKeys: {
        parameters: {
            query?: {
                /** @description The largest number of entries in the page */
                limit?: number;
                /** @description The `next_cursor` of the page before; repeat the filters and the order of that page */
                cursor?: string;
                /** @description Only what has exactly this name */
                name?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "data": [
                     *         {
                     *           "id": "key_01h455vb4pex5vsknk084sn02q",
                     *           "name": "billing",
                     *           "scopes": [
                     *             "read"
                     *           ],
                     *           "truncated_key": "sluice_...mNoP",
                     *           "state": "active",
                     *           "expires_at": null,
                     *           "revoked_at": null,
                     *           "last_used_at": null,
                     *           "managed_by": null,
                     *           "created_at": "2026-01-22T12:00:00Z"
                     *         }
                     *       ],
                     *       "next_cursor": null
                     *     }
                     */
                    "application/json": components["schemas"]["KeyPage"];
                };
            };
        };
    };
    createKey: {
        parameters: {
            query?: never;
            header?: {
                /** @description For 24 hours, a repeated request with this key gets the same answer, and has its effect only once. */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "name": "billing team",
                 *       "scopes": [
                 *         "read"
                 *       ]
                 *     }
                 */
                "application/json": components["schemas"]["NewKey"];
            };
        };
        responses: {
            /** @description The new key */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": "key_01h455vb4pex5vsknk084sn02q",
                     *       "name": "billing",
                     *       "scopes": [
                     *         "read"
                     *       ],
                     *       "truncated_key": "sluice_...mNoP",
                     *       "state": "active",
                     *       "expires_at": null,
                     *       "revoked_at": null,
                     *       "last_used_at": null,
                     *       "managed_by": null,
                     *       "created_at": "2026-01-22T12:00:00Z",
                     *       "key": "sluice_the-43-characters-that-are-shown-only-here"
                     *     }
                     */
                    "application/json": components["schemas"]["CreatedKey"];
                };
            };
        };
    };
    getKeysSelf: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The key */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "name": "billing",
                     *       "scopes": [
                     *         "read"
                     *       ],
                     *       "expires_at": null,
                     *       "id": "key_01h455vb4pex5vsknk084sn02q"
                     *     }
                     */
                    "application/json": components["schemas"]["OwnKey"];
                };
            };
        };
    };
    getKey: {
        parameters: {
            query?: never;
            header?: {
                /** @description The `ETag` of the version that you have. The answer is 304 if it is still current. */
                "If-None-Match"?: string;
            };
            path: {
                /** @description The id of the API key */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The key */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": "key_01h455vb4pex5vsknk084sn02q",
                     *       "name": "billing",
                     *       "scopes": [
                     *         "read"
                     *       ],
                     *       "truncated_key": "sluice_...mNoP",
                     *       "state": "active",
                     *       "expires_at": null,
                     *       "revoked_at": null,
                     *       "last_used_at": null,
                     *       "managed_by": null,
                     *       "created_at": "2026-01-22T12:00:00Z"
                     *     }
                     */
                    "application/json": components["schemas"]["Key"];
                };
            };
        };
    };
    revokeKey: {
        parameters: {
            query?: never;
            header?: {
                /** @description For 24 hours, a repeated request with this key gets the same answer, and has its effect only once. */
                "Idempotency-Key"?: string;
                /** @description `true` also changes what a file of settings manages, until the file is applied again. */
                "Sluice-Force"?: string;
            };
            path: {
                /** @description The id of the API key */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                /** @example {} */
                "application/json": components["schemas"]["Empty"];
            };
        };
        responses: {
            /** @description The key */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": "key_01h455vb4pex5vsknk084sn02q",
                     *       "name": "billing",
                     *       "scopes": [
                     *         "read"
                     *       ],
                     *       "truncated_key": "sluice_...mNoP",
                     *       "state": "active",
                     *       "expires_at": null,
                     *       "revoked_at": null,
                     *       "last_used_at": null,
                     *       "managed_by": null,
                     *       "created_at": "2026-01-22T12:00:00Z"
                     *     }
                     */
                    "application/json": components["schemas"]["Key"];
                };
            };
        };
    };
    listAudit: {
        parameters: {
            query?: {
                /** @description The largest number of entries in the page */
                limit?: number;
                /** @description The `next_cursor` of the page before; repeat the filters and the order of that page */
                cursor?: string;
                /** @description Which entries come first. With `oldest`, the list can be read on from its end: see `resume_cursor`. An entry that is stored late then comes after newer ones. */
                order?: components["schemas"]["ListOrder"];
                /** @description The start of the time range, included, as RFC 3339. It is compared with the time that a row shows: when it was received, created or started. */
                since?: string;
                /** @description The end of the time range, not included, as RFC 3339. It is compared with the time that a row shows: when it was received, created or started. */
                until?: string;
                /** @description The id of an API key, or `environment` for the key from `ADMIN_API_KEY` and for people whom a proxy signed in */
                actor?: string;
                /** @description An action, or a group of them such as `target.*` */
                action?: string;
                /** @description The id of the changed resource */
                resource?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "data": [
                     *         {
                     *           "id": "aud_01h455vb4pex5vsknk084sn02q",
                     *           "created_at": "2026-01-22T12:00:00Z",
                     *           "actor": {
                     *             "key": "key_01h455vb4pex5vsknk084sn02q",
                     *             "name": "billing"
                     *           },
                     *           "action": "target.updated",
                     *           "resource": {
                     *             "type": "target",
                     *             "id": "tgt_01h455vb4pex5vsknk084sn02q"
                     *           },
                     *           "request_id": "0198c5a2-7a3f-7cc1-9d0e-3f6b8f0f7a11",
                     *           "remote_address": "192.0.2.1",
                     *           "before": {
                     *             "state": "enabled"
                     *           },
                     *           "after": {
                     *             "state": "paused"
                     *           }
                     *         }
                     *       ],
                     *       "next_cursor": null,
                     *       "resume_cursor": null,
                     *       "searched_to": null
                     *     }
                     */
                    "application/json": components["schemas"]["AuditPage"];
                };
            };
        };
    };
    getAudit: {
        parameters: {
            query?: never;
            header?: {
                /** @description The `ETag` of the version that you have. The answer is 304 if it is still current. */
                "If-None-Match"?: string;
            };
            path: {
                /** @description The id of the entry */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The entry */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": "aud_01h455vb4pex5vsknk084sn02q",
                     *       "created_at": "2026-01-22T12:00:00Z",
                     *       "actor": {
                     *         "key": "key_01h455vb4pex5vsknk084sn02q",
                     *         "name": "billing"
                     *       },
                     *       "action": "target.updated",
                     *       "resource": {
                     *         "type": "target",
                     *         "id": "tgt_01h455vb4pex5vsknk084sn02q"
                     *       },
                     *       "request_id": "0198c5a2-7a3f-7cc1-9d0e-3f6b8f0f7a11",
                     *       "remote_address": "192.0.2.1",
                     *       "before": {
                     *         "state": "enabled"
                     *       },
                     *       "after": {
                     *         "state": "paused"
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["AuditEntry"];
                };
            };
        };
    };
    listSetAsideEvents: {
        parameters: {
            query?: {
                /** @description The largest number of entries in the page */
                limit?: number;
                /** @description The `next_cursor` of the page before; repeat the filters and the order of that page */
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "data": [
                     *         {
                     *           "id": "redis-42",
                     *           "store": "redis",
                     *           "event": "evt_01h455vb4pex5vsknk084sn02q",
                     *           "source": "src_01h455vb4pex5vsknk084sn02q",
                     *           "webhook_id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
                     *           "received_at": null,
                     *           "failed_at": "2026-01-22T12:00:00Z",
                     *           "error": "invalid byte sequence for encoding",
                     *           "starts": 1,
                     *           "size_bytes": null
                     *         }
                     *       ],
                     *       "next_cursor": null
                     *     }
                     */
                    "application/json": components["schemas"]["SetAsideEventPage"];
                };
            };
        };
    };
    getSetAsideEvent: {
        parameters: {
            query?: never;
            header?: {
                /** @description The `ETag` of the version that you have. The answer is 304 if it is still current. */
                "If-None-Match"?: string;
            };
            path: {
                /** @description The id of the set-aside event */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The event */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": "redis-42",
                     *       "store": "redis",
                     *       "event": "evt_01h455vb4pex5vsknk084sn02q",
                     *       "source": "src_01h455vb4pex5vsknk084sn02q",
                     *       "webhook_id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
                     *       "received_at": null,
                     *       "failed_at": "2026-01-22T12:00:00Z",
                     *       "error": "invalid byte sequence for encoding",
                     *       "starts": 1,
                     *       "size_bytes": null,
                     *       "body": null,
                     *       "job": null
                     *     }
                     */
                    "application/json": components["schemas"]["SetAsideEventWithBody"];
                };
            };
        };
    };
    deleteSetAsideEvent: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The id of the set-aside event */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The discarded event */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": "redis-42",
                     *       "store": "redis",
                     *       "event": "evt_01h455vb4pex5vsknk084sn02q",
                     *       "source": "src_01h455vb4pex5vsknk084sn02q",
                     *       "webhook_id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
                     *       "received_at": null,
                     *       "failed_at": "2026-01-22T12:00:00Z",
                     *       "error": "invalid byte sequence for encoding",
                     *       "starts": 1,
                     *       "size_bytes": null,
                     *       "body": null,
                     *       "job": null
                     *     }
                     */
                    "application/json": components["schemas"]["SetAsideEventWithBody"];
                };
            };
        };
    };
    retrySetAsideEvent: {
        parameters: {
            query?: never;
            header?: {
                /** @description For 24 hours, a repeated request with this key gets the same answer, and has its effect only once. */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description The id of the set-aside event */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                /** @example {} */
                "application/json": components["schemas"]["Empty"];
            };
        };
        responses: {
            /** @description The event as it was set aside */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": "redis-42",
                     *       "store": "redis",
                     *       "event": "evt_01h455vb4pex5vsknk084sn02q",
                     *       "source": "src_01h455vb4pex5vsknk084sn02q",
                     *       "webhook_id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
                     *       "received_at": null,
                     *       "failed_at": "2026-01-22T12:00:00Z",
                     *       "error": "invalid byte sequence for encoding",
                     *       "starts": 1,
                     *       "size_bytes": null
                     *     }
                     */
                    "application/json": components["schemas"]["SetAsideEvent"];
                };
            };
        };
    };
    retrySetAsideEvents: {
        parameters: {
            query?: never;
            header?: {
                /** @description For 24 hours, a repeated request with this key gets the same answer, and has its effect only once. */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                /** @example {} */
                "application/json": components["schemas"]["Empty"];
            };
        };
        responses: {
            /** @description The number of retried events */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "count": 1
                     *     }
                     */
                    "application/json": components["schemas"]["RetriedSetAsideEvents"];
                };
            };
        };
    };
    getStats: {
        parameters: {
            query?: {
                /** @description What each row is counted for. `none`: each interval has one row, for everything. */
                group_by?: components["schemas"]["StatsGroup"];
                /** @description The length of an interval. Days are days of UTC. */
                interval?: components["schemas"]["StatsInterval"];
                /** @description The start of the time range, included, as RFC 3339. It is compared with the time that a row shows: when it was received, created or started. */
                since?: string;
                /** @description The end of the time range, not included, as RFC 3339. It is compared with the time that a row shows: when it was received, created or started. */
                until?: string;
                /** @description The id of the target, which may be deleted */
                target?: string;
                /** @description The id or the name of a source */
                source?: string;
                /** @description An event type, or a group of them such as `batch.*`. `batch.completed` and `batch.succeeded` are two names of one type. */
                event_type?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The figures */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "since": "2026-01-22T12:00:00Z",
                     *       "until": "2026-01-22T13:00:00Z",
                     *       "data": [
                     *         {
                     *           "start": "2026-01-22T12:00:00Z",
                     *           "group": "tgt_01h455vb4pex5vsknk084sn02q",
                     *           "events": null,
                     *           "deliveries": {
                     *             "created": 12,
                     *             "succeeded": 12,
                     *             "exhausted": 0,
                     *             "cancelled": 0,
                     *             "retried": 0
                     *           },
                     *           "attempts": {
                     *             "succeeded": 12,
                     *             "failed": 1
                     *           },
                     *           "latency_ms": {
                     *             "p50": 35.5,
                     *             "p90": 89.1,
                     *             "p99": 223.9
                     *           }
                     *         }
                     *       ],
                     *       "now": {
                     *         "waiting": [
                     *           {
                     *             "target": "tgt_01h455vb4pex5vsknk084sn02q",
                     *             "count": 1,
                     *             "oldest_created_at": "2026-01-22T12:00:00Z"
                     *           }
                     *         ],
                     *         "queue": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Stats"];
                };
            };
        };
    };
    getStatsWaiting: {
        parameters: {
            query?: {
                /** @description The length of an interval. Days are days of UTC. */
                interval?: components["schemas"]["StatsInterval"];
                /** @description The start of the time range, included, as RFC 3339. It is compared with the time that a row shows: when it was received, created or started. */
                since?: string;
                /** @description The end of the time range, not included, as RFC 3339. It is compared with the time that a row shows: when it was received, created or started. */
                until?: string;
                /** @description The id of the target, which may be deleted */
                target?: string;
                /** @description How many targets have rows of their own: those for which most waited in the range */
                targets?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The samples */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "since": "2026-01-22T12:00:00Z",
                     *       "until": "2026-01-22T13:00:00Z",
                     *       "data": [
                     *         {
                     *           "start": "2026-01-22T12:00:00Z",
                     *           "target": "tgt_01h455vb4pex5vsknk084sn02q",
                     *           "waiting": 12.5,
                     *           "oldest_seconds": 340
                     *         }
                     *       ]
                     *     }
                     */
                    "application/json": components["schemas"]["WaitingStats"];
                };
            };
        };
    };
    getStatsRejections: {
        parameters: {
            query?: {
                /** @description The start of the time range, included, as RFC 3339. It is compared with the time that a row shows: when it was received, created or started. */
                since?: string;
                /** @description The end of the time range, not included, as RFC 3339. It is compared with the time that a row shows: when it was received, created or started. */
                until?: string;
                /** @description The id or the name of a source */
                source?: string;
                /** @description The `webhook-id` that the sender set */
                webhook_id?: string;
                /** @description Why the request was refused. Repeat the parameter to match any of several values. */
                reason?: components["schemas"]["RefusalReason"][];
                /** @description The IP address of the sender */
                remote_address?: string;
                /** @description A text that the detail contains, in upper or lower case */
                error?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The counts */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "data": [
                     *         {
                     *           "source": "src_01h455vb4pex5vsknk084sn02q",
                     *           "reason": "signature_mismatch",
                     *           "count": 40,
                     *           "newest_at": "2026-01-22T12:00:00Z"
                     *         }
                     *       ],
                     *       "counted_to": null
                     *     }
                     */
                    "application/json": components["schemas"]["RejectionStats"];
                };
            };
        };
    };
    exportConfiguration: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The configuration */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "sources": [],
                     *       "targets": [],
                     *       "keys": []
                     *     }
                     */
                    "application/json": components["schemas"]["ExportedConfiguration"];
                };
            };
        };
    };
    applyConfiguration: {
        parameters: {
            query?: never;
            header?: {
                /** @description For 24 hours, a repeated request with this key gets the same answer, and has its effect only once. */
                "Idempotency-Key"?: string;
                /** @description `true` also changes what a file of settings manages, until the file is applied again. */
                "Sluice-Force"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "configuration": {
                 *         "managed_by": "sluice.yaml",
                 *         "sources": [],
                 *         "targets": [],
                 *         "keys": []
                 *       }
                 *     }
                 */
                "application/json": components["schemas"]["ConfigurationApplication"];
            };
        };
        responses: {
            /** @description What was changed, or would be */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "managed_by": "sluice.yaml",
                     *       "dry_run": false,
                     *       "changes": [
                     *         {
                     *           "type": "source",
                     *           "name": "billing",
                     *           "action": "create",
                     *           "fields": [],
                     *           "changes_credential": false
                     *         }
                     *       ],
                     *       "unchanged": 1,
                     *       "left": [
                     *         {
                     *           "type": "source",
                     *           "name": "billing"
                     *         }
                     *       ]
                     *     }
                     */
                    "application/json": components["schemas"]["AppliedConfiguration"];
                };
            };
        };
    };
    getTail: {
        parameters: {
            query?: {
                /** @description The id or the name of a source */
                source?: string;
                /** @description An event type, or a group of them such as `batch.*`. `batch.completed` and `batch.succeeded` are two names of one type. */
                event_type?: string;
                /** @description The `webhook-id` that the sender set */
                webhook_id?: string;
                /** @description `data.id` of the payload: the Gemini job that the event is about, with or without `batches/` */
                data_id?: string;
                /** @description A label of the callback URL that received the event, as name:value. Repeat the parameter to match all of several values. */
                label?: string[];
                /** @description A top-level key of `user_metadata`, or a key and its value as key=value. The value is compared as text: `n=1` matches the number 1 and the text, and `n=null` the JSON null and the text. Repeat the parameter to match all of several values. */
                user_metadata?: string[];
                /** @description The id of the event */
                event?: string;
                /** @description The id of the target, which may be deleted */
                target?: string;
                /** @description The status code of the attempt, or of the last attempt of a delivery: a code, a class such as `5xx`, or `none` when there was no response. Repeat the parameter to match any of several values. */
                status_code?: string[];
                /** @description A text that the error of the last attempt contains, in upper or lower case */
                error?: string;
                /** @description The least number of attempts */
                min_attempts?: number;
                /** @description The status that a delivery changed to. Repeat the parameter to match any of several values. */
                status?: components["schemas"]["DeliveryStatus"][];
                /** @description The kind of message. Repeat the parameter to match any of several values. */
                kind?: components["schemas"]["TailKind"][];
                /** @description The `id` of the last message received: the stream continues after it. An `EventSource` that reconnects sends the same as the header `Last-Event-ID`, which takes precedence. */
                last_event_id?: string;
                /**
                 * @description Ends the stream after so many seconds. Without it the stream has no end.
                 * @example 5
                 */
                for_seconds?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A stream of messages. This schema describes each of them. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/event-stream": components["schemas"]["TailMessage"];
                };
            };
        };
    };
    getSystem: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The state of the relay */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "status": "ready",
                     *       "problems": [
                     *         {
                     *           "app": "gateway",
                     *           "check": "redis",
                     *           "problem": "it does not answer",
                     *           "since": null
                     *         }
                     *       ],
                     *       "gateway": {
                     *         "host": "gateway-1",
                     *         "started_at": "2026-01-22T12:00:00Z",
                     *         "public_url": "https://hooks.example.com"
                     *       },
                     *       "versions": {
                     *         "sluice": "0.1.0",
                     *         "commit": "4500d8f",
                     *         "schema": "0041_retention_periods",
                     *         "node": "24.11.0",
                     *         "postgres": "17.6",
                     *         "redis": "Redis 8.2.1"
                     *       },
                     *       "stores": {
                     *         "postgres": {
                     *           "ok": true,
                     *           "problem": null,
                     *           "connections": {
                     *             "used": 38,
                     *             "limit": 97
                     *           },
                     *           "pools": [
                     *             {
                     *               "name": "api",
                     *               "busy": 1,
                     *               "idle": 2,
                     *               "limit": 9,
                     *               "waiting": 0
                     *             }
                     *           ],
                     *           "database_bytes": 734003200
                     *         },
                     *         "redis": {
                     *           "ok": true,
                     *           "problems": [],
                     *           "takes_jobs": false,
                     *           "durable": true,
                     *           "append_only": true,
                     *           "last_write_ok": true,
                     *           "replicas": {
                     *             "required": 0,
                     *             "seen": 0
                     *           },
                     *           "connections": {
                     *             "used": 38,
                     *             "limit": 97
                     *           },
                     *           "used_memory_bytes": 2097152,
                     *           "max_memory_bytes": null
                     *         }
                     *       },
                     *       "queue": {
                     *         "backend": "redis",
                     *         "takes": "redis",
                     *         "waiting_batches": {},
                     *         "set_aside_events": {}
                     *       },
                     *       "workers": 2,
                     *       "deliveries": {
                     *         "waiting": 12,
                     *         "oldest_waiting_seconds": 60
                     *       },
                     *       "targets": {
                     *         "enabled": 7,
                     *         "paused": 0,
                     *         "disabled": 0,
                     *         "disabled_due_to_failed_deliveries": 0,
                     *         "breaker_open": 1
                     *       },
                     *       "retention": {
                     *         "log_days": 30,
                     *         "body_days": null,
                     *         "audit_days": 365,
                     *         "overdue_days": 0,
                     *         "held_days": 0
                     *       },
                     *       "clock": {
                     *         "gateway": "2026-01-22T12:00:00Z",
                     *         "postgres": null,
                     *         "ahead_ms": 1.5,
                     *         "precision_ms": 0.5
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["SystemState"];
                };
            };
        };
    };
    getSystemSettings: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The settings */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "data": [
                     *         {
                     *           "name": "MAX_BODY_BYTES",
                     *           "is_secret": false,
                     *           "is_set": false,
                     *           "value": "1048576"
                     *         }
                     *       ]
                     *     }
                     */
                    "application/json": components["schemas"]["SystemSettings"];
                };
            };
        };
    };
    getSystemLog: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The lines */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "data": [
                     *         {
                     *           "time": "2026-01-22T12:00:00Z",
                     *           "level": "warn",
                     *           "message": "Redis takes no jobs: they go to PostgreSQL",
                     *           "fields": {
                     *             "problems": [
                     *               "it does not answer"
                     *             ]
                     *           }
                     *         }
                     *       ]
                     *     }
                     */
                    "application/json": components["schemas"]["SystemLog"];
                };
            };
        };
    };
    getMetrics: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The metrics */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/plain": string;
                };
            };
        };
    };
    tellTargetFailing: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["TargetFailingEvent"];
            };
        };
        responses: {
            /** @description The target has the event */
            "2XX": {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    tellTargetDisabled: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["TargetDisabledEvent"];
            };
        };
        responses: {
            /** @description The target has the event */
            "2XX": {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    tellTargetRecovered: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["TargetRecoveredEvent"];
            };
        };
        responses: {
            /** @description The target has the event */
            "2XX": {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    tellDeliveriesExhausted: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["DeliveriesExhaustedEvent"];
            };
        };
        responses: {
            /** @description The target has the event */
            "2XX": {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    tellEventSetAside: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["EventSetAsideEvent"];
            };
        };
        responses: {
            /** @description The target has the event */
            "2XX": {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    tellSourceFailing: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["SourceFailingEvent"];
            };
        };
        responses: {
            /** @description The target has the event */
            "2XX": {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    tellSourceDrift: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["SourceDriftEvent"];
            };
        };
        responses: {
            /** @description The target has the event */
            "2XX": {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    tellRelayDegraded: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["RelayDegradedEvent"];
            };
        };
        responses: {
            /** @description The target has the event */
            "2XX": {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    tellRelayRecovered: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["RelayRecoveredEvent"];
            };
        };
        responses: {
            /** @description The target has the event */
            "2XX": {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    tellSecretExpiring: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["SecretExpiringEvent"];
            };
        };
        responses: {
            /** @description The target has the event */
            "2XX": {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    tellJobOverdue: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["JobOverdueEvent"];
            };
        };
        responses: {
            /** @description The target has the event */
            "2XX": {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    tellJobEnded: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["JobEndedEvent"];
            };
        };
        responses: {
            /** @description The target has the event */
            "2XX": {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
}

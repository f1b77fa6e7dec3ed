# This image runs the gateway or the worker. Each app is one file: docs/decisions/0019-apps-run-as-one-file.md says why.

# The version of package.json (a test compares them). compose.pinned.yaml adds the digest.
ARG NODE_IMAGE=node:24.21.0-bookworm-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json pnpm-lock.yaml pnpm-workspace.yaml ./
COPY apps/cli/package.json apps/cli/
COPY apps/console/package.json apps/console/
COPY apps/gateway/package.json apps/gateway/
COPY apps/worker/package.json apps/worker/
COPY packages/attempt/package.json packages/attempt/
COPY packages/client/package.json packages/client/
COPY packages/filter/package.json packages/filter/
COPY packages/gemini/package.json packages/gemini/
COPY packages/queue/package.json packages/queue/
COPY packages/settings-file/package.json packages/settings-file/
COPY packages/shared/package.json packages/shared/
COPY packages/signature/package.json packages/signature/
COPY packages/store/package.json packages/store/
COPY packages/tracing/package.json packages/tracing/
# The version must equal the one in scripts/launch.mjs (a test compares them). The optional packages are installed too,
# because the bundler has one for each platform. The final image contains none of them.
RUN npx --yes pnpm@12.21.0 install --frozen-lockfile --prod
# apps/console/tsconfig.json extends it.
COPY tsconfig.json ./
COPY apps ./apps
COPY packages ./packages
COPY drizzle ./drizzle
COPY scripts ./scripts
# The image has no git: docker build --build-arg SLUICE_COMMIT=$(git rev-parse HEAD). Metrics and logs name it.
ARG SLUICE_COMMIT
RUN node scripts/bundle.ts

FROM ${NODE_IMAGE}
# These settings save a hundred megabytes in each app. Without them, V8 keeps a large young generation that is mostly
# garbage, and glibc keeps a heap for each thread. They must equal those in scripts/relay/app-process.ts.
ENV NODE_ENV=production NODE_COMPILE_CACHE=/app/.compile-cache NODE_OPTIONS=--max-semi-space-size=8 MALLOC_ARENA_MAX=1
WORKDIR /app
COPY --from=build /app/dist ./
# `docker compose exec gateway sluice …`
RUN printf '#!/bin/sh\nexec node /app/sluice.mjs "$@"\n' > /usr/local/bin/sluice && chmod 755 /usr/local/bin/sluice
# A new volume takes over the owner and the mode of the directory where it is mounted. Redis reads its volume as another
# user.
RUN install -d -o node -g node .compile-cache \
  && install -d -o node -g node -m 700 /var/lib/sluice /var/lib/sluice-gateway \
  && cd /var/lib && install -d -o node -g node -m 700 sluice-readers sluice-readers/gateway sluice-readers/worker \
    sluice-readers/migrate sluice-readers/postgres \
  && install -d -o node -g node -m 711 sluice-readers/redis sluice-readers/prometheus
USER node
# Fill the compile cache: each app is loaded, and then ends because it has no configuration. The cache belongs to one user,
# so this step runs as `node`. Later the cache is only read, because the root file system is read-only.
RUN for app in gateway worker sluice; do node $app.mjs >/dev/null 2>&1 || true; done && test -n "$(ls .compile-cache/*)"
ENV DATA_DIR=/var/lib/sluice
VOLUME /var/lib/sluice
# What the image is. These lines are last, because each commit changes them.
ARG SLUICE_VERSION
ARG SLUICE_COMMIT
LABEL org.opencontainers.image.title="Sluice" \
  org.opencontainers.image.description="A self-hosted webhook relay for the Gemini API" \
  org.opencontainers.image.licenses="MIT" \
  org.opencontainers.image.version="${SLUICE_VERSION}" \
  org.opencontainers.image.revision="${SLUICE_COMMIT}"
CMD ["node", "gateway.mjs"]

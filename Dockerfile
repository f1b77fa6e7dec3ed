# One image for gateway and worker, each bundled into one file: docs/decisions/0019-apps-run-as-one-file.md says why.

FROM node:24-slim AS build
WORKDIR /app
COPY package.json pnpm-lock.yaml pnpm-workspace.yaml ./
COPY apps/gateway/package.json apps/gateway/
COPY apps/worker/package.json apps/worker/
COPY packages/filter/package.json packages/filter/
COPY packages/queue/package.json packages/queue/
COPY packages/shared/package.json packages/shared/
COPY packages/signature/package.json packages/signature/
COPY packages/store/package.json packages/store/
# Keep the version equal to the one in scripts/launch.mjs (a test compares them). Optional packages too, because the bundler
# is one for each platform; none of them is in the image.
RUN npx --yes pnpm@12.21.0 install --frozen-lockfile --prod
COPY apps ./apps
COPY packages ./packages
COPY drizzle ./drizzle
COPY scripts ./scripts
RUN node scripts/bundle.ts

FROM node:24-slim
# A hundred megabytes less for each app: V8 would rather have a young generation that is mostly garbage, and glibc a heap
# for each thread, and both are as fast with these (keep them equal to those in scripts/relay/app-process.ts).
ENV NODE_ENV=production NODE_COMPILE_CACHE=/app/.compile-cache NODE_OPTIONS=--max-semi-space-size=8 MALLOC_ARENA_MAX=1
WORKDIR /app
COPY --from=build /app/dist ./
RUN install -d -o node -g node .compile-cache && install -d -o node -g node -m 700 /var/lib/sluice /var/lib/sluice-gateway
USER node
# Fills the compile cache, which belongs to one user: each app is loaded and then misses its configuration. It is only read
# later, from a root file system that is read-only.
RUN for app in gateway worker; do node $app.mjs >/dev/null 2>&1 || true; done && test -n "$(ls .compile-cache/*)"
ENV DATA_DIR=/var/lib/sluice
VOLUME /var/lib/sluice
CMD ["node", "gateway.mjs"]

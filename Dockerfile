# One image for every process of Bidmesh; the argument chooses:
#
#   docker build -t bidmesh .
#   docker run --rm bidmesh --help
#
# Sources run as they are, on the Node that the lock file names, so what was tested is what runs. The run-time base
# brings a C and C++ library, certificates and nothing else: no shell, no package manager, no second Node.
#
# For live updates (Tilt) there is `--target dev`, see the end.
ARG BUILD_BASE=node:26-trixie-slim
ARG BASE=gcr.io/distroless/cc-debian13:nonroot

# --- what both builds begin with
FROM ${BUILD_BASE} AS manifests
WORKDIR /app
COPY package.json package-lock.json .npmrc tsconfig.json ./
COPY gen/package.json gen/
COPY packages/auction/package.json packages/auction/
COPY packages/client/package.json packages/client/
COPY packages/events/package.json packages/events/
COPY packages/platform/package.json packages/platform/
COPY services/bid/package.json services/bid/
COPY services/outbox-worker/package.json services/outbox-worker/
COPY services/stats/package.json services/stats/
COPY services/live/package.json services/live/
COPY services/web/package.json services/web/
COPY services/dev-issuer/package.json services/dev-issuer/
COPY image/package.json image/

# --- the web app, as files
FROM manifests AS web
COPY web/package.json web/
RUN npm ci -w web --no-audit --no-fund --loglevel=error
COPY gen gen
COPY packages/client packages/client
COPY web web
RUN npm run build -w web

# --- the processes: what they import and no more, a list of it, and Node
FROM manifests AS app
RUN npm ci -w image --include-workspace-root --omit=dev --no-audit --no-fund --loglevel=error \
 # npm sbom 11 takes what --omit=dev left out for missing.
 && npm pkg delete devDependencies --workspaces --include-workspace-root \
 && npm sbom --sbom-format=spdx >sbom.spdx.json
# Node without its symbols, and with the one library that bases lack. Then without what only compilers and debuggers
# read: together a fifth of the image.
RUN apt-get update && apt-get install -y --no-install-recommends binutils libatomic1 \
 && mkdir -p /opt/node/bin /opt/node/lib \
 && strip -o /opt/node/bin/node node_modules/node-linux-*/bin/node \
 && cp -L /usr/lib/*/libatomic.so.1 /opt/node/lib/ \
 && rm -rf node_modules/node-linux-* node_modules/.bin/node /var/lib/apt/lists/* \
 && find node_modules -type f \( -name '*.map' -o -name '*.d.ts' -o -name '*.d.cts' -o -name '*.d.mts' \) -delete
COPY gen gen
COPY packages packages
COPY services services
COPY image image
COPY --from=web /app/web/dist web/dist

# --- for development: the same, but the process may write its files and starts anew when a source changes
# (image/src/dev-main.ts). Its base has the programs that put files into a running container (sh, tar), which
# production has not. Copy a changed file to its place under /app, such as services/bid/src/lane.ts; nothing has to
# be run. It needs a root file system that can be written to, and one replica.
FROM ${BUILD_BASE} AS dev
WORKDIR /app
COPY --from=app /opt/node /opt/node
COPY --from=app --chown=65532:65532 /app /app
ENV NODE_ENV=production PATH=/opt/node/bin:$PATH LD_LIBRARY_PATH=/opt/node/lib
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["node", "image/src/dev-main.ts"]

# --- what runs in production
FROM ${BASE}
ARG VERSION=0.1.0 REVISION= CREATED=
LABEL org.opencontainers.image.title="Bidmesh" \
      org.opencontainers.image.description="Auction bidding platform: every process, chosen by the argument" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
WORKDIR /app
COPY --from=app /opt/node /opt/node
COPY --from=app /app /app
ENV NODE_ENV=production PATH=/opt/node/bin:$PATH LD_LIBRARY_PATH=/opt/node/lib
# Nobody in particular, by number: Kubernetes cannot tell that a name is not root.
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["node", "image/src/main.ts"]
CMD ["--help"]

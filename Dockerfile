# The operator's image:
#
#   docker build -t foresail/operator:0.1.0 .
#
# With provenance and a bill of materials (BuildKit):  docker buildx build --sbom=true --provenance=true …
# Pin the two bases by digest in production builds:     --build-arg NODE_IMAGE=… --build-arg BASE_IMAGE=…
ARG NODE_IMAGE=node:24-bookworm-slim
# Any glibc image with libstdc++, libgcc and CA certificates for nothing: Node brings its own. util-linux (prlimit,
# unshare) puts two more walls around models that are not the one in the box.
ARG BASE_IMAGE=debian:bookworm-slim

FROM ${NODE_IMAGE} AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# No package runs code at install time (.npmrc); ONNX Runtime brings libraries for every platform, one is used.
RUN npm install --omit=dev --no-save --no-audit --no-fund \
 && find node_modules/onnxruntime-node/bin -mindepth 2 -maxdepth 2 ! -name linux -exec rm -rf {} + \
 && find node_modules/onnxruntime-node/bin/*/linux -mindepth 1 -maxdepth 1 ! -name x64 -exec rm -rf {} + \
 && test -f node_modules/onnxruntime-node/bin/napi-v6/linux/x64/onnxruntime_binding.node

FROM ${BASE_IMAGE}
LABEL org.opencontainers.image.title="Foresail operator" \
      org.opencontainers.image.description="Forecasts load and scales Kubernetes workloads before it arrives." \
      org.opencontainers.image.licenses="Apache-2.0"
WORKDIR /app
# Node alone: no npm, no compiler, no package manager of ours in the final stage.
COPY --from=dependencies /usr/local/bin/node /usr/local/bin/node
COPY --from=dependencies /app/node_modules node_modules
COPY package.json LICENSE ./
COPY models/loadcast models/loadcast
COPY operator operator
ENV NODE_ENV=production \
    NODE_OPTIONS=--disable-warning=ExperimentalWarning
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["node", "operator/main.ts"]

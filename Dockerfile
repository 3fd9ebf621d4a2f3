# The operator's image, which also serves models by CPU:
#
#   docker build -t foresail/operator:0.1.0 .
#
# With ONNX Runtime's CUDA and TensorRT providers, for pods that serve models by GPU:
#
#   docker build --target cuda -t foresail/operator:0.1.0-cuda .
#
# With provenance and a bill of materials (BuildKit):  docker buildx build --sbom=true --provenance=true …
# Pin the two bases by digest in production builds:     --build-arg NODE_IMAGE=… --build-arg BASE_IMAGE=…
ARG NODE_IMAGE=node:24-bookworm-slim
# Any glibc image with libstdc++, libgcc and CA certificates for nothing: Node brings its own. util-linux (prlimit,
# unshare) puts two more walls around models that are not the one in the box.
ARG BASE_IMAGE=debian:bookworm-slim
# What ONNX Runtime's CUDA provider loads: CUDA with cuBLAS, cuFFT, cuRAND, and cuDNN, of the versions that the provider
# was built for (the build below fails where they differ). TensorRT on top of that, only where models ask for it. The
# driver, libcuda.so.1, comes from the node.
ARG CUDA_IMAGE=nvidia/cuda:12.9.1-cudnn-runtime-ubuntu24.04

FROM ${NODE_IMAGE} AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# No package runs code at install time (.npmrc); ONNX Runtime brings libraries for every platform, one is used.
RUN npm install --omit=dev --no-save --no-audit --no-fund \
 && find node_modules/onnxruntime-node/bin -mindepth 2 -maxdepth 2 ! -name linux -exec rm -rf {} + \
 && find node_modules/onnxruntime-node/bin/*/linux -mindepth 1 -maxdepth 1 ! -name x64 -exec rm -rf {} + \
 && test -f node_modules/onnxruntime-node/bin/napi-v6/linux/x64/onnxruntime_binding.node

# The providers are too large for npm; the package's own script fetches them, for the version that it is.
FROM dependencies AS cuda-dependencies
RUN ONNXRUNTIME_NODE_INSTALL=true node node_modules/onnxruntime-node/script/install.js \
 && test -f node_modules/onnxruntime-node/bin/napi-v6/linux/x64/libonnxruntime_providers_cuda.so

FROM ${CUDA_IMAGE} AS cuda
WORKDIR /app
COPY --from=cuda-dependencies /usr/local/bin/node /usr/local/bin/node
COPY --from=cuda-dependencies /app/node_modules node_modules
COPY package.json LICENSE ./
COPY models/loadcast models/loadcast
COPY operator operator
RUN missing=$(ldd node_modules/onnxruntime-node/bin/napi-v6/linux/x64/libonnxruntime_providers_cuda.so \
      | grep 'not found' | grep -v 'libcuda\.so\.1'); \
    test -z "$missing" || { echo "CUDA_IMAGE lacks what the provider loads:"; echo "$missing"; exit 1; }
ENV NODE_ENV=production \
    NODE_OPTIONS=--disable-warning=ExperimentalWarning
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["node", "operator/main.ts"]

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

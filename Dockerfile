# Two images, `--target worker` and `--target edge`, from one base: anything of Debian's kind with
# Python 3.11 or newer, its venv module and ca-certificates.
#
#   MODEL_PACK      the pack to bake in, from deploy/models or else downloaded; empty: none, a worker
#                   downloads it when it starts
#   EMOTION_ENGINE  `tensorflow` installs TensorFlow; `onnx` and `off` do without
#
# Packages come from PyPI, or from where the build's secrets say: `pip.conf` and `uv.toml` (another
# index), `ca.pem` (the authorities to trust). All are checked against the hashes of uv.lock.
ARG BASE_IMAGE=docker.io/library/python:3.11-slim-bookworm

# --- uv, and what the lock says ----------------------------------------------------------------
FROM ${BASE_IMAGE} AS build
ARG UV_VERSION=0.13.9
RUN --mount=type=secret,id=pip.conf,target=/etc/pip.conf \
    --mount=type=secret,id=ca.pem,target=/etc/ssl/certs/ca-certificates.crt \
    python3 -m venv /opt/uv \
    && /opt/uv/bin/pip install --no-cache-dir --disable-pip-version-check "uv==${UV_VERSION}" \
    && ln -s /opt/uv/bin/uv /usr/local/bin/uv
ENV UV_CACHE_DIR=/var/cache/uv \
    UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy \
    UV_PYTHON_DOWNLOADS=never \
    UV_SYSTEM_CERTS=1
WORKDIR /src
COPY pyproject.toml uv.lock README.md LICENSE ./

FROM build AS wheel
COPY schemas schemas
COPY stream stream
COPY http_edge http_edge
COPY cli cli
COPY benchmarks benchmarks
RUN --mount=type=secret,id=uv.toml,target=/etc/uv/uv.toml \
    --mount=type=secret,id=ca.pem,target=/etc/ssl/certs/ca-certificates.crt \
    uv build --wheel --out-dir /wheel

# --- the worker's packages: only wheels, so that no stage needs a compiler ---------------------
FROM build AS worker-packages
ARG EMOTION_ENGINE=onnx
RUN --mount=type=secret,id=uv.toml,target=/etc/uv/uv.toml \
    --mount=type=secret,id=ca.pem,target=/etc/ssl/certs/ca-certificates.crt \
    --mount=type=cache,target=/var/cache/uv \
    if [ "$EMOTION_ENGINE" = tensorflow ]; then extra="--extra tensorflow"; fi \
    && uv export --locked --no-dev --no-emit-project --no-config ${extra:-} --quiet -o /worker.txt \
    && uv venv --no-config /opt/facestream \
    && uv pip install --python /opt/facestream --require-hashes --no-build -r /worker.txt
RUN --mount=type=bind,from=wheel,source=/wheel,target=/wheel \
    uv pip install --python /opt/facestream --no-deps --offline /wheel/*.whl

# --- the edge's: it decodes and computes nothing, so that nothing for that is in its image -----
FROM build AS edge-packages
RUN --mount=type=secret,id=uv.toml,target=/etc/uv/uv.toml \
    --mount=type=secret,id=ca.pem,target=/etc/ssl/certs/ca-certificates.crt \
    --mount=type=cache,target=/var/cache/uv \
    uv export --locked --no-dev --no-emit-project --no-config --quiet -o /edge.txt \
        --prune deepface --prune faust-streaming --prune insightface --prune onnx \
        --prune onnxruntime --prune opencv-python-headless --prune pillow --prune scikit-image \
        --prune werkzeug \
    && uv venv --no-config /opt/facestream \
    && uv pip install --python /opt/facestream --require-hashes --no-build -r /edge.txt
RUN --mount=type=bind,from=wheel,source=/wheel,target=/wheel \
    uv pip install --python /opt/facestream --no-deps --offline /wheel/*.whl

# --- models to bake in -------------------------------------------------------------------------
FROM build AS models
ARG MODEL_PACK=
ARG EMOTION_ENGINE=onnx
COPY deploy/models/ /opt/models/
RUN --mount=type=bind,from=worker-packages,source=/opt/facestream,target=/opt/facestream \
    --mount=type=secret,id=ca.pem,target=/etc/ssl/certs/ca-certificates.crt \
    if [ -n "$MODEL_PACK" ]; then HOME=/opt/models /opt/facestream/bin/facestream models --download; fi

# --- what both images are ----------------------------------------------------------------------
FROM ${BASE_IMAGE} AS runtime
RUN groupadd --gid 10001 facestream \
    && useradd --uid 10001 --gid 10001 --no-log-init --create-home \
        --home-dir /var/lib/facestream --shell /usr/sbin/nologin facestream
ENV PATH=/opt/facestream/bin:$PATH \
    HOME=/var/lib/facestream \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 10001:10001
# The root may be read-only. Written to are the home (models that are downloaded, ./blobs) and /tmp.
WORKDIR /var/lib/facestream
VOLUME ["/var/lib/facestream"]
ENTRYPOINT ["facestream"]

FROM runtime AS edge
LABEL org.opencontainers.image.title="facestream-edge" \
      org.opencontainers.image.description="The HTTP API in front of the stream" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=edge-packages /opt/facestream /opt/facestream
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s CMD ["facestream", "health", "edge"]
CMD ["edge"]

FROM runtime AS worker
ARG MODEL_PACK=
ARG EMOTION_ENGINE=onnx
ARG BAKED=${MODEL_PACK:+/opt/models}
LABEL org.opencontainers.image.title="facestream-worker" \
      org.opencontainers.image.description="Worker processes: images in, faces out, over Kafka" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=worker-packages /opt/facestream /opt/facestream
COPY --from=models /opt/models /opt/models
ENV METRICS_PORT=9100 \
    MODEL_PACK=${MODEL_PACK:-buffalo_l} \
    MODEL_ROOT=/opt/models/.insightface \
    EMOTION_ENGINE=${EMOTION_ENGINE} \
    DEEPFACE_HOME=${BAKED:-/var/lib/facestream}
EXPOSE 9100
HEALTHCHECK --interval=30s --timeout=10s --start-period=120s CMD ["facestream", "health", "worker"]
CMD ["worker"]

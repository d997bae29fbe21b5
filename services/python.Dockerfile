# gateway, game-engine and analytics: SERVICE says which one of `services/*/requirements.lock`.
ARG PYTHON_IMAGE=python:3.12.14-slim-bookworm@sha256:782412e85d0f0984994c290652577d4018aff08145c85b262bb63dc0c7522254

FROM ${PYTHON_IMAGE} AS build
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
# For packages such as psutil that have no wheel for this platform; the compiler stays in this stage.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/* \
    && python3 -m venv --without-pip /opt/venv
ARG SERVICE
COPY services/${SERVICE}/requirements.lock /build/
RUN --mount=type=cache,target=/root/.cache/pip \
    pip --python /opt/venv install --require-hashes --requirement /build/requirements.lock
COPY services/observability/observability /app/observability
COPY services/${SERVICE}/${SERVICE} /app/${SERVICE}
RUN /opt/venv/bin/python -m compileall -q /app

FROM ${PYTHON_IMAGE}
ARG SERVICE
RUN useradd --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin service
COPY services/healthy /usr/local/bin/
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONPATH=/app \
    PYTHONUNBUFFERED=1 \
    SERVICE=${SERVICE}
WORKDIR /app
USER 10001:10001
# The shell gives way to Python, which so hears SIGTERM.
CMD ["sh", "-c", "exec python -m \"$SERVICE\""]

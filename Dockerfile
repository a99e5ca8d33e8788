# One image for every role: docker run IMAGE [run|engine|feeder|gateway|archiver|bridge|replay|record|watch|check|price] ...
FROM python:3.13-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
# For the loops in C; without them everything works, a gateway slower.
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
RUN python -m venv /opt/oddsengine
COPY requirements/run.txt requirements/run.txt
RUN /opt/oddsengine/bin/pip install --require-hashes -r requirements/run.txt
COPY pyproject.toml hatch_build.py README.md LICENSE ./
COPY config config
COPY feeds feeds
COPY packages packages
COPY oddsengine oddsengine
RUN /opt/oddsengine/bin/pip install --no-deps . && /opt/oddsengine/bin/pip uninstall -q -y pip

FROM python:3.13-slim
RUN groupadd --gid 10001 odds && useradd --uid 10001 --gid 10001 --create-home odds
COPY --from=build /opt/oddsengine /opt/oddsengine
ENV PATH=/opt/oddsengine/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
# By number: Kubernetes can't tell from a name that it is not root.
USER 10001:10001
WORKDIR /home/odds
EXPOSE 8080
# Asks every process of the container, whatever its role, its port and its certificate are.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
  CMD ["oddsengine", "health"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["oddsengine"]
CMD ["run", "--host", "0.0.0.0"]

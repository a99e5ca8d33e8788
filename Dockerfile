# One image for every role: docker run IMAGE [run|engine|feeder|gateway|bridge|replay|record|watch|check|price] ...
FROM python:3.13-slim AS build
WORKDIR /src
# for the loops in C; without them everything works, a gateway slower
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
COPY requirements/run.txt requirements/run.txt
RUN python -m venv /opt/oddsengine && /opt/oddsengine/bin/pip install --no-cache-dir -r requirements/run.txt
COPY pyproject.toml hatch_build.py README.md LICENSE ./
COPY config config
COPY feeds feeds
COPY packages packages
COPY oddsengine oddsengine
RUN /opt/oddsengine/bin/pip install --no-cache-dir --no-deps .

FROM python:3.13-slim
RUN useradd --system --create-home --uid 10001 odds
COPY --from=build /opt/oddsengine /opt/oddsengine
ENV PATH=/opt/oddsengine/bin:$PATH PYTHONUNBUFFERED=1
USER odds
WORKDIR /home/odds
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
  CMD ["oddsengine", "health"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["oddsengine"]
CMD ["run", "--host", "0.0.0.0"]

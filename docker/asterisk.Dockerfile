# Only for a machine that has no Asterisk >= 20 and no Debian mirror: `make install` builds this and unpacks it.
FROM debian:forky-slim
RUN apt-get update && apt-get install -y --no-install-recommends asterisk asterisk-core-sounds-en-gsm \
    && rm -rf /var/lib/apt/lists/*

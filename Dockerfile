# Two stages on one Debian: `docker build .`, or with --build-arg DEBIAN=trixie-slim.
ARG DEBIAN=bookworm-slim

FROM debian:${DEBIAN} AS build
WORKDIR /src
# The packages alone first: this layer stays while only sources change.
COPY run ./
RUN ./run packages base
COPY . .
RUN ./run build release programs \
 && strip --strip-debug build/release/bin/* \
 && tools/runtime_packages.sh build/release/bin/* > build/release/packages.txt

FROM debian:${DEBIAN}
COPY --from=build /src/build/release/packages.txt /tmp/packages.txt
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $(cat /tmp/packages.txt) \
      mosquitto mosquitto-clients python3 python3-confluent-kafka kcat \
 && rm -rf /var/lib/apt/lists/* /tmp/packages.txt \
 && useradd --system --uid 900 --home-dir /data edgelog \
 && install -d -o edgelog -g edgelog /data /secrets
COPY --from=build /src/build/release/bin/ /usr/local/bin/
COPY deploy/ /opt/edgelog/deploy/
COPY examples/ /opt/edgelog/examples/
COPY firmware-sim/profiles/ /opt/edgelog/profiles/
COPY edge-agent/mappings/ /opt/edgelog/mappings/
USER edgelog
WORKDIR /data

# Builds the shipped folder, then copies it into a small image that runs as nobody in particular.
FROM rust:1.95-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends nodejs npm && rustup target add wasm32-unknown-unknown
WORKDIR /src
COPY . .
RUN cargo xtask build --release

FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/* \
    && useradd --system --home-dir /data tern && install -d -o tern -g tern -m 0700 /data
COPY --from=build /src/target/tern-release /opt/tern
USER tern
ENV TERN_LISTEN=0.0.0.0:3000 TERN_DATA_DIR=/data MALLOC_ARENA_MAX=2
VOLUME /data
EXPOSE 3000
HEALTHCHECK CMD ["/opt/tern/tern", "healthcheck"]
ENTRYPOINT ["/opt/tern/tern"]
CMD ["serve"]

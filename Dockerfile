# docker build -t elbow .
# docker run --network host -v "$PWD/site.toml:/etc/elbow/elbow.toml:ro" elbow
#
# It needs nothing else: add `--read-only --cap-drop ALL --security-opt no-new-privileges` if you like.
ARG RUST_IMAGE=rust:1-bookworm
ARG RUNTIME_IMAGE=debian:bookworm-slim

FROM ${RUST_IMAGE} AS build
# "quick" compiles in a third of the time to a program that is nearly as fast.
ARG PROFILE=release
WORKDIR /elbow
COPY . .
# The caches make the next build quick; the program is taken out of them, for they are no part of the image.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/elbow/target \
    cargo build --profile ${PROFILE} --locked --bin elbow \
    && cp target/${PROFILE}/elbow /usr/local/bin/elbow

FROM ${RUNTIME_IMAGE} AS settings
# A number, so that Kubernetes' runAsNonRoot can tell. Docker lets it open ports below 1024 all the same.
USER 65532:65532
STOPSIGNAL SIGTERM
# Asks 127.0.0.1:9900: where [admin] names another address, give --health-cmd "elbow status --admin ADDRESS".
HEALTHCHECK --interval=10s --timeout=5s --start-period=5s CMD ["elbow", "status"]
ENTRYPOINT ["elbow"]
CMD ["run", "--config", "/etc/elbow/elbow.toml"]

# docker build --target prebuilt -f Dockerfile FOLDER: a program that is built already, as FOLDER/elbow.
FROM settings AS prebuilt
COPY elbow /usr/local/bin/elbow

FROM settings AS runtime
COPY --from=build /usr/local/bin/elbow /usr/local/bin/elbow
# Whom the directories of ACME authorities have their certificates from.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt

# The images of both programs, for BuildKit; README.md says how to build them.
# What is in them, hack/image says. Whoever wants the builder fixed to a digest
# gives it: --build-arg GO=golang:1.26.8-trixie@sha256:...
ARG GO=golang:1.26.8-trixie

# .git comes along, since the go command reads the commit from it.
FROM --platform=$BUILDPLATFORM $GO AS source
WORKDIR /src
COPY . .

FROM source AS operator-rootfs
ARG TARGETARCH
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    go -C hack/image run . rootfs --architecture $TARGETARCH operator /rootfs/operator

FROM source AS authserver-rootfs
ARG TARGETARCH
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    go -C hack/image run . rootfs --architecture $TARGETARCH authserver /rootfs/authserver

FROM scratch AS operator
ARG VERSION
ARG REVISION
LABEL org.opencontainers.image.title="operator" \
      org.opencontainers.image.description="Registers FAPIApplications at an authorization server, and refuses those that are not FAPI" \
      org.opencontainers.image.source="https://github.com/fapi-operator/fapi-operator" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
COPY --from=operator-rootfs /rootfs/operator/ /
WORKDIR /
USER 65532:65532
ENTRYPOINT ["/operator"]

FROM scratch AS authserver
ARG VERSION
ARG REVISION
LABEL org.opencontainers.image.title="authserver" \
      org.opencontainers.image.description="FAPI 2.0 authorization server" \
      org.opencontainers.image.source="https://github.com/fapi-operator/fapi-operator" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
COPY --from=authserver-rootfs /rootfs/authserver/ /
WORKDIR /
USER 65532:65532
ENTRYPOINT ["/authserver"]

# facilityd in an image of its binary, certificates and an empty /data, as a user
# without rights.
#
#   docker build -t facilityd .
#   docker run -p 8080:8080 -v facilityd:/data -v ./facilityd.yaml:/etc/facilityd/facilityd.yaml:ro \
#     facilityd run --config /etc/facilityd/facilityd.yaml
#
# Beyond loopback nothing is served without a token: make one per person with
#   docker exec CONTAINER /facilityd person add …
# Without a broker in the settings the embedded one runs; for devices to reach it,
# let it listen beyond the container's loopback, which takes a user and a password:
#   -p 1883:1883 -e FACILITYD_EMBEDDED_BROKER_LISTEN=0.0.0.0:1883 \
#   -e FACILITYD_EMBEDDED_BROKER_USER=… -e FACILITYD_EMBEDDED_BROKER_PASSWORD=…

FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY cmd ./cmd
COPY configs ./configs
COPY devices ./devices
COPY rules ./rules
COPY ticketing ./ticketing
ARG VERSION=development
RUN CGO_ENABLED=0 go build -trimpath -ldflags="-s -w -X main.version=${VERSION}" -o /out/facilityd ./cmd/facilityd
RUN mkdir -p /out/root/data /out/root/tmp /out/root/etc/ssl/certs \
 && cp /etc/ssl/certs/ca-certificates.crt /out/root/etc/ssl/certs/ \
 && echo 'facilityd:x:65532:65532::/data:/sbin/nologin' > /out/root/etc/passwd \
 && chown 65532:65532 /out/root/data \
 && chmod 1777 /out/root/tmp

FROM scratch
COPY --from=build /out/root/ /
COPY --from=build /out/facilityd /facilityd
USER 65532:65532
ENV FACILITYD_DATA=/data \
    FACILITYD_LISTEN=0.0.0.0:8080 \
    FACILITYD_LOG_FORMAT=json
VOLUME /data
EXPOSE 8080 1883
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 CMD ["/facilityd", "health"]
ENTRYPOINT ["/facilityd"]
CMD ["run"]

# Tocsin in a container: one static program, no shell, no root. examples/compose shows how
# it is run.
FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN make build && mkdir /empty

FROM scratch
# Slack's certificate is checked against these.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /src/bin/tocsin /tocsin
# The only folder that is written to. A volume that is mounted here first belongs to this user.
COPY --from=build --chown=65532:65532 /empty /var/lib/tocsin
USER 65532:65532
VOLUME /var/lib/tocsin
# The port is for other containers, so a token has to protect it: TOCSIN_API_TOKEN. The
# socket is for "docker exec tocsin /tocsin status".
ENV TOCSIN_STORE=sqlite:/var/lib/tocsin/tocsin.db \
    TOCSIN_SOCKET=/var/lib/tocsin/tocsin.sock \
    TOCSIN_LISTEN=0.0.0.0:8126
EXPOSE 8126
# Unhealthy is also who can't reach Slack. Docker shows that, and restarts nothing.
HEALTHCHECK --start-period=90s CMD ["/tocsin", "status"]
ENTRYPOINT ["/tocsin"]
CMD ["serve"]

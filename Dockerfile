# Builds with the make targets that the demo and CI use; see docs/operations.md.
FROM python:3.11-slim-bookworm AS build
RUN apt-get update && apt-get install --yes --no-install-recommends make && rm -rf /var/lib/apt/lists/*
WORKDIR /srv/referral-rocket
COPY Makefile package.json package-lock.json .npmrc ./
COPY requirements requirements
RUN make setup
COPY . .
RUN make static
# The packages for development and the front end's have done their part.
RUN rm -rf .venv node_modules && make packages REQUIREMENTS=base

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --home-dir /srv/referral-rocket rocket
WORKDIR /srv/referral-rocket
COPY --from=build /srv/referral-rocket .
ENV PATH=/srv/referral-rocket/.venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER rocket
EXPOSE 8000
CMD ["granian", "--interface", "wsgi", "--host", "0.0.0.0", "--port", "8000", "--workers", "2", \
     "--blocking-threads", "8", "--respawn-failed-workers", "--no-ws", "referral_rocket.wsgi:application"]

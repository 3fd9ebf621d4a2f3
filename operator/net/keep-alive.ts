/**
 * How long an idle connection of ours stays open to callers. Who asks must be the one to close it: one that we close at
 * the moment of its next request fails that request, and a POST is not sent again by itself. What lies between keeps its
 * idle ones for 60 s (nginx, balancers of AWS) to 90 s (Traefik and whatever else uses Go's client). Envoy keeps them for
 * an hour and must be told (docs/guides/serve.md); as long as that we would hold connections of callers that are gone.
 */
export const KEEP_ALIVE_MS = 120_000;

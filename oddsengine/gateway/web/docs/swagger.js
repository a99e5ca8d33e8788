// Swagger UI over this gateway's own document. Nothing is loaded from, or sent to, another host.

import { TOKEN, withLiveExamples } from "./live_examples.js";

/** How long an event stream is read before what has arrived of it is shown: its body does not end. */
const STREAM_MS = 2000;

/** Fetch as usual, but an event stream only for a moment. */
async function fetchForAMoment(url, options) {
  const abort = new AbortController();
  const response = await fetch(url, { ...options, signal: abort.signal });
  if (!(response.headers.get("Content-Type") ?? "").startsWith("text/event-stream")) return response;
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  const timer = setTimeout(() => abort.abort(), STREAM_MS);
  let text = "";
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) text += part.value;
  } catch {
    // aborted
  }
  clearTimeout(timer);
  const { status, statusText, headers } = response;
  return new Response(text, { status, statusText, headers: { "Content-Type": headers.get("Content-Type") } });
}

/** Fetch the document, with examples that can be tried here. */
async function fetchDocument(url, options) {
  const response = await fetch(url, options);
  if (!response.ok) return response;
  const described = await withLiveExamples(await response.json(), new URL("./", document.baseURI).href);
  return new Response(JSON.stringify(described), { headers: { "Content-Type": "application/json" } });
}

const ui = globalThis.SwaggerUIBundle({
  url: new URL("docs/openapi.json", document.baseURI).href,
  dom_id: "#swagger-ui",
  layout: "BaseLayout",
  presets: [globalThis.SwaggerUIBundle.presets.apis],
  deepLinking: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  validatorUrl: null,
  requestInterceptor: (request) => ({ ...request, userFetch: request.loadSpec ? fetchDocument : fetchForAMoment }),
  onComplete: () => {
    const token = sessionStorage.getItem(TOKEN);
    if (token) ui.preauthorizeApiKey("bearer", token);
  },
});

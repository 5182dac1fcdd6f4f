// Requests to the server: JSON in, JSON out; a refusal keeps the problem the server named.

export class Refusal extends Error {
  constructor(status, problem) {
    super(problem.what ?? `The server answered ${status}.`);
    this.status = status;
    this.problem = problem;
  }
}

const PATIENCE = 15_000; // milliseconds after which an answer is given up, and asked for again later

// The name keeps what one person did from being taken for another's, should this browser change hands.
export async function ask(path, { body, annotator = "", keepalive = false } = {}) {
  const headers = { accept: "application/json", "x-martello-annotator": encodeURIComponent(annotator) };
  const request = { headers, keepalive, signal: AbortSignal.timeout(PATIENCE), cache: "no-store" };
  if (body !== undefined) {
    headers["content-type"] = "application/json";
    Object.assign(request, { method: "POST", body: JSON.stringify(body) });
  }
  const response = await fetch(path, request);
  if (!response.ok) throw new Refusal(response.status, await response.json().catch(() => ({})));
  return response.json();
}

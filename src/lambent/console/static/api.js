// The platform's public APIs, as the user who has signed in.
import { load, save } from "./storage.js";

const ROOT = new URL("./", document.baseURI).pathname;

// An error of the API, with AWS's code and message.
export class ApiError extends Error {
  constructor(code, message, status) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

const missingListeners = new Set();

// Called with the nodes whose part of a response is missing; with none when that is over.
export function onMissingNodes(listener) {
  missingListeners.add(listener);
  return () => missingListeners.delete(listener);
}

function noteMissing(response) {
  const named = response.headers.get("x-lambent-missing-nodes");
  for (const listener of missingListeners) listener(named ? named.split(", ") : []);
}

let region = load("region", null);
let token = load("token", "");
const listeners = new Set();

// Called when a session has ended.
export function onSignedOut(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function currentRegion() {
  return region;
}

export function chooseRegion(name) {
  region = name;
  save("region", name ?? undefined);
}

async function request(path, options = {}) {
  const headers = { ...options.headers, "X-Lambent-Console": token || "none" };
  if (region) headers["X-Lambent-Region"] = region;
  let response;
  try {
    response = await fetch(ROOT + path, { ...options, headers, cache: "no-store", redirect: "error" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError("Unreachable", "The platform does not respond. Does it run?", 0);
  }
  return response;
}

async function errorOf(response) {
  const text = await response.text();
  try {
    const found = JSON.parse(text);
    const code = found.code ?? found.__type ?? response.headers.get("x-amzn-errortype") ?? `HTTP ${response.status}`;
    const message = found.message ?? found.Message ?? text;
    return new ApiError(String(code).split(":")[0], String(message), response.status);
  } catch {
    return new ApiError(`HTTP ${response.status}`, text.slice(0, 500), response.status);
  }
}

async function checked(response) {
  if (response.ok) return response;
  const error = await errorOf(response);
  if (response.status === 401) for (const listener of listeners) listener(error);
  throw error;
}

// Services whose responses are merged of what each node has.
const MERGED = new Set(["cloudwatch", "logs", "xray"]);

// Performs an operation: aws("lambda", "ListFunctions", {MaxItems: 50}). Members have botocore's names;
// blobs are base64, timestamps are seconds. Throws ApiError.
export async function aws(service, operation, params = {}, { signal } = {}) {
  const response = await request(`api/${service}/${operation}`, {
    method: "POST", body: JSON.stringify(params), headers: { "Content-Type": "application/json" }, signal,
  });
  await checked(response);
  if (MERGED.has(service)) noteMissing(response);
  return response.json();
}

// All items of a paged operation, page after page: `onPage` gets those so far.
export async function awsAll(service, operation, params, { items, token: tokens, signal, onPage, max = 10000 }) {
  const [given, taken] = Array.isArray(tokens) ? tokens : [tokens, tokens];
  let all = [];
  let next;
  do {
    const page = await aws(service, operation, next ? { ...params, [given]: next } : params, { signal });
    all = all.concat(page[items] ?? []);
    next = page[taken];
    onPage?.(all, Boolean(next));
  } while (next && all.length < max);
  return all;
}

// A request to the public API as it is, for responses that are no documents. `service` is the signing
// name. Returns the Response; the caller checks its status.
export function raw(service, path, options) {
  return request(`raw/${service}${path}`, options);
}

// As `raw`, for pages of the platform itself, which are JSON: page("/_lambent/queues").
export async function page(path, options) {
  return (await checked(await raw("lambda", path, options))).json();
}

export { checked };

// -- sessions ---------------------------------------------------------------------------------

export async function describeSession() {
  const response = await request("session");
  if (response.status === 401) return null;
  return (await checked(response)).json();
}

export async function signIn(credentials) {
  const response = await request("session", {
    method: "POST", body: JSON.stringify(credentials), headers: { "Content-Type": "application/json" },
  });
  if (!response.ok) throw await errorOf(response);
  ({ token } = await response.json());
  save("token", token);
}

export async function signOut() {
  await request("session", { method: "DELETE" });
  token = "";
  save("token", undefined);
}

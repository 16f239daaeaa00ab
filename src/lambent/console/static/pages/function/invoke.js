// Calls of a function, and what they tell.
import { raw } from "../../api.js";

// Calls a function. Returns {status, payload, error, log, requestId, version, traceId, report, tookMs}.
export async function invoke(name, event, { qualifier, type = "RequestResponse" } = {}) {
  const query = qualifier ? `?Qualifier=${encodeURIComponent(qualifier)}` : "";
  const began = performance.now();
  const response = await raw("lambda", `/2015-03-31/functions/${encodeURIComponent(name)}/invocations${query}`, {
    method: "POST", body: event,
    headers: { "Content-Type": "application/json", "X-Amz-Invocation-Type": type, ...(type === "RequestResponse" && { "X-Amz-Log-Type": "Tail" }) },
  });
  const payload = await response.text();
  if (response.status >= 300) throw refusal(response, payload);
  const log = decoded(response.headers.get("x-amz-log-result"));
  return {
    status: response.status, payload, log, error: response.headers.get("x-amz-function-error"),
    requestId: response.headers.get("x-amzn-requestid"), version: response.headers.get("x-amz-executed-version"),
    traceId: traceOf(response.headers.get("x-amzn-trace-id") ?? ""), report: reportOf(log), tookMs: performance.now() - began,
  };
}

function refusal(response, text) {
  const code = (response.headers.get("x-amzn-errortype") ?? `HTTP ${response.status}`).split(":")[0];
  let message = text;
  try {
    const found = JSON.parse(text);
    message = found.Message ?? found.message ?? text;
  } catch {
    // The text is the message.
  }
  return Object.assign(new Error(message), { code });
}

function decoded(text) {
  if (!text) return "";
  return new TextDecoder().decode(Uint8Array.from(atob(text), (each) => each.charCodeAt(0)));
}

// The trace of a call, if it is recorded.
function traceOf(header) {
  const fields = Object.fromEntries(header.split(";").map((field) => field.split("=")));
  return fields.Sampled === "1" ? fields.Root : undefined;
}

// The numbers of a REPORT line: {duration, billed, memory, used, init, restore}, in ms and MB.
export function reportOf(log) {
  const line = log.split("\n").find((each) => each.startsWith("REPORT "));
  if (!line) return null;
  const read = (name, unit) => {
    const found = new RegExp(`(?:^|\\t)${name}: ([\\d.]+) ${unit}`).exec(line);
    return found ? Number(found[1]) : undefined;
  };
  return {
    duration: read("Duration", "ms"), billed: read("Billed Duration", "ms"), memory: read("Memory Size", "MB"),
    used: read("Max Memory Used", "MB"), init: read("Init Duration", "ms"), restore: read("Restore Duration", "ms"),
  };
}

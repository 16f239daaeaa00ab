// StartLiveTail of CloudWatch Logs: a stream of events in Amazon's event stream encoding.
// https://smithy.io/2.0/aws/amazon-eventstream.html
import { ApiError, checked, raw } from "./api.js";

const FRAME_BYTES_MAX = 16 << 20;
const STRING = 7;

// Follows log groups until `signal` is aborted. `onStart()` is called when nothing is missed any longer, and
// `onEvents(events, isSampled)` about once a second. Throws ApiError; returns when the platform ends the session.
export async function followLogs({ groups, streams, pattern, signal, onStart, onEvents }) {
  const response = await checked(await raw("logs", "/", {
    method: "POST",
    headers: { "Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "Logs_20140328.StartLiveTail" },
    body: JSON.stringify({
      logGroupIdentifiers: groups, ...(streams?.length && { logStreamNames: streams }), ...(pattern && { logEventFilterPattern: pattern }),
    }),
    signal,
  }));
  for await (const { type, document } of framesOf(response.body.getReader())) {
    if (type === "sessionStart") onStart?.();
    else if (type === "sessionUpdate") onEvents(document.sessionResults, document.sessionMetadata.sampled);
    else if (type.endsWith("Exception")) throw new ApiError(type, document.message ?? "The session has ended.", 400);
  }
}

// The events of a stream, whatever the chunks are in which they arrive.
export async function* framesOf(reader) {
  let held = new Uint8Array();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    held = joined(held, value);
    let at = 0;
    while (held.length - at >= 12) {
      const length = new DataView(held.buffer, held.byteOffset + at).getUint32(0);
      if (length < 16 || length > FRAME_BYTES_MAX) throw new ApiError("Unreadable", "The stream of events is damaged.", 0);
      if (held.length - at < length) break;
      yield frameOf(held.subarray(at, at + length));
      at += length;
    }
    held = held.slice(at);
  }
}

function joined(one, other) {
  if (!one.length) return other;
  const both = new Uint8Array(one.length + other.length);
  both.set(one);
  both.set(other, one.length);
  return both;
}

function frameOf(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const end = 12 + view.getUint32(4);
  const headers = {};
  let at = 12;
  while (at < end) {
    const nameLength = view.getUint8(at);
    const name = textOf(bytes.subarray(at + 1, at + 1 + nameLength));
    at += 1 + nameLength;
    if (view.getUint8(at) !== STRING) break; // Only texts say what an event is.
    const length = view.getUint16(at + 1);
    headers[name] = textOf(bytes.subarray(at + 3, at + 3 + length));
    at += 3 + length;
  }
  const payload = textOf(bytes.subarray(end, bytes.length - 4));
  return { type: headers[":event-type"] ?? headers[":exception-type"] ?? "", document: payload ? JSON.parse(payload) : {} };
}

const DECODER = new TextDecoder();

function textOf(bytes) {
  return DECODER.decode(bytes);
}

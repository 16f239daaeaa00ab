// Sends failed events from a queue to their function again. An event is deleted from the queue only after the platform
// has accepted it: whatever ends this, no event is lost; at worst an event is sent twice.
import { aws, checked, raw } from "./api.js";
import { functionOf, parseArn } from "./arns.js";

const AT_ONCE = 10;
const HIDDEN_S = 120;

export async function queueOf(arn, signal) {
  const { resource, account } = parseArn(arn);
  const { QueueUrl } = await aws("sqs", "GetQueueUrl", { QueueName: resource, QueueOwnerAWSAccountId: account }, { signal });
  const { Attributes } = await aws("sqs", "GetQueueAttributes", {
    QueueUrl, AttributeNames: ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
  }, { signal });
  return {
    url: QueueUrl, waiting: Number(Attributes.ApproximateNumberOfMessages ?? 0), hidden: Number(Attributes.ApproximateNumberOfMessagesNotVisible ?? 0),
  };
}

function receive(url, count, hiddenS, signal) {
  return aws("sqs", "ReceiveMessage", {
    QueueUrl: url, MaxNumberOfMessages: Math.min(count, AT_ONCE), VisibilityTimeout: hiddenS, MessageAttributeNames: ["All"], AttributeNames: ["SentTimestamp"],
  }, { signal }).then((found) => found.Messages ?? []);
}

// The first messages, which stay in the queue.
export async function look(url, signal) {
  return (await receive(url, AT_ONCE, 0, signal)).map((message) => ({ ...eventOf(message), id: message.MessageId, sentAt: Number(message.Attributes?.SentTimestamp) / 1000 }));
}

// What a message holds: {event, function, error, requestId}. `function` is null if the message does not name it: a
// dead-letter queue has the event itself, with attributes. The event is a part of the text, so its numbers stay exact.
export function eventOf(message) {
  const attribute = (name) => message.MessageAttributes?.[name]?.StringValue;
  const payload = attribute("RequestID") === undefined ? memberText(message.Body, "requestPayload") : null;
  if (payload === null) {
    return { event: message.Body, function: null, requestId: attribute("RequestID"), error: [attribute("ErrorCode"), attribute("ErrorMessage")].filter(Boolean).join(" ") };
  }
  const record = JSON.parse(message.Body);
  const { requestId, functionArn, condition } = record.requestContext ?? {};
  const error = record.responsePayload?.errorMessage ?? condition;
  return { event: payload, function: functionOf(functionArn), requestId, error: typeof error === "string" ? error : JSON.stringify(error) };
}

// The text of a member of a JSON object, null if there is none.
export function memberText(text, name) {
  try {
    const parsed = JSON.parse(text);
    if (parsed === null || typeof parsed !== "object" || Array.isArray(parsed) || !("requestContext" in parsed) || !(name in parsed)) return null;
  } catch {
    return null;
  }
  let depth = 0;
  let found = null;
  let start = -1;
  const end = (at) => {
    if (start >= 0) found = text.slice(start, at).trim();
    start = -1;
  };
  for (let at = 0; at < text.length; at += 1) {
    const sign = text[at];
    if (sign === "\"") {
      const begin = at;
      for (at += 1; text[at] !== "\""; at += 1) if (text[at] === "\\") at += 1;
      const colon = /^\s*:/.exec(text.slice(at + 1, at + 100));
      if (depth === 1 && start < 0 && colon && JSON.parse(text.slice(begin, at + 1)) === name) {
        start = at + 1 + colon[0].length;
      }
    } else if (sign === "{" || sign === "[") depth += 1;
    else if (sign === "}" || sign === "]") {
      depth -= 1;
      if (depth === 0) end(at);
    } else if (sign === "," && depth === 1) end(at);
  }
  return found;
}

// Sends `count` events; `onProgress({sent, skipped})` after each. Those of other functions are skipped. Throws the error
// of the first event that is not accepted, after it has become visible in the queue again.
export async function redrive({ url, name, count, signal, onProgress }) {
  const done = { sent: 0, skipped: 0 };
  const skipped = [];
  try {
    while (done.sent + done.skipped < count && !signal.aborted) {
      const messages = await receive(url, count - done.sent - done.skipped, HIDDEN_S);
      if (!messages.length) break;
      const left = [...messages];
      try {
        while (left.length && !signal.aborted) {
          const { event, function: of } = eventOf(left[0]);
          if (of && of.name !== name) {
            skipped.push(left[0]);
            done.skipped += 1;
          } else {
            await send(name, of?.qualifier, event);
            await aws("sqs", "DeleteMessage", { QueueUrl: url, ReceiptHandle: left[0].ReceiptHandle });
            done.sent += 1;
          }
          left.shift();
          onProgress({ ...done });
        }
      } finally {
        await show(url, left);
      }
    }
  } finally {
    await show(url, skipped);
  }
  return done;
}

async function send(name, qualifier, event) {
  const query = qualifier && qualifier !== "$LATEST" ? `?Qualifier=${encodeURIComponent(qualifier)}` : "";
  const response = await checked(await raw("lambda", `/2015-03-31/functions/${encodeURIComponent(name)}/invocations${query}`, {
    method: "POST", body: event, headers: { "Content-Type": "application/json", "X-Amz-Invocation-Type": "Event" },
  }));
  if (response.status !== 202) throw new Error(`The event was not accepted: status ${response.status}.`);
}

// Makes messages visible to others again; without this they are after two minutes.
async function show(url, messages) {
  for (const { ReceiptHandle } of messages) {
    await aws("sqs", "ChangeMessageVisibility", { QueueUrl: url, ReceiptHandle, VisibilityTimeout: 0 }).catch(() => null);
  }
}

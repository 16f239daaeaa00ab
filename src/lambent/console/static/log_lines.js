// Lines of logs: kept within limits, and read for what they say. What a function has written is only ever text.

const LINES_MAX = 120_000;
const CHARS_MAX = 32_000_000;
const SHOWN_MAX = 2000;

// The lines of a view, oldest first. Over its limits the oldest are dropped.
export class Lines {
  constructor(linesMax = LINES_MAX, charsMax = CHARS_MAX) {
    this.items = [];
    this.chars = 0;
    this.dropped = 0;
    this.hasMore = false;
    this.linesMax = linesMax;
    this.charsMax = charsMax;
    this.count = 0;
  }

  get isFull() {
    return this.dropped > 0 || this.items.length >= this.linesMax * 0.9 || this.chars >= this.charsMax * 0.9;
  }

  add(events) {
    for (const event of events) {
      this.count += 1;
      this.items.push({
        key: this.count, at: event.timestamp, group: event.group, stream: event.logStreamName, message: event.message,
      });
      this.chars += event.message.length;
    }
    this.trim();
  }

  sort() {
    this.items.sort((one, other) => one.at - other.at || one.key - other.key);
  }

  trim() {
    if (this.items.length <= this.linesMax && this.chars <= this.charsMax) return;
    // More than is needed, so that not every line moves all others.
    let gone = 0;
    while (gone < this.items.length && (this.items.length - gone > this.linesMax * 0.9 || this.chars > this.charsMax * 0.9)) {
      this.chars -= this.items[gone].message.length;
      gone += 1;
    }
    this.items.splice(0, gone);
    this.dropped += gone;
  }
}

const ANSI = /\u001b(?:\[[0-9;:?<=>]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[@-Z\\-_])/g;
// Controls, and characters that change the direction of what is around them.
const HIDDEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

// A text without the colors of terminals, in which nothing is hidden.
export function plain(text) {
  return text.replace(ANSI, "").replace(HIDDEN, (found) =>
    (found === "\r" ? "" : `\\u${found.charCodeAt(0).toString(16).padStart(4, "0")}`));
}

// What a row shows of a message.
export function excerpt(message) {
  const text = plain(message.slice(0, SHOWN_MAX)).trimEnd();
  return (message.length > SHOWN_MAX ? `${text} …` : text).replace(/\s*\n\s*/g, " ⏎ ").replaceAll("\t", "  ");
}

const LEVELS = {
  TRACE: "trace", DEBUG: "debug", INFO: "info", NOTICE: "info", WARN: "warn", WARNING: "warn", ERROR: "error", ERR: "error",
  FATAL: "fatal", CRITICAL: "fatal",
};
const PLATFORM = /^(START|END|REPORT|INIT_START|INIT_REPORT|RESTORE_START|RESTORE_REPORT|EXTENSION|TELEMETRY|LOGS|XRAY) /;
const WORD = /^(?:\[(\w+)\]|\S+Z\t\S+\t(\w+)\t|(\w+)[:\s])/;
const FAILURE = /Task timed out after|^RequestId: \S+ Error:|^Traceback \(most recent call last\)|^\S*Error: /;

// The level of a line: trace, debug, info, warn, error, fatal, platform, or "" if it says none.
export function levelOf(message) {
  if (message.startsWith("{")) {
    const found = /"(?:level|log_level|logLevel|severity|levelname)"\s*:\s*"(\w+)"/i.exec(message.slice(0, SHOWN_MAX));
    if (found) return LEVELS[found[1].toUpperCase()] ?? "";
    return /"type"\s*:\s*"platform\./.test(message.slice(0, 300)) ? "platform" : "";
  }
  if (PLATFORM.test(message)) return /\tStatus: (timeout|error|failure)/.test(message) ? "error" : "platform";
  const head = plain(message.slice(0, 200));
  const word = WORD.exec(head);
  const level = word && LEVELS[(word[1] ?? word[2] ?? word[3]).toUpperCase()];
  if (level && (word[1] || word[2] || /^[A-Z]/.test(word[3]))) return level;
  return FAILURE.test(head) ? "error" : "";
}

const UUID = /\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/;
const TRACE = /\b1-[0-9a-f]{8}-[0-9a-f]{24}\b/;

// The request of a line, if it names one.
export function requestOf(message) {
  return UUID.exec(message.slice(0, 20_000))?.[0] ?? null;
}

export function traceOf(message) {
  return TRACE.exec(message.slice(0, 20_000))?.[0] ?? null;
}

const FIELDS_MAX = 200;
const DEPTH_MAX = 8;

// The members of a line that is a JSON object, as [path, value]: [["$.order.id", 7], …]; null if it is none.
export function fieldsOf(message) {
  const text = message.trim();
  if (!text.startsWith("{") || text.length > 1_000_000) return null;
  let found;
  try {
    found = JSON.parse(text);
  } catch {
    return null;
  }
  const fields = [];
  const walk = (value, path, depth) => {
    if (fields.length >= FIELDS_MAX) return;
    const isNested = value !== null && typeof value === "object" && Object.keys(value).length > 0 && depth < DEPTH_MAX;
    if (!isNested) {
      fields.push([path, value]);
      return;
    }
    for (const [name, item] of Object.entries(value)) {
      walk(item, Array.isArray(value) ? `${path}[${name}]` : `${path}.${name}`, depth + 1);
    }
  };
  walk(found, "$", 0);
  return fields;
}

// A filter pattern for lines with this field, null where a pattern cannot say it.
export function patternOf(path, value) {
  if (!/^\$(\.[\w-]+|\[\d+\])+$/.test(path)) return null;
  if (typeof value === "string") return /["\\\n]/.test(value) || value.length > 200 ? null : `{ ${path} = "${value}" }`;
  if (typeof value === "number") return `{ ${path} = ${value} }`;
  if (typeof value === "boolean") return `{ ${path} IS ${value ? "TRUE" : "FALSE"} }`;
  return null;
}

export function clock(ms) {
  const date = new Date(ms);
  const two = (value) => String(value).padStart(2, "0");
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${String(date.getMilliseconds()).padStart(3, "0")}`;
}

// The name of a function's group without what all of them have.
export function shortGroup(name) {
  return name.replace(/^\/aws\/lambda\//, "");
}

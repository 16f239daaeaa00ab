// How values are written.

const NUMBER = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 });
const TIME = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

export function number(value) {
  return value === undefined || value === null || Number.isNaN(value) ? "–" : NUMBER.format(value);
}

export function bytes(value) {
  if (value === undefined || value === null) return "–";
  const units = ["B", "kB", "MB", "GB", "TB"];
  let scaled = value;
  let unit = 0;
  while (scaled >= 1000 && unit < units.length - 1) {
    scaled /= 1000;
    unit += 1;
  }
  return `${NUMBER.format(scaled)} ${units[unit]}`;
}

export function milliseconds(value) {
  if (value === undefined || value === null || Number.isNaN(value)) return "–";
  return value >= 1000 ? `${NUMBER.format(value / 1000)} s` : `${NUMBER.format(value)} ms`;
}

export function seconds(value) {
  if (value === undefined || value === null) return "–";
  if (value < 60) return `${Math.round(value)} s`;
  if (value < 3600) return `${Math.floor(value / 60)} min`;
  if (value < 86400) return `${Math.floor(value / 3600)} h ${Math.floor((value % 3600) / 60)} min`;
  return `${Math.floor(value / 86400)} d ${Math.floor((value % 86400) / 3600)} h`;
}

// Of seconds since the epoch, or of a text that Date reads.
export function dateOf(value) {
  return new Date(typeof value === "number" ? value * 1000 : value);
}

export function localTime(value) {
  const date = dateOf(value);
  return Number.isNaN(date.getTime()) ? String(value) : TIME.format(date);
}

export function utcTime(value) {
  const date = dateOf(value);
  return Number.isNaN(date.getTime()) ? String(value) : `${date.toISOString().replace("T", " ").slice(0, 19)} UTC`;
}

export function relativeTime(value, now = Date.now()) {
  const past = (now - dateOf(value).getTime()) / 1000;
  if (Number.isNaN(past)) return String(value);
  return past < 5 ? "just now" : `${seconds(Math.max(past, 0))} ago`;
}

// JSON with indents; other text as it is.
export function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

// Lines of log groups: those that are there, and those that arrive.
import { aws, awsAll } from "../../api.js";
import { followLogs } from "../../live_tail.js";

const AT_ONCE = 4;

export function loadGroups(signal, onPage) {
  return awsAll("logs", "DescribeLogGroups", { limit: 50 }, { items: "logGroups", token: "nextToken", signal, onPage });
}

// Adds the lines of groups to `lines`, page after page, and calls `onPage()` after each. `since` is in ms.
export async function loadLines(lines, { groups, streams, pattern, since, signal, onPage }) {
  const waiting = [...groups];
  const work = async () => {
    for (let group = waiting.shift(); group !== undefined; group = waiting.shift()) {
      await loadGroup(lines, group, { streams, pattern, since, signal, onPage });
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, groups.length) }, work));
}

async function loadGroup(lines, group, { streams, pattern, since, signal, onPage }) {
  let nextToken;
  do {
    const page = await aws("logs", "FilterLogEvents", {
      logGroupName: group, ...(streams.length && { logStreamNames: streams }), ...(pattern && { filterPattern: pattern }),
      ...(since && { startTime: since }), ...(nextToken && { nextToken }),
    }, { signal });
    lines.add(page.events.map((event) => ({ ...event, group })));
    lines.sort();
    onPage();
    ({ nextToken } = page);
  } while (nextToken && !lines.isFull);
  if (nextToken) lines.hasMore = true;
}

// Follows groups. The session begins before `before()` loads what is there, so that nothing is missed; what is in
// both is shown once.
export async function follow(lines, { groups, streams, pattern, signal, before, onPage, onSampled }) {
  let held = [];
  let failure = null;
  const named = (events) => events.map((event) => ({ ...event, group: event.logGroupIdentifier.split(":").slice(1).join(":") }));
  const load = async () => {
    try {
      await before();
      lines.add(without(lines, held));
      lines.sort();
      held = null;
      onPage();
    } catch (error) {
      failure = error;
    }
  };
  await followLogs({
    groups, streams, pattern, signal,
    onStart: load,
    onEvents(events, isSampled) {
      if (failure) throw failure;
      if (held) held.push(...named(events));
      else if (events.length) {
        lines.add(named(events));
        onPage();
      }
      if (isSampled) onSampled();
    },
  });
}

const keyOf = (line) => JSON.stringify([line.group, line.stream ?? line.logStreamName, line.at ?? line.timestamp, line.message]);

// Of the events that arrived meanwhile, those that were not loaded.
export function without(lines, events) {
  if (!events.length) return events;
  const first = Math.min(...events.map((event) => event.timestamp));
  const loaded = new Map();
  for (const line of lines.items) {
    if (line.at < first) continue;
    const key = keyOf(line);
    loaded.set(key, (loaded.get(key) ?? 0) + 1);
  }
  return events.filter((event) => {
    const key = keyOf(event);
    const count = loaded.get(key) ?? 0;
    if (count) loaded.set(key, count - 1);
    return !count;
  });
}

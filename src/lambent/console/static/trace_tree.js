// The segments of a trace as rows of a timeline.

const ROWS_MAX = 2000;

// Reads segments of BatchGetTraces. Returns {rows, start, length}: each row is {id, depth, name, kind, start, end, state,
// part}, with seconds from the trace's start; children are below their parents, by time.
export function timelineOf(segments) {
  const documents = segments.map((each) => read(each.Document)).filter(Boolean);
  if (!documents.length) return { rows: [], start: 0, length: 0 };
  const known = new Map();
  const collect = (part) => {
    known.set(part.id, part);
    (part.subsegments ?? []).forEach(collect);
  };
  documents.forEach(collect);
  const children = new Map();
  const roots = [];
  for (const document of documents) {
    if (known.has(document.parent_id) && document.parent_id !== document.id) push(children, document.parent_id, document);
    else roots.push(document);
  }
  const now = Date.now() / 1000;
  const start = Math.min(...documents.map((each) => each.start_time));
  const rows = [];
  const seen = new Set();
  const walk = (part, depth) => {
    if (rows.length >= ROWS_MAX || seen.has(part)) return;
    seen.add(part);
    rows.push({
      id: part.id, depth, name: String(part.name), kind: part.origin ?? part.namespace ?? "", start: part.start_time - start,
      end: (part.end_time ?? now) - start, state: stateOf(part), isOpen: part.end_time === undefined, part,
    });
    const below = [...(part.subsegments ?? []), ...(children.get(part.id) ?? [])];
    below.sort((one, other) => one.start_time - other.start_time).forEach((child) => walk(child, depth + 1));
  };
  roots.sort((one, other) => one.start_time - other.start_time).forEach((root) => walk(root, 0));
  return { rows, start, length: Math.max(...rows.map((row) => row.end), 0.000001) };
}

function push(map, key, value) {
  if (map.has(key)) map.get(key).push(value);
  else map.set(key, [value]);
}

// Clients send segments; one that is no object with times is left out.
function read(text) {
  try {
    const found = JSON.parse(text);
    return found && Number.isFinite(found.start_time) ? found : null;
  } catch {
    return null;
  }
}

function stateOf(part) {
  if (part.throttle) return "throttle";
  if (part.fault) return "fault";
  if (part.error) return "error";
  return "ok";
}

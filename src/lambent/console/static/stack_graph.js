// The dependencies of a template's resources, and their places in a picture: each is to the right of what it depends on.

// A Map from logical IDs to those that a resource depends on; null if the template cannot be read here (only JSON is).
export function dependencies(template) {
  let body = template;
  try {
    if (typeof body === "string") body = JSON.parse(body);
  } catch {
    return null;
  }
  const resources = body?.Resources;
  if (!resources || typeof resources !== "object") return null;
  const edges = new Map();
  for (const [id, resource] of Object.entries(resources)) {
    const named = new Set([resource?.DependsOn ?? []].flat());
    collect(resource?.Properties, named);
    edges.set(id, [...named].filter((name) => name !== id && Object.hasOwn(resources, name)));
  }
  return edges;
}

function collect(value, named) {
  if (Array.isArray(value)) value.forEach((item) => collect(item, named));
  else if (value && typeof value === "object") {
    if (typeof value.Ref === "string") named.add(value.Ref);
    const attribute = value["Fn::GetAtt"];
    if (attribute) named.add(String(Array.isArray(attribute) ? attribute[0] : attribute).split(".")[0]);
    const text = value["Fn::Sub"];
    if (text) for (const [, name] of String(Array.isArray(text) ? text[0] : text).matchAll(/\$\{([A-Za-z0-9]+)(?:\.[^}]+)?\}/g)) named.add(name);
    Object.values(value).forEach((item) => collect(item, named));
  }
}

// Places of nodes: [{id, column, row}]. Within a column, nodes are near what they depend on.
export function layout(ids, edges) {
  const columns = new Map();
  const columnOf = (id, path) => {
    if (columns.has(id)) return columns.get(id);
    if (path.has(id)) return 0; // Templates have no circles; a damaged one must not hang the page.
    path.add(id);
    const before = (edges.get(id) ?? []).filter((other) => ids.includes(other)).map((other) => columnOf(other, path));
    path.delete(id);
    const column = before.length ? Math.max(...before) + 1 : 0;
    columns.set(id, column);
    return column;
  };
  ids.forEach((id) => columnOf(id, new Set()));
  const rows = new Map();
  const placed = [];
  for (let column = 0; column <= Math.max(...columns.values(), 0); column += 1) {
    const members = ids.filter((id) => columns.get(id) === column);
    const weight = (id) => {
      const before = (edges.get(id) ?? []).map((other) => rows.get(other)).filter((row) => row !== undefined);
      return before.length ? before.reduce((sum, row) => sum + row, 0) / before.length : 0;
    };
    members.sort((one, other) => weight(one) - weight(other) || one.localeCompare(other));
    members.forEach((id, row) => {
      rows.set(id, row);
      placed.push({ id, column, row });
    });
  }
  return placed;
}

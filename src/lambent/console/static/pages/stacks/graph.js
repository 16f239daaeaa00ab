// A picture of a stack's resources. The table below it says the same in words.
import { html, useMemo } from "../../lib.js";
import { layout } from "../../stack_graph.js";
import { pageOfResource } from "./resources.js";

const WIDTH = 190;
const HEIGHT = 46;
const GAP_X = 56;
const GAP_Y = 14;

export function Graph({ resources, edges }) {
  const placed = useMemo(() => layout(resources.map((each) => each.LogicalResourceId), edges), [resources, edges]);
  const byId = new Map(resources.map((each) => [each.LogicalResourceId, each]));
  const places = new Map(placed.map((each) => [each.id, { x: each.column * (WIDTH + GAP_X) + 1, y: each.row * (HEIGHT + GAP_Y) + 1 }]));
  const width = Math.max(...placed.map((each) => each.column)) * (WIDTH + GAP_X) + WIDTH + 2;
  const height = Math.max(...placed.map((each) => each.row)) * (HEIGHT + GAP_Y) + HEIGHT + 2;
  const lines = placed.flatMap(({ id }) => (edges.get(id) ?? []).filter((other) => places.has(other)).map((other) => [id, other]));
  return html`<div class="graph" tabindex="0" role="region" aria-label="Dependencies">
    <svg width=${width} height=${height} viewBox=${`0 0 ${width} ${height}`} role="group" aria-label=${`${resources.length} resources, ${lines.length} dependencies`}>
      <g aria-hidden="true">${lines.map(([id, other]) => html`<path key=${`${id} ${other}`} d=${curve(places.get(other), places.get(id))} />`)}</g>
      ${placed.map(({ id }) => html`<${Node} key=${id} resource=${byId.get(id)} place=${places.get(id)} />`)}
    </svg>
  </div>`;
}

function Node({ resource, place }) {
  const page = pageOfResource(resource);
  const type = resource.ResourceType.split("::").slice(1).join(" ");
  const state = /FAILED/.test(resource.ResourceStatus) ? "bad" : /IN_PROGRESS/.test(resource.ResourceStatus) ? "info" : "good";
  const content = html`<title>${`${resource.LogicalResourceId}, ${resource.ResourceType}, ${resource.ResourceStatus}`}</title>
    <rect width=${WIDTH} height=${HEIGHT} rx="8" /><rect class=${`state ${state}`} x="0" y="10" width="4" height=${HEIGHT - 20} rx="2" />
    <text x="14" y="20">${cut(resource.LogicalResourceId, 25)}</text><text class="type" x="14" y="36">${cut(type, 28)}</text>`;
  const transform = `translate(${place.x} ${place.y})`;
  return page ? html`<a href=${page} transform=${transform} class="node">${content}</a>` : html`<g transform=${transform} class="node">${content}</g>`;
}

function cut(text, length) {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text;
}

function curve(from, to) {
  const [x1, y1, x2, y2] = [from.x + WIDTH, from.y + HEIGHT / 2, to.x, to.y + HEIGHT / 2];
  const bend = Math.max((x2 - x1) / 2, 24);
  return `M${x1} ${y1} C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`;
}

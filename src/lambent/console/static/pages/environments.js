// The execution environments that run or wait.
import { html, useMemo, useState } from "../lib.js";
import { loadEnvironments } from "../environments.js";
import { number, seconds } from "../format.js";
import { link, useData } from "../hooks.js";
import { Badge, Card, Empty, Heading, Loaded, Table } from "../ui.js";

export default function Environments() {
  const found = useData(loadEnvironments, [], { every: 3000 });
  return html`<${Heading} title="Environments" />
    <${Loaded} ...${found} lines=${6}>${(data) => html`<${List} environments=${data.environments} />`}<//>`;
}

function List({ environments }) {
  if (!environments.length) {
    return html`<${Card}><${Empty} title="No execution environment runs.">
      Invoke a function: its first call starts one, which then waits for the next call.<//><//>`;
  }
  return html`<${Card} flush>${environments.length}<//>`;
}

// Which log groups: a list to tick, with a search.
import { html, useState } from "../../lib.js";
import { number } from "../../format.js";
import { shortGroup } from "../../log_lines.js";

const SHOWN_MAX = 100;

export function GroupPicker({ groups, chosen, max, onChange }) {
  const [search, setSearch] = useState("");
  const matching = groups.filter((name) => name.toLowerCase().includes(search.toLowerCase()));
  const change = (name, isOn) => onChange(isOn ? [...chosen, name] : chosen.filter((other) => other !== name));
  const title = chosen.length === 0 ? "Choose log groups"
    : chosen.length <= 2 ? chosen.map(shortGroup).join(", ") : `${number(chosen.length)} log groups`;
  return html`<details class="picker">
    <summary class="button">${title}</summary>
    <div class="picker-list">
      <input type="search" aria-label="Search log groups" placeholder="Search" value=${search} onInput=${(event) => setSearch(event.target.value)} />
      <div class="actions"><button type="button" class="small" onClick=${() => onChange(matching.slice(0, max))}>Choose ${matching.length > max ? `the first ${max}` : "all"}</button>
        <button type="button" class="small" onClick=${() => onChange([])}>None</button></div>
      <ul>${matching.slice(0, SHOWN_MAX).map((name) => html`<li key=${name}><label><input type="checkbox" checked=${chosen.includes(name)}
        disabled=${!chosen.includes(name) && chosen.length >= max} onChange=${(event) => change(name, event.target.checked)} /> ${shortGroup(name)}</label></li>`)}</ul>
      ${matching.length > SHOWN_MAX && html`<p class="hint">${number(matching.length - SHOWN_MAX)} more: search for them.</p>`}
    </div>
  </details>`;
}

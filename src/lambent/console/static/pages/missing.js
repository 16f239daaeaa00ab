import { html } from "../lib.js";
import { Empty, Heading } from "../ui.js";

export default function Missing() {
  return html`<${Heading} title="There is no such page" />
    <${Empty} title="The address leads nowhere."><a href="#/">Overview</a><//>`;
}

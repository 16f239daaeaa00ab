import { html } from "../lib.js";
import { Heading } from "../ui.js";

export default function Host() {
  return html`<${Heading} title="Host" />`;
}

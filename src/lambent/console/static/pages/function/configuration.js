// The configuration of a function.
import { html } from "../../lib.js";
import { bytes } from "../../format.js";
import { Card, Facts, Time } from "../../ui.js";

export function Configuration({ found }) {
  const each = found.Configuration;
  return html`<${Card} title="General">
    <${Facts} items=${[
      ["Description", each.Description || "–"], ["Runtime", each.Runtime], ["Handler", html`<code>${each.Handler}</code>`],
      ["Memory", `${each.MemorySize} MB`], ["Timeout", `${each.Timeout} s`], ["Code", bytes(each.CodeSize)],
      ["Changed", html`<${Time} at=${each.LastModified} />`], ["ARN", html`<code>${each.FunctionArn}</code>`],
    ]} /><//>`;
}

// Who calls a function, and whom it calls, as a picture.
import { html } from "../../lib.js";
import { aws, awsAll, page } from "../../api.js";
import { useData } from "../../hooks.js";
import { Badge, Card, Empty, ErrorBox, Loaded, Table } from "../../ui.js";

export function Triggers({ name, found }) {
  const loaded = useData((signal) => loadTriggers(name, found, signal), [name, found.Configuration.RevisionId]);
  return html`<${Loaded} ...${loaded} lines=${8}>${({ sources, targets, refused }) => html`
    ${refused.map((error) => html`<${ErrorBox} key=${error.message} error=${error} />`)}
    ${sources.length + targets.length > 0 && html`<${Card}><${Picture} name=${name} sources=${sources} targets=${targets} /><//>`}
    <${Card} title="Callers" flush>${sources.length ? html`<${Table} label="Callers" rows=${sources} keyOf=${(row) => row.key} columns=${COLUMNS} />`
      : html`<${Empty} title="Nothing calls this function by itself.">Callers with its name can: <code>lambent invoke ${name}</code>. A
          trigger is made with <code>lambent trigger</code>, in <code>function.toml</code> or in a stack.<//>`}<//>
    ${targets.length > 0 && html`<${Card} title="Destinations" flush><${Table} label="Destinations" rows=${targets} keyOf=${(row) => row.key} columns=${COLUMNS} /><//>`}
  `}<//>`;
}

const COLUMNS = [
  { title: "Kind", cell: (row) => row.kind },
  { title: "Name", main: true, cell: (row) => (row.href ? html`<a href=${row.href} target="_blank" rel="noreferrer">${row.text}</a>` : row.text) },
  { title: "Of", minor: true, cell: (row) => row.qualifier ?? "$LATEST" },
  { title: "State", minor: true, cell: (row) => row.state && html`<${Badge}>${row.state}<//>` },
];

const SERVICES = {
  "apigateway.amazonaws.com": "API", "events.amazonaws.com": "Rule", "s3.amazonaws.com": "Bucket", "sns.amazonaws.com": "Topic",
  "logs.amazonaws.com": "Log group", "scheduler.amazonaws.com": "Schedule", "cognito-idp.amazonaws.com": "User pool",
  "elasticloadbalancing.amazonaws.com": "Load balancer", "alexa-appkit.amazon.com": "Alexa skill", "lexv2.amazonaws.com": "Lex bot",
  "secretsmanager.amazonaws.com": "Secret", "cloudfront.amazonaws.com": "Distribution",
};

async function loadTriggers(name, found, signal) {
  const refused = [];
  const ask = async (load, otherwise) => {
    try {
      return await load();
    } catch (error) {
      if (error.name === "AbortError") throw error;
      if (error.code !== "ResourceNotFoundException") refused.push(error);
      return otherwise;
    }
  };
  const arn = found.Configuration.FunctionArn;
  const [mappings, policy, urls, rules, hooks, asynchronous] = await Promise.all([
    ask(() => awsAll("lambda", "ListEventSourceMappings", { FunctionName: name }, { items: "EventSourceMappings", token: ["Marker", "NextMarker"], signal }), []),
    ask(() => aws("lambda", "GetPolicy", { FunctionName: name }, { signal }), null),
    ask(() => aws("lambda", "ListFunctionUrlConfigs", { FunctionName: name }, { signal }), null),
    ask(() => aws("events", "ListRuleNamesByTarget", { TargetArn: arn }, { signal }), null),
    ask(() => page("/_lambent/hooks", { signal }), null),
    ask(() => aws("lambda", "ListFunctionEventInvokeConfigs", { FunctionName: name }, { signal }), null),
  ]);
  const sources = [
    ...mappings.map((each) => ({
      key: each.UUID, kind: kindOf(each.EventSourceArn), state: each.State, qualifier: qualifierOf(each.FunctionArn),
      text: nameOf(each.EventSourceArn) ?? (each.Topics ?? []).join(", "),
    })),
    ...(urls?.FunctionUrlConfigs ?? []).map((each) => ({
      key: each.FunctionUrl, kind: "Function URL", text: each.FunctionUrl, href: webAddress(each.FunctionUrl), state: each.AuthType,
      qualifier: qualifierOf(each.FunctionArn),
    })),
    ...(rules?.RuleNames ?? []).map((text) => ({ key: `rule ${text}`, kind: "Rule", text })),
    ...(hooks?.hooks ?? []).filter((each) => each.function === name || String(each.target ?? "").includes(`:function:${name}`))
      .map((each) => ({ key: `hook ${each.name}`, kind: "Hook", text: each.name })),
    ...statementsOf(policy, rules),
  ];
  const targets = (asynchronous?.FunctionEventInvokeConfigs ?? []).flatMap((each) => Object.entries(each.DestinationConfig ?? {})
    .filter(([, to]) => to.Destination)
    .map(([when, to]) => ({
      key: `${each.FunctionArn} ${when}`, kind: when === "OnSuccess" ? "On success" : "On failure", text: nameOf(to.Destination),
      qualifier: qualifierOf(each.FunctionArn),
    })));
  const letters = found.Configuration.DeadLetterConfig?.TargetArn;
  if (letters) targets.push({ key: letters, kind: "Dead letters", text: nameOf(letters) });
  return { sources, targets, refused };
}

// What the function's policy lets in. Rules are known by their targets.
function statementsOf(policy, rules) {
  if (!policy) return [];
  return JSON.parse(policy.Policy).Statement.flatMap((statement) => {
    const service = statement.Principal?.Service;
    const kind = SERVICES[service];
    if (!kind || (kind === "Rule" && rules?.RuleNames?.length)) return [];
    const source = Object.values(statement.Condition ?? {}).flatMap((each) => each["AWS:SourceArn"] ?? each["aws:SourceArn"] ?? [])[0];
    return [{ key: `policy ${statement.Sid}`, kind, text: source ? nameOf(source) : service, qualifier: qualifierOf(statement.Resource) }];
  });
}

function kindOf(arn) {
  const service = arn?.split(":")[2];
  return { sqs: "Queue", kinesis: "Stream", dynamodb: "Table stream", kafka: "Kafka", mq: "Broker" }[service] ?? service ?? "Kafka";
}

function nameOf(arn) {
  return arn?.split(":").slice(5).join(":") || arn;
}

function qualifierOf(arn) {
  return arn?.split(":")[7];
}

function webAddress(text) {
  return /^https?:\/\//.test(text) ? text : undefined;
}

const ROW = 46;
const SHOWN = 8;

function Picture({ name, sources, targets }) {
  const left = shortened(sources);
  const right = shortened(targets);
  const height = Math.max(left.length, right.length, 2) * ROW + 16;
  const middle = height / 2;
  const said = `${name}. Callers: ${sources.map((each) => `${each.kind} ${each.text}`).join(", ") || "none"}.`;
  return html`<div class="picture"><svg viewBox=${`0 0 760 ${height}`} role="img" aria-label=${said}>
    ${left.map((each, at) => {
      const y = place(at, left.length, middle);
      return html`<g key=${each.key}><path class="edge" d=${`M230 ${y} C 270 ${y}, 260 ${middle}, 294 ${middle}`} /><${Node} x=${10} y=${y} each=${each} /></g>`;
    })}
    ${right.map((each, at) => {
      const y = place(at, right.length, middle);
      return html`<g key=${each.key}><path class="edge" d=${`M466 ${middle} C 500 ${middle}, 490 ${y}, 530 ${y}`} /><${Node} x=${530} y=${y} each=${each} /></g>`;
    })}
    ${left.length > 0 && html`<path class="tip" d=${`M294 ${middle - 5} L 302 ${middle} L 294 ${middle + 5} Z`} />`}
    <g class="center"><rect x="302" y=${middle - 22} width="164" height="44" rx="10" /><text x="384" y=${middle + 5} text-anchor="middle">${cut(name, 20)}</text></g>
  </svg></div>`;
}

function Node({ x, y, each }) {
  return html`<g class="node"><title>${each.kind} ${each.text}</title><rect x=${x} y=${y - 19} width="220" height="38" rx="8" />
    <text class="kind" x=${x + 12} y=${y - 4}>${each.kind}</text><text x=${x + 12} y=${y + 11}>${cut(each.text, 28)}</text></g>`;
}

function place(at, count, middle) {
  return middle + (at - (count - 1) / 2) * ROW;
}

function shortened(all) {
  if (all.length <= SHOWN) return all;
  return [...all.slice(0, SHOWN - 1), { key: "more", kind: "More", text: `${all.length - SHOWN + 1} others` }];
}

function cut(text, length) {
  const given = String(text ?? "");
  return given.length > length ? `${given.slice(0, length - 1)}…` : given;
}

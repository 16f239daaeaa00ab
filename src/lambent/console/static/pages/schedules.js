// What calls functions by the clock or by an event: schedules, rules, hooks; and user pools and distributions.
import { html, useState } from "../lib.js";
import { aws, awsAll, page } from "../api.js";
import { shortArn } from "../arns.js";
import { localTime } from "../format.js";
import { link, useAction, useData } from "../hooks.js";
import { Badge, Button, Card, Empty, ErrorBox, Heading, Loaded, Table, Tabs, Time } from "../ui.js";

const TABS = [["schedules", "Schedules"], ["rules", "Rules"], ["hooks", "Hooks"], ["pools", "User pools"], ["distributions", "Distributions"]];

export default function Schedules({ route }) {
  const tab = TABS.find(([key]) => key === route.parts[1])?.[0] ?? "schedules";
  const Content = { schedules: ScheduleList, rules: RuleList, hooks: HookList, pools: PoolList, distributions: DistributionList }[tab];
  return html`<${Heading} title="Schedules and rules" />
    <${Tabs} label="Kinds" tabs=${TABS} current=${tab} href=${(key) => link(["schedules", key])} />
    <${Content} key=${tab} />`;
}

// A list with its empty state.
function List({ found, label, columns, keyOf, title, children }) {
  return html`<${Loaded} ...${found} lines=${4}>${(data) => (data.length
    ? html`<${Card} flush><${Table} label=${label} columns=${columns} rows=${data} keyOf=${keyOf} /><//>`
    : html`<${Card}><${Empty} title=${title}>${children}<//><//>`)}<//>`;
}

function Toggle({ name, isOn, change, reload }) {
  const action = useAction(async () => {
    await change(!isOn);
    await reload();
  });
  return html`${action.error && html`<${Badge} tone="bad">${action.error.code}<//> `}<${Button} kind="small" busy=${action.busy} title=${action.error?.message}
    aria-label=${`${isOn ? "Disable" : "Enable"} ${name}`} onClick=${action.run}>${isOn ? "Disable" : "Enable"}<//>`;
}

const stateOf = (isOn) => html`<${Badge}>${isOn ? "Enabled" : "Disabled"}<//>`;

// The next times of a schedule, as the platform knows them.
function Next({ times }) {
  if (!times?.length) return "–";
  const [first, ...more] = times;
  return html`<span title=${more.map(localTime).join("\n")}><${Time} at=${first} /></span>`;
}

// The times by the ARN of the schedule or rule.
async function loadTimes(signal) {
  try {
    const { schedules } = await page("/_lambent/schedules", { signal });
    return new Map(schedules.map((each) => [each.arn, each.next]));
  } catch (error) {
    if (error.status === 403) return new Map(); // Who may see schedules need not see this page.
    throw error;
  }
}

async function loadSchedules(signal) {
  const list = await awsAll("scheduler", "ListSchedules", { MaxResults: 100 }, { items: "Schedules", token: "NextToken", signal, max: 500 });
  const [times, ...schedules] = await Promise.all([
    loadTimes(signal), ...list.map(({ Name, GroupName }) => aws("scheduler", "GetSchedule", { Name, GroupName }, { signal })),
  ]);
  return schedules.map((each) => ({ ...each, next: times.get(each.Arn) }));
}

// UpdateSchedule replaces all of a schedule, so it gets all of it back.
function changed(schedule, isOn) {
  const { Arn, CreationDate, LastModificationDate, next, ...members } = schedule;
  return aws("scheduler", "UpdateSchedule", { ...members, State: isOn ? "ENABLED" : "DISABLED" });
}

function ScheduleList() {
  const found = useData(loadSchedules, [], { every: 15000 });
  const columns = [
    { title: "Schedule", main: true, cell: (row) => `${row.GroupName === "default" ? "" : `${row.GroupName}/`}${row.Name}` },
    { title: "Expression", minor: true, cell: (row) => html`<code>${row.ScheduleExpression}</code> ${row.ScheduleExpressionTimezone !== "UTC" ? row.ScheduleExpressionTimezone : ""}` },
    { title: "Next", cell: (row) => html`<${Next} times=${row.next} />` },
    { title: "Target", minor: true, main: true, cell: (row) => html`<span title=${row.Target.Arn}>${shortArn(row.Target.Arn)}</span>` },
    { title: "State", cell: (row) => stateOf(row.State === "ENABLED") },
    { title: "Actions", minor: true, numeric: true, cell: (row) => html`<${Toggle} name=${row.Name} isOn=${row.State === "ENABLED"} change=${(isOn) => changed(row, isOn)} reload=${found.reload} />` },
  ];
  return html`<${List} found=${found} label="Schedules" columns=${columns} keyOf=${(row) => row.Arn} title="There are no schedules yet.">
    <p>Have EventBridge Scheduler call a function every hour:</p>
    <pre class="code">aws scheduler create-schedule --name hourly --schedule-expression "rate(1 hour)"${"\n"}  --flexible-time-window Mode=OFF --target Arn=FUNCTION_ARN,RoleArn=ROLE_ARN</pre><//>`;
}

async function loadRules(signal) {
  const buses = await awsAll("events", "ListEventBuses", {}, { items: "EventBuses", token: "NextToken", signal, max: 100 });
  const lists = await Promise.all(buses.map((bus) => awsAll("events", "ListRules", { EventBusName: bus.Name }, { items: "Rules", token: "NextToken", signal, max: 500 })));
  const rules = lists.flat();
  const [times, ...targets] = await Promise.all([
    loadTimes(signal), ...rules.map(({ Name, EventBusName }) => aws("events", "ListTargetsByRule", { Rule: Name, EventBusName }, { signal })),
  ]);
  return rules.map((rule, at) => ({ ...rule, targets: targets[at].Targets, next: times.get(rule.Arn) }));
}

function RuleList() {
  const found = useData(loadRules, [], { every: 15000 });
  const columns = [
    { title: "Rule", main: true, cell: (row) => `${row.EventBusName === "default" ? "" : `${row.EventBusName}/`}${row.Name}` },
    { title: "When", main: true, cell: (row) => html`<code title=${row.EventPattern ?? ""}>${row.ScheduleExpression ?? row.EventPattern}</code>` },
    { title: "Next", minor: true, cell: (row) => html`<${Next} times=${row.next} />` },
    { title: "Targets", minor: true, main: true, cell: (row) => html`<span title=${row.targets.map((each) => each.Arn).join("\n")}>${row.targets.map((each) => shortArn(each.Arn)).join(", ") || "none"}</span>` },
    { title: "State", cell: (row) => stateOf(row.State !== "DISABLED") },
    { title: "Actions", minor: true, numeric: true, cell: (row) => html`<${Toggle} name=${row.Name} isOn=${row.State !== "DISABLED"}
      change=${(isOn) => aws("events", isOn ? "EnableRule" : "DisableRule", { Name: row.Name, EventBusName: row.EventBusName })} reload=${found.reload} />` },
  ];
  return html`<${List} found=${found} label="Rules" columns=${columns} keyOf=${(row) => row.Arn} title="There are no rules yet.">
    <p>Send events of a kind to a function:</p>
    <pre class="code">aws events put-rule --name orders --event-pattern '{"source": ["shop"]}'${"\n"}aws events put-targets --rule orders --targets Id=1,Arn=FUNCTION_ARN</pre><//>`;
}

function HookList() {
  const found = useData(async (signal) => (await page("/_lambent/hooks", { signal })).hooks, [], { every: 15000 });
  const columns = [
    { title: "Hook", main: true, cell: (row) => row.name },
    { title: "Kind", cell: (row) => html`<code>${row.kind}</code>` },
    { title: "Target", main: true, cell: (row) => html`<span title=${row.function ?? row.bus}>${shortArn(row.function ?? row.bus)}</span>` },
    { title: "Address", minor: true, main: true, cell: (row) => html`<code>${row.url ?? row.path}</code>` },
  ];
  return html`<${List} found=${found} label="Hooks" columns=${columns} keyOf=${(row) => row.name} title="There are no hooks yet.">
    <p>A hook lets another system call a function:</p><pre class="code">lambent hook create NAME --help</pre><//>`;
}

function PoolList() {
  const found = useData((signal) => awsAll("cognito-idp", "ListUserPools", { MaxResults: 60 }, { items: "UserPools", token: "NextToken", signal }), []);
  const columns = [
    { title: "User pool", main: true, cell: (row) => row.Name },
    { title: "ID", cell: (row) => html`<code>${row.Id}</code>` },
    { title: "Changed", minor: true, cell: (row) => html`<${Time} at=${row.LastModifiedDate} relative />` },
  ];
  return html`<${List} found=${found} label="User pools" columns=${columns} keyOf=${(row) => row.Id} title="There are no user pools yet.">
    <pre class="code">aws cognito-idp create-user-pool --pool-name NAME</pre><//>`;
}

function DistributionList() {
  const found = useData(async (signal) => (await aws("cloudfront", "ListDistributions", {}, { signal })).DistributionList.Items ?? [], []);
  const columns = [
    { title: "Distribution", cell: (row) => html`<code>${row.Id}</code>` },
    { title: "Domain name", main: true, cell: (row) => row.DomainName },
    { title: "Aliases", minor: true, main: true, cell: (row) => (row.Aliases?.Items ?? []).join(", ") || "–" },
    { title: "State", cell: (row) => stateOf(row.Enabled) },
    { title: "Comment", minor: true, main: true, cell: (row) => row.Comment },
  ];
  return html`<${List} found=${found} label="Distributions" columns=${columns} keyOf=${(row) => row.Id} title="There are no distributions yet.">
    <pre class="code">aws cloudfront create-distribution --origin-domain-name HOST</pre><//>`;
}

// Names in ARNs.

// {service, region, account, resource}, null if a text is no ARN.
export function parseArn(arn) {
  const found = /^arn:[\w-]+:([\w.-]*):([\w-]*):(\d*):(.+)$/s.exec(arn ?? "");
  return found && { service: found[1], region: found[2], account: found[3], resource: found[4] };
}

// What a person reads of an ARN; other texts as they are.
export function shortArn(arn) {
  const found = parseArn(arn);
  if (!found) return arn ?? "";
  const resource = found.resource.replace(/^(function|stream|table|event-bus|rule|secret|stateMachine|topic|group|cluster|schedule)[:/]/, "");
  return found.service === "lambda" ? resource : `${found.service} ${resource}`;
}

// The name of a function and a qualifier, "" if there is none, in the ARN of a function.
export function functionOf(arn) {
  const found = /^arn:[\w-]+:lambda:[\w-]+:\d+:function:([\w-]+)(?::([\w$-]+))?$/.exec(arn ?? "");
  return found && { name: found[1], qualifier: found[2] ?? "" };
}

// Drives the platform with the AWS SDK for JavaScript v3 and prints what it saw as JSON.
import {readFileSync} from 'node:fs';
import {
  CreateFunctionCommand, DeleteFunctionCommand, GetFunctionCommand, InvokeCommand, LambdaClient,
  PublishVersionCommand, paginateListVersionsByFunction, UpdateFunctionConfigurationCommand,
  waitUntilFunctionActiveV2, waitUntilFunctionUpdatedV2,
} from '@aws-sdk/client-lambda';
import {GetCallerIdentityCommand, STSClient} from '@aws-sdk/client-sts';

const [zip, Runtime, Role] = process.argv.slice(2);
const client = new LambdaClient({maxAttempts: 1});
const FunctionName = 'by-javascript';
const waiting = {client, minDelay: 0.1, maxDelay: 0.2, maxWaitTime: 30};
const result = {};

const refusal = async command => {
  try {
    await client.send(command);
  } catch (error) {
    return {name: error.name, status: error.$metadata?.httpStatusCode};
  }
};

await client.send(new CreateFunctionCommand({
  FunctionName, Runtime, Role, Handler: 'app.handler', Code: {ZipFile: readFileSync(zip)},
}));
await waitUntilFunctionActiveV2(waiting, {FunctionName});
result.state = (await client.send(new GetFunctionCommand({FunctionName}))).Configuration.State;

const answer = await client.send(new InvokeCommand({
  FunctionName, Payload: JSON.stringify({a: 1}), LogType: 'Tail',
}));
result.payload = JSON.parse(Buffer.from(answer.Payload).toString());
result.log = Buffer.from(answer.LogResult, 'base64').toString();

await client.send(new PublishVersionCommand({FunctionName}));
result.versions = [];
for await (const page of paginateListVersionsByFunction({client}, {FunctionName, MaxItems: 1})) {
  result.versions.push(...page.Versions.map(version => version.Version));
}

await client.send(new UpdateFunctionConfigurationCommand({FunctionName, Handler: 'app.missing'}));
await waitUntilFunctionUpdatedV2(waiting, {FunctionName});
result.functionError = (await client.send(new InvokeCommand({FunctionName}))).FunctionError;

result.missing = (await refusal(new GetFunctionCommand({FunctionName: 'absent'}))).name;
result.invalid = await refusal(
  new UpdateFunctionConfigurationCommand({FunctionName, MemorySize: 1}),
);
await client.send(new DeleteFunctionCommand({FunctionName}));
result.identity = (await new STSClient({}).send(new GetCallerIdentityCommand({}))).Account;
console.log(JSON.stringify(result));

// Greets whom the event names, and asks the platform how many functions there are.
import { LambdaClient, ListFunctionsCommand } from '@aws-sdk/client-lambda';

const lambda = new LambdaClient();

export const handler = async (event, context) => {
  const name = event.name ?? 'world';
  console.log(`greeting ${name}`);
  const { Functions: functions } = await lambda.send(new ListFunctionsCommand());
  return {
    message: `Hello, ${name}!`,
    node: process.version,
    functions: functions.map((found) => found.FunctionName),
    requestId: context.awsRequestId,
  };
};

/*
 * Reports the result of a custom resource to CloudFormation: the module `cfn-response`.
 *
 * `send` ends the invocation, as AWS's does. It also returns a promise, for handlers that wait.
 */
'use strict';

const http = require('node:http');
const https = require('node:https');

const SUCCESS = 'SUCCESS';
const FAILED = 'FAILED';

function send(event, context, responseStatus, responseData, physicalResourceId, noEcho) {
  const body = JSON.stringify({
    Status: responseStatus,
    Reason: `See the details in CloudWatch Log Stream: ${context.logStreamName}`,
    PhysicalResourceId: physicalResourceId || context.logStreamName,
    StackId: event.StackId,
    RequestId: event.RequestId,
    LogicalResourceId: event.LogicalResourceId,
    NoEcho: noEcho || false,
    Data: responseData,
  });
  console.log('Response body:\n', body);
  return put(event.ResponseURL, body)
    .then((status) => console.log(`Status code: ${status}`))
    .catch((error) => console.log(`The response could not be sent: ${error}`))
    .then(() => context.done?.());
}

function put(address, body) {
  return new Promise((resolve, reject) => {
    const url = new URL(address);
    // The link is signed without a content type.
    const headers = { 'content-type': '', 'content-length': Buffer.byteLength(body) };
    const { request } = url.protocol === 'http:' ? http : https;
    const sent = request(url, { method: 'PUT', headers }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

module.exports = { SUCCESS, FAILED, send };

/* The client of the Lambda Runtime API: one persistent connection, one request at a time. */
'use strict';

const http = require('node:http');
const { errorDocument } = require('./errors.cjs');

const ROOT = '/2018-06-01/runtime';

class RuntimeApi {
  #agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  #host;
  #port;

  constructor(address) {
    const colon = address.lastIndexOf(':');
    this.#host = address.slice(0, colon);
    this.#port = address.slice(colon + 1);
  }

  /* Waits for an event. Returns `{headers, body}`; header names are in lower case. */
  next() {
    return this.#request('GET', '/invocation/next', 200);
  }

  respond(headers, body) {
    return this.#request('POST', `${path(headers)}/response`, 202, body, attempt(headers));
  }

  /* Starts a streamed response. Returns a request to write to, with `taken`: a promise that
     settles when the whole answer has been taken. */
  stream(headers, contentType) {
    const request = http.request({
      host: this.#host,
      port: this.#port,
      agent: this.#agent,
      method: 'POST',
      path: `${ROOT}${path(headers)}/response`,
      headers: {
        'User-Agent': `aws-lambda-nodejs/${process.version}`,
        'Content-Type': contentType,
        'Lambda-Runtime-Function-Response-Mode': 'streaming',
        'Transfer-Encoding': 'chunked',
        Trailer: 'Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body',
        ...attempt(headers),
      },
    });
    request.taken = new Promise((resolve, reject) => {
      request.on('response', (response) => {
        response.on('end', resolve);
        response.resume();
      });
      request.on('error', reject);
    });
    return request;
  }

  /* Reports a failed invocation. */
  fail(headers, thrown) {
    return this.#error(`${path(headers)}/error`, thrown, attempt(headers));
  }

  /* Reports that the function could not be loaded. */
  failInit(thrown) {
    return this.#error('/init/error', thrown, {});
  }

  #error(where, thrown, headers) {
    const document = errorDocument(thrown);
    const type = String(document.errorType).replace(/[^\x20-\x7e]/g, encodeURIComponent);
    const more = { ...headers, 'Lambda-Runtime-Function-Error-Type': type };
    return this.#request('POST', where, 202, JSON.stringify(document), more);
  }

  #request(method, where, expected, body, headers = {}) {
    return new Promise((resolve, reject) => {
      const content = body === undefined ? undefined : Buffer.from(body);
      const options = {
        host: this.#host,
        port: this.#port,
        agent: this.#agent,
        method,
        path: ROOT + where,
        headers: {
          'User-Agent': `aws-lambda-nodejs/${process.version}`,
          ...(content && { 'Content-Type': 'application/json', 'Content-Length': content.length }),
          ...headers,
        },
      };
      const request = http.request(options, (response) => {
        const chunks = [];
        response.on('data', (chunk) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString();
          // The platform has already reported a response that is too large to the caller.
          if (response.statusCode === expected || response.statusCode === 413) {
            resolve({ headers: response.headers, body: text });
          } else {
            reject(new Error(`${method} ${where} was answered ${response.statusCode}: ${text}`));
          }
        });
      });
      request.on('error', reject);
      request.end(content);
    });
  }
}

function path(headers) {
  return `/invocation/${encodeURIComponent(headers['lambda-runtime-aws-request-id'])}`;
}

function attempt(headers) {
  const id = headers['lambda-runtime-invocation-id'];
  return id ? { 'Lambda-Runtime-Invocation-Id': id } : {};
}

module.exports = { RuntimeApi };

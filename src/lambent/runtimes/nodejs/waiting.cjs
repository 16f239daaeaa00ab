/*
 * A prewarmed Node.js process: it loads what every function needs, reports this
 * at its control socket and waits there, without privileges or data of any function, for the
 * environment variables of its function. By then that function's code is mounted.
 */
'use strict';

const fs = require('node:fs');
const module_ = require('node:module');
const http = require('node:http');
require('node:util');
require('node:url');
require('./logging.cjs');
require('./errors.cjs');
const { RuntimeApi } = require('./runtime_api.cjs');
require('./invocations.cjs');
require('./handler.cjs');
require('./node_path.cjs');
require('./streaming.cjs');
require('./last_modules.cjs');

const CONTROL_FD = 4;
const READ_BYTES = 65536;

function awaitAssignment() {
  fs.writeSync(CONTROL_FD, 'ready');
  const chunks = [];
  for (;;) {
    const chunk = Buffer.alloc(READ_BYTES);
    const length = fs.readSync(CONTROL_FD, chunk, 0, READ_BYTES, null);
    if (length === 0) {
      break;
    }
    chunks.push(chunk.subarray(0, length));
  }
  fs.closeSync(CONTROL_FD);
  if (chunks.length === 0) {
    process.exit(0);
  }
  return JSON.parse(Buffer.concat(chunks).toString());
}

function become(environment) {
  for (const name of Object.keys(process.env)) {
    if (!(name in environment)) {
      delete process.env[name];
    }
  }
  Object.assign(process.env, environment);
  process.chdir(environment.LAMBDA_TASK_ROOT);
  // Node read NODE_PATH when it started.
  module_.Module._initPaths();
  process.argv[1] = `${__dirname}/bootstrap.cjs`;
}

/* Fetches an event from a local server, so that the code for this is compiled and in memory. */
async function rehearse() {
  const server = http.createServer((_, response) => response.end('{}'));
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  await new RuntimeApi(`127.0.0.1:${server.address().port}`).next();
  server.closeAllConnections?.();
  await new Promise((resolve) => server.close(resolve));
}

rehearse().then(() => {
  become(awaitAssignment());
  require('./bootstrap.cjs');
});

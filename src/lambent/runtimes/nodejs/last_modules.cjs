/*
 * Modules that every function can require, unless it brings its own: looked for last of all.
 *
 * They are packages among the runtime's, where `import` finds them. `require` looks there before it
 * looks along NODE_PATH, which has the function's own files and those of layers.
 */
'use strict';

const { Module } = require('node:module');
const path = require('node:path');

const LAST = new Map([['cfn-response', path.join(__dirname, 'node_modules', 'cfn-response', 'index.cjs')]]);
/* Where functions see the runtime's packages, besides in the runtime's own directory. */
const SHOWN = '/var/node_modules/';

const resolve = Module._resolveFilename;

Module._resolveFilename = function (request, ...more) {
  if (!LAST.has(request)) {
    return resolve.call(this, request, ...more);
  }
  let found;
  try {
    found = resolve.call(this, request, ...more);
  } catch (error) {
    if (error.code !== 'MODULE_NOT_FOUND') {
      throw error;
    }
  }
  if (found && !isOfTheRuntime(found)) {
    return found;
  }
  const others = (process.env.NODE_PATH || '').split(path.delimiter).filter((directory) => directory && !isOfTheRuntime(directory));
  return Module._findPath(request, others) || LAST.get(request);
};

function isOfTheRuntime(file) {
  return file === __dirname || file.startsWith(__dirname + path.sep) || file.startsWith(SHOWN);
}

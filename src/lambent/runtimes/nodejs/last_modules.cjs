/*
 * Modules that every function can require, unless it brings its own: looked for last of all.
 */
'use strict';

const { Module } = require('node:module');
const path = require('node:path');

const LAST = new Map([['cfn-response', path.join(__dirname, 'cfn_response.cjs')]]);

const resolve = Module._resolveFilename;

Module._resolveFilename = function (request, ...more) {
  if (!LAST.has(request)) {
    return resolve.call(this, request, ...more);
  }
  try {
    return resolve.call(this, request, ...more);
  } catch (error) {
    if (error.code !== 'MODULE_NOT_FOUND') {
      throw error;
    }
    return LAST.get(request);
  }
};

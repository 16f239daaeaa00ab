/*
 * The console of a function: every call becomes one log event.
 *
 * With `_LAMBDA_TELEMETRY_LOG_FD` events go framed to that descriptor, so that one of several
 * lines stays whole; without it they go to stdout, with a carriage return for each newline.
 */
'use strict';

const fs = require('node:fs');
const util = require('node:util');
const { asError, errorText } = require('./errors.cjs');

const TEXT_FRAME = 0xa55a0003;
const JSON_FRAME = 0xa55a0002;
const HEADER_BYTES = 16;
/* By rank; a frame's type contains the rank from bit 2 on. */
const LEVELS = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'];
const METHODS = {
  trace: 'TRACE',
  debug: 'DEBUG',
  info: 'INFO',
  log: 'INFO',
  warn: 'WARN',
  error: 'ERROR',
  fatal: 'FATAL',
};

/* `current.requestId` is undefined before the first invocation, and printed so, as in AWS. */
const current = { requestId: undefined };
let isJson = false;

function patchConsole() {
  const environment = process.env;
  isJson = (environment.AWS_LAMBDA_LOG_FORMAT || '').toUpperCase() === 'JSON';
  const lowest = Math.max(LEVELS.indexOf((environment.AWS_LAMBDA_LOG_LEVEL || '').toUpperCase()), 0);
  const descriptor = Number.parseInt(environment._LAMBDA_TELEMETRY_LOG_FD, 10);
  delete environment._LAMBDA_TELEMETRY_LOG_FD;
  const write = Number.isNaN(descriptor) ? writeLine : (...event) => writeFrame(descriptor, ...event);
  const format = isJson ? jsonEvent : textEvent;
  for (const [method, level] of Object.entries(METHODS)) {
    const rank = LEVELS.indexOf(level);
    console[method] =
      rank < lowest && level !== 'FATAL'
        ? () => {}
        : (...values) => {
            const now = new Date();
            write(rank, now, format(level, now, values));
          };
  }
}

/* A fatal error, with a title that says what it ended. */
function logError(title, thrown) {
  if (isJson) {
    console.error(asError(thrown));
  } else {
    console.error(title, `\t${errorText(asError(thrown))}`);
  }
}

function textEvent(level, now, values) {
  // AWS's client always formats a first value, so a call without any logs `undefined`.
  const text = values.length === 0 ? 'undefined' : util.format(...values);
  return `${now.toISOString()}\t${current.requestId}\t${level}\t${text}`;
}

function jsonEvent(level, now, values) {
  const event = { timestamp: now.toISOString(), level, requestId: current.requestId };
  if (values.length === 0) {
    return JSON.stringify(event);
  }
  if (values.length === 1) {
    try {
      return JSON.stringify({ ...event, message: values[0] }, expandErrors);
    } catch {
      return JSON.stringify({ ...event, message: util.format(values[0]) });
    }
  }
  const error = values.find((value) => value instanceof Error);
  return JSON.stringify({
    ...event,
    message: util.format(...values),
    ...(error && describe(error)),
  });
}

function describe(error) {
  return {
    errorType: error.constructor?.name ?? 'UnknownError',
    errorMessage: error.message,
    stackTrace: typeof error.stack === 'string' ? error.stack.split('\n') : [],
  };
}

function expandErrors(_, value) {
  return value instanceof Error ? { ...describe(value), ...value } : value;
}

function writeLine(_rank, _now, event) {
  process.stdout.write(`${event.replaceAll('\n', '\r')}\n`);
}

function writeFrame(descriptor, rank, now, event) {
  const message = isJson ? event : `${event}\n`;
  const frame = Buffer.allocUnsafe(HEADER_BYTES + Buffer.byteLength(message));
  frame.writeUInt32BE(((isJson ? JSON_FRAME : TEXT_FRAME) | ((rank + 1) << 2)) >>> 0, 0);
  frame.writeUInt32BE(frame.length - HEADER_BYTES, 4);
  frame.writeBigInt64BE(BigInt(now.valueOf()) * 1000n, 8);
  frame.write(message, HEADER_BYTES);
  for (let written = 0; written < frame.length; ) {
    try {
      written += fs.writeSync(descriptor, frame, written);
    } catch (error) {
      if (error.code !== 'EAGAIN') {
        throw error;
      }
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1); // The pipe is full: 1 ms.
    }
  }
}

module.exports = { current, logError, patchConsole };

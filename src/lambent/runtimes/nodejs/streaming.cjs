/*
 * Handlers that stream their response: `awslambda.streamifyResponse` marks them,
 * `awslambda.HttpResponseStream.from` sends status and headers first.
 *
 * Nothing is sent before the first chunk: until then the content type may be set, and an error is
 * an ordinary one. A later error is sent after the last chunk.
 */
'use strict';

const { Writable } = require('node:stream');
const { errorDocument } = require('./errors.cjs');

const STREAMING = Symbol.for('aws.lambda.runtime.handler.streaming');
const HTTP_TYPE = 'application/vnd.awslambda.http-integration-response';
const DEFAULT_TYPE = 'application/octet-stream';
const PRELUDE_END = Buffer.alloc(8);

class ResponseStream extends Writable {
  #open;
  #request = null;
  #contentType = DEFAULT_TYPE;
  #error = null;

  /* `open(contentType)` starts the request to the Runtime API that carries the chunks. */
  constructor(open) {
    super({ highWaterMark: 64 * 1024 });
    this.#open = open;
  }

  setContentType(contentType) {
    if (this.#request) {
      throw new Error('Cannot set content-type, it has already been set');
    }
    this.#contentType = contentType;
  }

  get hasBegun() {
    return this.#request !== null;
  }

  /* Ends the stream with an error that is sent after the last chunk. */
  fail(thrown) {
    this.#error = errorDocument(thrown);
    this.end();
  }

  /* Settles when the Runtime API has received everything. */
  get taken() {
    return this.#begin().taken;
  }

  _write(chunk, encoding, done) {
    const data = typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk;
    this.#begin().write(data, done);
  }

  _writev(chunks, done) {
    const data = chunks.map(({ chunk, encoding }) =>
      typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk,
    );
    this.#begin().write(Buffer.concat(data), done);
  }

  _final(done) {
    const request = this.#begin();
    if (this.#error) {
      const body = Buffer.from(JSON.stringify(this.#error)).toString('base64');
      const type = String(this.#error.errorType).replace(/[^\x20-\x7e]/g, encodeURIComponent);
      request.addTrailers({
        'Lambda-Runtime-Function-Error-Type': type,
        'Lambda-Runtime-Function-Error-Body': body,
      });
    }
    request.end(done);
  }

  #begin() {
    this.#request ??= this.#open(this.#contentType);
    return this.#request;
  }
}

const awslambda = {
  streamifyResponse(handler, options) {
    if (typeof handler !== 'function') {
      throw new Error('Only a function can be streamified');
    }
    handler[STREAMING] = options?.highWaterMark ? { highWaterMark: options.highWaterMark } : 'response';
    return handler;
  },
  HttpResponseStream: class HttpResponseStream {
    static from(stream, prelude) {
      stream.setContentType(HTTP_TYPE);
      stream.write(JSON.stringify(prelude));
      stream.write(PRELUDE_END);
      return stream;
    }
  },
};

function isStreaming(handler) {
  return handler[STREAMING] !== undefined;
}

module.exports = { ResponseStream, awslambda, isStreaming };

// An HTTP API of pets. The event has payload version 2.0.
export const PETS = { 1: 'Tom', 2: 'Rex' };

const respond = (statusCode, document) => ({
  statusCode,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(document),
});

// `routeKey` says which route was called.
export const handler = async (event) => {
  if (event.routeKey === 'GET /pets') {
    return respond(200, PETS);
  }
  const name = PETS[event.pathParameters.id];
  return name ? respond(200, { name }) : respond(404, { message: 'no such pet' });
};

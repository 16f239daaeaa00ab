import assert from 'node:assert';
import { test } from 'node:test';
import { PETS, handler } from './app.mjs';

const get = (id) => handler({ routeKey: 'GET /pets/{id}', pathParameters: { id } });

test('all', async () => {
  const response = await handler({ routeKey: 'GET /pets' });
  assert.deepStrictEqual(JSON.parse(response.body), JSON.parse(JSON.stringify(PETS)));
});

test('one', async () => {
  assert.strictEqual((await get('1')).statusCode, 200);
  assert.strictEqual((await get('9')).statusCode, 404);
});

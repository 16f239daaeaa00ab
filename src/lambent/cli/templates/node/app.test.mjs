import assert from 'node:assert';
import { test } from 'node:test';
import { handler } from './app.mjs';

test('a name', async () => {
  assert.deepStrictEqual(await handler({ name: 'Ada' }), { greeting: 'Hello Ada' });
});

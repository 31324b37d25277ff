// Every call of the `mixpanel` package, one after another; prints what each answered its callback.
// node server.mjs <host:port> <path> <token> <api key>
import Mixpanel from 'mixpanel';

const [, , host, path, token, key] = process.argv;
const quiet = { trace() {}, debug() {}, info() {}, warn() {}, error() {} };
const mixpanel = Mixpanel.init(token, { host, path, protocol: 'http', key, logger: quiet });
const answers = {};

/** Calls `method` of `target` with `values`; its answer is kept under `name`. */
async function call(name, target, method, ...values) {
  answers[name] = await new Promise((resolve) => {
    target[method](...values, (error) => resolve(error ? String(error) : 'ok'));
  });
}

const noon = new Date('2024-05-06T12:00:00.250Z');
const { people, groups } = mixpanel;
await call('track', mixpanel, 'track', 'bought', { distinct_id: 'ada', $insert_id: 'n-1', time: noon, price: 12.5, note: 'Größe + 1 % & more? ~ 👍' });
await call('anonymous', mixpanel, 'track', 'looked', { distinct_id: '$device:d1', $insert_id: 'n-2' });
await call('batch', mixpanel, 'track_batch', [
  { event: 'opened', properties: { distinct_id: 'ada', $insert_id: 'n-3', time: noon } },
  { event: 'closed', properties: { distinct_id: 'ada', $insert_id: 'n-4' } },
]);
await call('import', mixpanel, 'import', 'signed_up', noon, { distinct_id: 'ada', $insert_id: 'n-5' });
await call('import_batch', mixpanel, 'import_batch', Array.from({ length: 60 }, (_, number) => (
  { event: 'visited', properties: { distinct_id: 'bob', $insert_id: `n-i${number}`, time: noon } }
)));
await call('alias', mixpanel, 'alias', '$device:d1', 'ada');
await call('set', people, 'set', 'ada', { plan: 'pro', $email: 'ada@example.com' }, { $ip: '203.0.113.9', $time: noon });
await call('set_once', people, 'set_once', 'ada', 'first_seen', '2024-05-06');
await call('increment', people, 'increment', 'ada', { logins: 2, credits: -1 });
await call('append', people, 'append', 'ada', 'pages', 'home');
await call('union', people, 'union', 'ada', { browsers: ['firefox'] });
await call('remove', people, 'remove', 'ada', { browsers: 'chrome' });
await call('unset', people, 'unset', 'ada', ['old']);
await call('charge', people, 'track_charge', 'ada', 29.99);
await call('delete', people, 'delete_user', 'ada', {});
await call('group_set', groups, 'set', 'company', 'acme', { seats: 5 });
await call('group_set_once', groups, 'set_once', 'company', 'acme', { since: '2024' });
await call('group_union', groups, 'union', 'company', 'acme', { products: ['anvil'] });
await call('illegal', mixpanel, 'track', 'bought', { distinct_id: 'null', $insert_id: 'n-6' });
console.log(JSON.stringify(answers));
process.exit(0);

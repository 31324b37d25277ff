// Sends one event of each kind with posthog-node: node.mjs <host> <write key> <v0|v1> <gzip|plain>
import { PostHog } from 'posthog-node'

const [host, key, mode, compression] = process.argv.slice(2)
process.env.POSTHOG_CAPTURE_MODE = mode
const client = new PostHog(key, {
  host,
  flushAt: 50,
  captureMode: mode,
  disableCompression: compression === 'plain',
  fetchRetryCount: 1,
  fetchRetryDelay: 50,
})
const errors = []
client.on('error', (error) => errors.push(String(error)))

client.identify({ distinctId: 'ada', properties: { plan: 'pro', $set_once: { first: 'x' }, $anon_distinct_id: 'device-1' } })
client.alias({ distinctId: 'ada', alias: 'ada@example.com' })
client.groupIdentify({ groupType: 'company', groupKey: 'acme', properties: { seats: 3 }, distinctId: 'ada' })
client.capture({
  distinctId: 'ada',
  event: 'buy',
  properties: { price: 12.5, $session_id: 'session-1', $set: { city: 'Bern' } },
  groups: { company: 'acme' },
  timestamp: new Date('2026-05-06T07:08:09.123Z'),
  uuid: '01890a5d-ac96-774b-bcce-b302099a8057',
})
client.capture({ distinctId: 'null', event: 'nobody' })
const flags = await client.getAllFlags('ada')
await client.shutdown()
console.log(JSON.stringify({ errors, flags }))

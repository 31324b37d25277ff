// Visits a page with posthog-js in jsdom: web.mjs <host> <write key>
import { JSDOM } from 'jsdom'

const [host, key] = process.argv.slice(2)
const { window } = new JSDOM('<!doctype html><title>Shop</title><p>', {
  url: 'https://shop.example/pricing?utm_source=news&utm_campaign=may',
  referrer: 'https://search.example/',
  pretendToBeVisual: true,
})
const answers = []
const { fetch } = globalThis
window.fetch = globalThis.fetch = async (url, options) => {
  const answer = await fetch(url, options)
  answers.push([new URL(url).pathname, answer.status])
  return answer
}
const globals = ['window', 'document', 'navigator', 'location', 'localStorage', 'sessionStorage', 'history', 'XMLHttpRequest']
for (const name of globals) {
  Object.defineProperty(globalThis, name, { value: window[name], configurable: true, writable: true })
}

const { default: posthog } = await import('posthog-js/dist/module.no-external.js')
await new Promise((resolve) => {
  posthog.init(key, {
    api_host: host,
    loaded: resolve,
    autocapture: false,
    capture_pageview: false,
    opt_out_useragent_filter: true,
    request_queue_config: { flush_interval_ms: 250 },
  })
})
const settled = () => new Promise((resolve) => setTimeout(resolve, 1000))
posthog.capture('$pageview')
posthog.capture('add_to_cart', { sku: 'A-17' })
await settled()
posthog.identify('ada', { plan: 'pro' }, { first: 'x' })
posthog.group('company', 'acme', { seats: 3 })
posthog.setPersonProperties({ color: 'red' })
posthog.capture('buy', { price: 12.5 })
await settled()
const flags = posthog.featureFlags.getFlags()
console.log(JSON.stringify({ answers, flags, device: posthog.get_property('$device_id'), session: posthog.get_session_id() }))
process.exit(0)

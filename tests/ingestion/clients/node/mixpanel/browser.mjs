// A visitor of a page with mixpanel-browser, in what little of a browser the client asks for.
// node browser.mjs <collector> <token>
import { setTimeout as pause } from 'node:timers/promises';

const [, , collector, token] = process.argv;
const stored = new Map();
const storage = {
  getItem: (key) => stored.get(key) ?? null,
  setItem: (key, value) => stored.set(key, String(value)),
  removeItem: (key) => stored.delete(key),
};
const answers = [];

class XMLHttpRequest {
  withCredentials = false;
  timeout = 0;
  headers = {};

  open(method, url) {
    Object.assign(this, { method, url });
  }

  setRequestHeader(name, value) {
    this.headers[name] = value;
  }

  async send(body) {
    const answer = await fetch(this.url, { method: this.method, headers: this.headers, body });
    this.responseText = await answer.text();
    this.status = answer.status;
    this.readyState = 4;
    answers.push({ url: new URL(this.url).pathname, status: this.status, body: this.responseText });
    this.onreadystatechange();
  }
}

const location = new URL('https://shop.example/pricing?utm_source=news&utm_medium=mail#plans');
const nothing = () => {};
const document = {
  title: 'Pricing',
  referrer: 'https://search.example/?q=shop',
  URL: location.href,
  cookie: '',
  location,
  createElement: () => ({ style: {} }),
  getElementsByTagName: () => [],
  addEventListener: nothing,
};
globalThis.window = Object.assign(globalThis, {
  XMLHttpRequest,
  document,
  location,
  screen: { width: 1440, height: 900 },
  localStorage: storage,
  sessionStorage: storage,
  addEventListener: nothing,
  removeEventListener: nothing,
  dispatchEvent: nothing,
  CustomEvent: class {},
  top: undefined,
});
Object.defineProperty(globalThis, 'navigator', {
  value: { userAgent: 'Mozilla/5.0 (X11; Linux x86_64) Firefox/128.0', vendor: '', onLine: true },
  configurable: true,
});

const { default: mixpanel } = await import('mixpanel-browser/dist/mixpanel-core.cjs.js');
mixpanel.init(token, {
  api_host: collector,
  persistence: 'localStorage',
  batch_flush_interval_ms: 50,
  autocapture: false,
  record_sessions_percent: 0,
});
mixpanel.track_pageview();
mixpanel.track('viewed_plan', { plan: 'pro' });
mixpanel.identify('ada');
mixpanel.people.set({ $email: 'ada@example.com' });
mixpanel.people.increment('logins');
mixpanel.get_group('company', 'acme').set('seats', 5);
mixpanel.track('bought', { price: 12.5 });
await pause(1500);
console.log(JSON.stringify(answers));
process.exit(0);

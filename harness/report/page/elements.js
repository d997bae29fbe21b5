// Elements are made, never parsed: whatever a service sent becomes a text node.

const SVG = 'http://www.w3.org/2000/svg';

function element(tag, attributes, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

function drawing(tag, attributes, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else if (name === 'style') for (const [key, set] of Object.entries(value)) node.style.setProperty(key, set);
    else node.setAttribute(name, value === true ? '' : value);
  }
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined && child !== false) node.append(typeof child === 'string' ? visible(child) : child);
  }
  return node;
}

// Characters that turn the direction of what follows are named, so that no telemetry can rewrite the page's own words.
function visible(text) {
  return text.replace(/[\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, (found) => `\\u${found.charCodeAt(0).toString(16)}`);
}

// A <details> whose content is made when it is opened for the first time.
function disclosure(summary, content, {open = false, kind = ''} = {}) {
  const node = element('details', {class: kind || null}, element('summary', null, summary));
  let made = false;
  const make = () => {
    if (made || !node.open) return;
    made = true;
    node.append(...[content()].flat(Infinity).filter(Boolean));
  };
  node.addEventListener('toggle', make);
  node.open = open;
  make();
  return node;
}

function section(title, ...content) {
  const held = content.flat(Infinity).filter(Boolean);
  return held.length ? element('section', null, element('h2', null, title), held) : null;
}

function badge(text, kind = '') {
  return element('span', {class: `badge ${kind}`}, text);
}

function textOf(value) {
  if (typeof value === 'string') return value;
  return JSON.stringify(value, null, 2) ?? String(value);
}

function isObject(value) {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

function valuesOf(value) {
  if (Array.isArray(value)) return value;
  return isObject(value) && Array.isArray(value.values) ? value.values : [];
}

function pairsOf(value) {
  if (Array.isArray(value)) return value.filter(Array.isArray).map(([key, held]) => [String(key), held]);
  return isObject(value) ? Object.entries(value) : [];
}

function table(pairs, kind = '') {
  const rows = pairs.map(([key, value]) =>
    element('tr', null, element('th', {scope: 'row'}, key), element('td', null, element('code', null, textOf(value)))));
  return rows.length ? element('div', {class: 'scroll'}, element('table', {class: `pairs ${kind}`}, element('tbody', null, rows))) : null;
}

function plural(count, word) {
  return `${count.toLocaleString('en')} ${word}${count === 1 ? '' : 's'}`;
}

function milliseconds(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return '';
  if (value >= 10000) return `${(value / 1000).toFixed(1)} s`;
  return value >= 10 ? `${Math.round(value)} ms` : `${value.toFixed(1)} ms`;
}

function bytes(value) {
  if (value >= 1e6) return `${(value / 1e6).toFixed(1)} MB`;
  return value >= 1e3 ? `${(value / 1e3).toFixed(1)} kB` : `${value} B`;
}

function secondsOf(value) {
  if (typeof value === 'number') return value;
  const zoned = typeof value === 'string' && /(Z|[+-]\d\d:?\d\d)$/.test(value) ? value : `${value}Z`;
  const moment = Date.parse(zoned);
  return Number.isNaN(moment) ? null : moment / 1000;
}

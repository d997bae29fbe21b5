// The verdict, the numbers, and what concerns the run as a whole.

function verdict() {
  const created = new Date(overview.created * 1000);
  return element('header', {class: `verdict ${overview.passed ? 'good' : 'bad'}`},
    element('div', {class: 'mark', 'aria-hidden': 'true'}, overview.passed ? '✓' : '✕'),
    element('div', {class: 'grow'},
      element('h1', null, overview.passed ? 'Passed' : 'Failed', element('small', null, 'Sentry verification')),
      element('p', null, overview.headline),
      overview.notes.map((note) => element('p', {class: 'quiet'}, note))),
    element('div', {class: 'when'},
      element('time', {datetime: created.toISOString()}, created.toLocaleString()),
      element('button', {type: 'button', onclick: switchColours, title: 'Light or dark'}, '◐')));
}

function switchColours() {
  const root = document.documentElement;
  const dark = getComputedStyle(root).colorScheme.includes('dark') && (root.style.colorScheme === 'dark'
    || (!root.style.colorScheme && matchMedia('(prefers-color-scheme: dark)').matches));
  root.style.colorScheme = dark ? 'light' : 'dark';
}

function numbers() {
  const tests = overview.tests;
  const bad = tests.failed + tests.error;
  const ran = tests.passed + bad;
  const covered = overview.coverage.reduce((sum, of) => sum + of.endpoints.length - of.missing.length, 0);
  const endpoints = overview.coverage.reduce((sum, of) => sum + of.endpoints.length, 0);
  const findings = overview.findings;
  const differences = Object.entries(overview.differences).map(([kind, count]) => `${count} ${kind}`);
  const rest = ['skipped', 'not run'].filter((kind) => tests[kind]).map((kind) => `${tests[kind]} ${kind}`);
  return element('div', {class: 'tiles'},
    tile(`${tests.passed} / ${ran}`, 'tests passed', [bad && `${bad} failed`, ...rest], bad ? 'bad' : 'good'),
    endpoints ? tile(`${covered} / ${endpoints}`, 'endpoints covered', [covered < endpoints && `${endpoints - covered} without a scenario`],
      covered < endpoints ? 'warn' : 'good') : null,
    tile(findings.error ?? 0, 'findings that fail', [findings.warning && plural(findings.warning, 'warning'),
      findings.allowed && `${findings.allowed} allowed`], findings.error ? 'bad' : 'good'),
    differences.length ? tile(Object.values(overview.differences).reduce((sum, count) => sum + count), `differences from the ${overview.compared_with}`, differences, 'warn') : null,
    tile(overview.lost_total, 'lost traces', [overview.refusals_total && `${overview.refusals_total} refused requests`],
      overview.lost_total || overview.refusals_total ? 'warn' : 'good'),
    tile(overview.envelopes.toLocaleString('en'), 'envelopes captured', [bytes(overview.bytes)]),
    tile(`${overview.timing.all_scenarios.toFixed(1)} s`, 'all scenarios at once', [`fleet up in ${overview.timing.fleet_start.toFixed(1)} s`]));
}

function tile(value, label, notes, kind = '') {
  return element('div', {class: `tile ${kind}`}, element('strong', null, String(value)), element('span', null, label),
    element('small', null, notes.filter(Boolean).join(' · ') || '\u00a0'));
}

function runProblems() {
  const uncovered = overview.coverage.flatMap((of) => of.missing.map((endpoint) => `${of.service} ${endpoint}`));
  return element('div', {class: 'problems'},
    overview.failure && section('The fleet did not start', element('pre', {class: 'message'}, overview.failure)),
    overview.died.length ? section('Services that died although no scenario expects it', element('ul', null,
      overview.died.map(([name, code]) => element('li', null, serviceName(name), ` ended with exit code ${code}`)))) : null,
    section('Findings over the whole run', overview.run_findings.slice(0, 3).map(finding),
      overview.run_findings.length > 3 && disclosure(`${overview.run_findings.length - 3} more`,
        () => element('div', null, overview.run_findings.slice(3).map(finding)))),
    uncovered.length ? disclosure(`Debug endpoints without a scenario (${uncovered.length})${overview.enforced ? ', which fails the run' : ''}`,
      () => element('ul', {class: 'endpoints'}, uncovered.map((endpoint) => element('li', null, element('code', null, endpoint)))), {open: overview.enforced}) : null,
    listed('Errors outside of every scenario’s trace', overview.lost.map(([service, title, trace]) =>
      [serviceName(service), ' ', title, ' ', element('small', null, trace ?? 'no trace')]), overview.lost_total),
    listed('Requests that Sentry would refuse', overview.refusals, overview.refusals_total),
    overview.faults.length ? disclosure(`Faults injected on purpose (${overview.faults.reduce((sum, of) => sum + of.total, 0)})`,
      () => faultCards(overview.faults)) : null,
    listed('Allowed findings over the whole run', overview.run_allowed, overview.run_allowed_total));
}

function listed(title, entries, total) {
  if (!entries.length) return null;
  const more = total > entries.length ? element('p', {class: 'quiet'}, `and ${total - entries.length} more in run.json`) : null;
  return disclosure(`${title} (${total})`, () => [element('ul', null, entries.map((entry) => element('li', null, entry))), more]);
}

function services() {
  if (!overview.services.length) return null;
  return section('Services', element('div', {class: 'cards'}, overview.services.map((service) => {
    const of = overview.coverage.find((held) => held.service === service.name);
    const done = of ? of.endpoints.length - of.missing.length : 0;
    return element('article', {class: 'card'},
      element('h3', null, serviceName(service.name), element('small', null, service.sdk ?? 'no SDK answered')),
      of && element('div', {class: 'cover'},
        element('meter', {min: 0, max: of.endpoints.length, value: done, 'aria-label': 'endpoints covered'}),
        element('span', null, `${done} of ${of.endpoints.length} debug endpoints`)),
      element('p', {class: 'quiet'}, `${plural(service.scenarios, 'scenario')} · ${plural(service.envelopes, 'envelope')}`,
        Object.keys(service.items).length ? ': ' : '',
        Object.entries(service.items).sort().map(([kind, count]) => `${count} ${kind}`).join(', ')),
      resources(service.samples, colour(service.name)));
  })));
}

function resources(samples, stroke) {
  if (samples.length < 2) return null;
  return element('div', {class: 'charts'},
    chart(samples, (sample) => sample[1], stroke, 'memory', (value) => Math.round(value / 1e6), 'MB'),
    chart(samples, (sample) => sample[2], stroke, 'CPU', Math.round, '%'));
}

function chart(samples, read, stroke, label, rounded, unit) {
  const values = samples.map(read);
  const [lowest, highest] = [Math.min(...values), Math.max(...values)];
  const [from, to] = [samples[0][0], samples[samples.length - 1][0]];
  const x = (at) => (to > from ? (at - from) / (to - from) * 200 : 0);
  const floor = label === 'CPU' ? 0 : lowest * 0.9;
  const y = (value) => 38 - (highest > floor ? (value - floor) / (highest - floor) * 34 : 0);
  const points = samples.map((sample, at) => `${x(sample[0]).toFixed(1)},${y(values[at]).toFixed(1)}`);
  const range = rounded(lowest) === rounded(highest) ? `${rounded(highest)} ${unit}` : `${rounded(lowest)}–${rounded(highest)} ${unit}`;
  return element('figure', null,
    drawing('svg', {viewBox: '0 0 200 40', preserveAspectRatio: 'none', role: 'img', 'aria-label': `${label}: ${range}`, style: {color: stroke}},
      drawing('polygon', {points: `0,40 ${points.join(' ')} 200,40`, fill: 'currentColor', opacity: '0.15'}),
      drawing('polyline', {points: points.join(' '), fill: 'none', stroke: 'currentColor', 'stroke-width': '1.5', 'vector-effect': 'non-scaling-stroke'})),
    element('figcaption', null, `${label} ${range}`));
}

function finding(held) {
  const kind = held.allowed !== null ? 'allowed' : held.severity;
  const check = held.code.split('.')[0];
  return element('article', {class: `finding ${kind}`},
    element('div', null, badge(kind, kind), ' ', element('code', null, held.code), ' ', held.service && serviceName(held.service)),
    element('p', null, held.message),
    (held.item || held.path) && element('p', {class: 'quiet'}, [held.item, held.path && ['at ', element('code', null, held.path)]].filter(Boolean).flatMap((part) => [part, ' '])),
    held.allowed !== null && element('p', null, element('b', null, 'Allowed: '), held.allowed),
    element('p', {class: 'quiet'}, 'What to do: docs/checks/', `${check}.md`));
}

// One test with everything about it.

async function detailView(number) {
  const row = overview.rows[number];
  const held = await detailsOf(number);
  return element('main', {class: 'page detail'},
    element('nav', {class: 'crumb'}, element('a', {href: '#'}, '← All scenarios'),
      element('span', {class: 'grow'}),
      number > 0 && element('a', {href: `#test-${number - 1}`, title: 'Previous (k)'}, 'Previous'),
      number + 1 < overview.rows.length && element('a', {href: `#test-${number + 1}`, title: 'Next (j)'}, 'Next')),
    element('h1', {class: 'title', tabindex: '-1'}, outcomeMark(row.outcome), ' ', row.title),
    element('p', {class: 'quiet'}, element('code', null, row.id), row.line ? ` · ${row.file}:${row.line}` : '', ` · ${row.outcome}`),
    held.message && section(row.outcome === 'skipped' ? 'Skipped' : 'Why it failed', failureText(held.message)),
    section('Findings', held.findings.map(finding)),
    section(`Differences from the ${overview.compared_with}`, differences(held.differences)),
    held.captures.map((capture, at) => captureView(capture, held.captures.length > 1 ? `Request ${at + 1}: ${capture.title}` : null)),
    !held.captures.length && element('p', {class: 'quiet'}, held.unshown ? `Its captures are in envelopes/: ${held.unshown}.` : 'Nothing was captured for this test.'));
}

function failureText(message) {
  return element('pre', {class: 'message', tabindex: '0'}, message.split('\n').map((line) =>
    element('span', {class: line.startsWith('E ') ? 'error-line' : line.startsWith('>') ? 'here' : null}, line, '\n')));
}

function differences(found) {
  if (!found.length) return null;
  return element('div', {class: 'scroll'}, element('table', {class: 'differences'},
    element('thead', null, element('tr', null, ['', 'path', overview.compared_with, 'now'].map((name) => element('th', {scope: 'col'}, name)))),
    element('tbody', null, found.map((difference) => element('tr', null,
      element('td', null, badge(difference.kind, difference.kind === 'gained' || difference.accepted ? 'warning' : 'error'),
        difference.accepted && element('small', null, ' ', difference.accepted)),
      element('td', null, element('code', null, difference.path)),
      element('td', {class: 'old'}, difference.kind === 'gained' ? '' : element('pre', null, textOf(difference.expected))),
      element('td', {class: 'new'}, difference.kind === 'lost' ? '' : element('pre', null, textOf(difference.actual))))))));
}

function captureView(capture, title) {
  return element('div', {class: 'capture'},
    title && element('h2', {class: 'request'}, title),
    capture.page && section('Page', pageView(capture.page)),
    (capture.response || capture.problem || !capture.page) && section('Response', responseView(capture)),
    section('Trace', element('p', {class: 'quiet'}, element('code', null, capture.trace), capture.isolated ? ' · on instances of its own' : ''), waterfall(capture)),
    section('Faults injected on purpose', faultCards(capture.faults)),
    section(`Events (${capture.events.length})`, capture.events.map((event, number) => eventCard(event, number, capture))),
    section(`Logs (${capture.logs.length})`, logs(capture.logs)),
    section(`Metrics (${capture.metrics.length})`, metrics(capture.metrics)),
    section('Services meanwhile', servicesMeanwhile(capture.services)),
    section(`Raw items (${plural(capture.envelopes.length, 'envelope')})`, capture.envelopes.map(envelopeView)));
}

function pageView(page) {
  return [
    element('p', {class: 'facts'}, element('code', null, page.url)),
    element('img', {class: 'screenshot', alt: 'What the page showed when the action was over', src: `data:image/jpeg;base64,${page.screenshot}`}),
    page.console.length > 0 && disclosure(`Console (${plural(page.console.length, 'line')})`, () => element('pre', {class: 'source', tabindex: '0'}, page.console.join('\n')), {open: true, kind: 'part'}),
  ];
}

function responseView(capture) {
  const response = capture.response;
  if (!response) return element('p', {class: 'message'}, capture.problem ?? 'No answer.');
  const asExpected = capture.expected === null || response.status === capture.expected;
  return [
    element('p', {class: 'facts'}, badge(response.status, asExpected ? 'good' : 'error'),
      asExpected ? null : element('span', null, `expected ${capture.expected}`),
      milliseconds(response.elapsed_ms), element('code', null, response.url)),
    element('pre', {class: 'source', tabindex: '0'}, prettyBody(response) || '(empty)'),
    disclosure(`Headers (${Object.keys(response.headers).length})`, () => table(Object.entries(response.headers)), {kind: 'part'}),
  ];
}

function prettyBody(response) {
  if (response.body_encoding !== 'utf-8') return `${response.body} (base64)`;
  try {
    return JSON.stringify(JSON.parse(response.body), null, 2);
  } catch {
    return response.body;
  }
}

function logs(entries) {
  if (!entries.length) return null;
  return element('div', {class: 'scroll'}, element('table', {class: 'crumbs'}, element('tbody', null, entries.map((log) => element('tr', null,
    element('td', null, badge(log.level ?? '?', ['error', 'fatal'].includes(log.level) ? 'error' : log.level === 'warn' ? 'warning' : '')),
    element('td', null, serviceName(log.service)),
    element('td', null, log.body, disclosure('attributes', () => table(Object.entries(log.data).sort()), {kind: 'inline'})))))));
}

function metrics(entries) {
  if (!entries.length) return null;
  return element('div', {class: 'scroll'}, element('table', {class: 'crumbs'}, element('tbody', null, entries.map((metric) => element('tr', null,
    element('td', null, serviceName(metric.service)), element('td', null, element('code', null, metric.name)), element('td', null, badge(metric.type ?? '?')),
    element('td', null, `${metric.value ?? ''} ${metric.unit ?? ''}`))))));
}

function servicesMeanwhile(held) {
  const names = Object.keys(held);
  if (!names.length) return null;
  return element('div', {class: 'cards'}, names.sort().map((name) => {
    const service = held[name];
    return element('article', {class: 'card'},
      element('h3', null, serviceName(name), element('small', null, service.release ?? '')),
      element('p', {class: 'facts'}, badge(service.state, ['flushed', 'exited'].includes(service.state) ? '' : 'warning'),
        service.exit_code === null ? null : badge(`exit code ${service.exit_code}`), service.sdk && element('span', {class: 'quiet'}, service.sdk)),
      service.fate && element('p', {class: 'message'}, service.fate),
      service.refusals.map((refusal) => element('p', {class: 'message'}, refusal)),
      resources(service.samples, colour(name)),
      service.log && disclosure('Last lines of its log', () => element('pre', {class: 'source', tabindex: '0'}, service.log), {kind: 'part'}));
  }));
}

function envelopeView(envelope) {
  const kinds = envelope.items.map((item) => item.headers.type).join(', ') || 'no items';
  const title = [serviceName(envelope.service), ` #${envelope.number} `, element('b', null, kinds), ' ',
    element('span', {class: 'quiet'}, `${bytes(envelope.size)}${envelope.encoding ? ` ${envelope.encoding}` : ''} · ${envelope.file}`)];
  return disclosure(title, () => [
    element('h4', null, 'Envelope headers'), json(envelope.headers),
    envelope.items.map((item) => [element('h4', null, `${item.headers.type}, ${bytes(item.size)}`), json(item.headers), itemPayload(item, envelope)]),
  ], {kind: 'part raw'});
}

function itemPayload(item, envelope) {
  if (item.json !== undefined) return [item.others ? element('p', {class: 'quiet'}, `and ${item.others} of other traces`) : null, json(item.json)];
  if (item.text !== undefined) return element('pre', {class: 'source', tabindex: '0'}, item.text);
  if (item.base64 !== undefined) return element('pre', {class: 'source', tabindex: '0'}, `${item.base64} (beginning, base64)`);
  return element('p', {class: 'quiet'}, `Too large to be shown here: see ${envelope.file} in the report.`);
}

function json(value) {
  return element('pre', {class: 'source', tabindex: '0'}, JSON.stringify(value, null, 2));
}

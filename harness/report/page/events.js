// An event as Sentry's issue page tells it: what happened, where, on the way from what.

function eventCard(event, number, capture) {
  const payload = event.payload;
  const chain = valuesOf(payload.exception).filter(isObject);
  const shown = chain[chain.length - 1];
  const mechanism = isObject(shown?.mechanism) ? shown.mechanism : {};
  const level = typeof payload.level === 'string' ? payload.level : 'error';
  return element('article', {class: 'event', id: eventAnchor(capture, number), tabindex: '-1'},
    element('h3', null, badge(level, level === 'warning' ? 'warning' : ['info', 'debug', 'log'].includes(level) ? '' : 'error'),
      ' ', element('span', null, event.title)),
    element('p', {class: 'facts'}, serviceName(event.service),
      'handled' in mechanism && badge(mechanism.handled ? 'handled' : 'unhandled', mechanism.handled ? '' : 'error'),
      mechanism.type && badge(textOf(mechanism.type)),
      payload.transaction && element('code', null, textOf(payload.transaction)),
      payload.release && element('span', {class: 'quiet'}, textOf(payload.release)),
      payload.environment && element('span', {class: 'quiet'}, textOf(payload.environment))),
    chips(pairsOf(payload.tags)),
    chain.slice().reverse().map((exception, at) => stackTrace(exception, at === 0)),
    threads(payload),
    part('Breadcrumbs', valuesOf(payload.breadcrumbs).filter(isObject), (crumbs) => breadcrumbs(crumbs, payload), true),
    part('User', pairsOf(payload.user), table, true),
    part('Request', pairsOf(payload.request), table),
    contexts(payload.contexts),
    part('Extra', pairsOf(payload.extra), table),
    part('Fingerprint', valuesOf(payload.fingerprint), (values) => table(values.map((value, at) => [at + 1, value]))),
    part('SDK', pairsOf(payload.sdk), table));
}

function part(title, held, content, open = false) {
  return held.length ? disclosure(`${title} (${held.length})`, () => content(held), {open, kind: 'part'}) : null;
}

function chips(tags) {
  if (!tags.length) return null;
  return element('ul', {class: 'chips', 'aria-label': 'Tags'},
    tags.map(([key, value]) => element('li', null, element('span', null, key), element('b', null, textOf(value)))));
}

function stackTrace(exception, open) {
  const frames = valuesOf(exception.stacktrace?.frames).filter(isObject).slice().reverse();
  const title = [element('b', null, textOf(exception.type ?? 'Error')), exception.value ? `: ${textOf(exception.value)}` : ''];
  if (!frames.length) return element('p', {class: 'quiet'}, title, ' without a stack trace');
  return disclosure(title, () => frameList(frames), {open, kind: 'part stack'});
}

function threads(payload) {
  return valuesOf(payload.threads).filter(isObject).map((thread) => {
    const frames = valuesOf(thread.stacktrace?.frames).filter(isObject).slice().reverse();
    return frames.length ? disclosure(`Thread ${textOf(thread.name ?? thread.id ?? '')}`, () => frameList(frames), {kind: 'part stack'}) : null;
  });
}

function frameList(frames) {
  const own = frames.findIndex((frame) => frame.in_app === true);
  const open = own < 0 ? 0 : own;
  const items = [];
  for (let at = 0; at < frames.length;) {
    let end = at + 1;
    while (end < frames.length && !frames[at].in_app && !frames[end].in_app) end += 1;
    const run = frames.slice(at, end);
    items.push(end - at > 2 && own >= 0 ? element('li', {class: 'folded'}, disclosure(`${run.length} frames of libraries`,
      () => element('ol', {class: 'frames'}, run.map((frame) => frameItem(frame, false)))))
      : run.map((frame, offset) => frameItem(frame, at + offset === open)));
    at = end;
  }
  return element('ol', {class: 'frames'}, items);
}

function frameItem(frame, open) {
  return element('li', {class: frame.in_app ? 'own' : 'foreign'}, frameView(frame, open));
}

function frameView(frame, open) {
  const place = textOf(frame.filename ?? frame.module ?? frame.abs_path ?? '?');
  const where = [element('span', {class: 'file'}, place), ' in ', element('b', null, textOf(frame.function ?? '?')),
    frame.lineno ? ` at line ${frame.lineno}` : '', frame.in_app ? badge('in app', 'own') : null];
  const source = [...lines(frame.pre_context), ...(typeof frame.context_line === 'string' ? [frame.context_line] : []), ...lines(frame.post_context)];
  const variables = pairsOf(frame.vars);
  if (!source.length && !variables.length) return element('div', {class: 'bare'}, where);
  return disclosure(where, () => [sourceLines(frame), table(variables, 'vars')], {open});
}

function lines(value) {
  return Array.isArray(value) ? value.map(textOf) : [];
}

function sourceLines(frame) {
  if (typeof frame.context_line !== 'string') return null;
  const before = lines(frame.pre_context);
  const first = Number(frame.lineno) - before.length;
  const all = [...before, frame.context_line, ...lines(frame.post_context)];
  return element('pre', {class: 'source', tabindex: '0'}, all.map((line, at) =>
    element('span', {class: at === before.length ? 'line here' : 'line'},
      element('i', null, Number.isFinite(first) ? String(first + at) : ''), line, '\n')));
}

function breadcrumbs(crumbs, payload) {
  const end = secondsOf(payload.timestamp);
  return element('div', {class: 'scroll'}, element('table', {class: 'crumbs'}, element('tbody', null, crumbs.slice().reverse().map((crumb) => {
    const at = secondsOf(crumb.timestamp);
    const data = pairsOf(crumb.data);
    return element('tr', null,
      element('td', {class: 'quiet'}, at === null || end === null ? '' : `${Math.round((at - end) * 1000)} ms`),
      element('td', null, badge(textOf(crumb.category ?? crumb.type ?? 'default'), crumb.level === 'error' ? 'error' : '')),
      element('td', null, crumb.message !== undefined && crumb.message !== null ? textOf(crumb.message) : '',
        data.length ? element('div', {class: 'quiet'}, data.map(([key, value]) => `${key}: ${textOf(value)}`).join(' · ')) : null));
  }))));
}

function contexts(held) {
  const entries = pairsOf(held).filter(([, value]) => isObject(value));
  if (!entries.length) return null;
  return disclosure(`Contexts (${entries.length})`, () => element('div', {class: 'columns'},
    entries.sort().map(([name, values]) => element('article', {class: 'card'}, element('h4', null, name), table(pairsOf(values))))), {kind: 'part', open: true});
}

// The trace over all services as a waterfall, with what went wrong on the very span.

function waterfall(capture) {
  const spans = capture.spans;
  const lonely = capture.events.map((event, number) => [event, number])
    .filter(([, number]) => !spans.some((span) => span.events.includes(number)));
  if (!spans.length && !lonely.length) return element('p', {class: 'quiet'}, 'No span arrived in this trace.');
  const starts = spans.map((span) => span.start).filter((at) => at !== null);
  const ends = spans.map((span) => span.end).filter((at) => at !== null);
  const from = starts.length ? Math.min(...starts) : 0;
  const length = Math.max((ends.length ? Math.max(...ends) : from) - from, 1e-6);
  return [
    element('div', {class: 'waterfall'},
      element('div', {class: 'axis', 'aria-hidden': 'true'}, element('span'), element('span', null,
        [0, 0.25, 0.5, 0.75].map((part) => element('i', {style: {left: `${part * 100}%`}}, milliseconds(length * part * 1000)))), element('span')),
      spans.map((span) => spanRow(span, capture, from, length))),
    lonely.map(([event, number]) => eventMark(event, number, capture, ` (its span ${event.span ?? '?'} was not sent)`)),
  ];
}

function spanRow(span, capture, from, length) {
  const started = span.start === null ? null : (span.start - from) / length * 100;
  const width = span.start === null || span.end === null ? 0 : Math.max((span.end - span.start) / length * 100, 0);
  const took = span.start === null || span.end === null ? null : (span.end - span.start) * 1000;
  const failed = span.events.length > 0 || span.http >= 500 || (span.status && !['ok', 'unset'].includes(span.status));
  const label = element('span', {class: 'label', title: span.name, style: {'--depth': Math.min(span.depth, 12)}},
    element('i', {class: 'dot', style: {background: colour(span.service)}}),
    element('b', null, span.service), ' ', span.op && element('span', {class: 'op'}, span.op), ' ', span.name || '(no name)',
    span.http ? badge(span.http, span.http >= 500 ? 'error' : '') : null,
    span.unlinked ? badge(span.loose ? 'parent missing' : 'not linked to the trigger', 'error') : null);
  const lane = element('span', {class: 'lane'},
    started !== null && element('span', {class: `bar${failed ? ' failed' : ''}`,
      style: {left: `min(${started}%, calc(100% - 3px))`, width: `max(${width}%, 3px)`, background: colour(span.service)}}));
  return [
    disclosure([label, lane, element('span', {class: 'took'}, milliseconds(took))], () => spanDetails(span), {kind: `span${span.segment ? ' segment' : ''}`}),
    span.events.map((number) => eventMark(capture.events[number], number, capture, '', span.depth)),
  ];
}

function spanDetails(span) {
  const facts = [['span_id', span.id], ['status', span.status], ['missing parent', span.loose],
    ...Object.entries(span.tags), ...Object.entries(span.data).sort()].filter(([, value]) => value !== null && value !== undefined);
  return table(facts);
}

function eventMark(event, number, capture, note = '', depth = 0) {
  return element('a', {class: 'event-mark', href: `#${eventAnchor(capture, number)}`, style: {'--depth': Math.min(depth + 1, 13)},
    onclick: (click) => {
      click.preventDefault();
      const card = document.getElementById(eventAnchor(capture, number));
      card.scrollIntoView({block: 'start'});
      card.focus();
    }}, '▲ ', event.title, note);
}

function eventAnchor(capture, number) {
  return `event-${capture.trace}-${number}`;
}

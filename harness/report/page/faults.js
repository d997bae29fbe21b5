// What services were put through on purpose, beside what their SDKs made of it.

function faultCards(instances) {
  return instances.map((of) => element('article', {class: 'card faults'},
    element('h3', null, serviceName(of.service), element('small', null, plural(of.total, 'fault'))),
    element('div', {class: 'scroll'}, element('table', {class: 'crumbs'}, element('tbody', null, of.faults.map((fault) => faultRow(fault, of.faults[0].at))))),
    of.unshown ? element('p', {class: 'quiet'}, `and ${of.unshown} more in run.json`) : null,
    table(aftermath(of))));
}

function aftermath(of) {
  return [
    ['lost with these requests', counted(of.lost)],
    ['the SDK says it dropped', counted(of.dropped)],
    ['sent again', of.sent_again ? plural(of.sent_again, 'envelope') : ''],
    ['arrived since the first', of.total > 1 ? counted(of.arrived) : ''],
    ['arrived after the last', counted(of.resumed) || 'nothing'],
  ].filter(([, value]) => value);
}

function faultRow(fault, began) {
  return element('tr', null,
    element('td', null, `+${milliseconds((fault.at - began) * 1000) || '0 ms'}`),
    element('td', null, fault.count > 1 ? `${fault.count} × ` : '', fault.text),
    element('td', null, fault.items === null ? 'its DSN' : fault.items.join(', ') || 'cut off'),
    element('td', null, badge(fault.kept ? 'kept' : 'lost', fault.kept ? '' : 'warning'), ' ', element('small', {class: 'quiet'}, fault.file ?? '')));
}

function counted(quantities) {
  return Object.entries(quantities).sort().map(([kind, count]) => `${count} × ${kind}`).join(', ');
}

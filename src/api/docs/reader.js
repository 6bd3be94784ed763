// SPDX-License-Identifier: Apache-2.0
// Shows /openapi.json: operations by group, their fields, and a form to try each. The token stays in this page.
'use strict';

const $ = (id) => document.getElementById(id);
let api = null;

function el(name, attributes, ...children) {
  const e = document.createElement(name);
  for (const [k, v] of Object.entries(attributes || {}))
    if (k === 'on') for (const [type, f] of Object.entries(v)) e.addEventListener(type, f);
    else if (v !== undefined && v !== false) e.setAttribute(k, v === true ? '' : v);
  e.append(...children.filter((c) => c !== null && c !== undefined));
  return e;
}

function resolve(schema) {
  for (let n = 0; schema && schema.$ref && n < 9; n++)
    schema = schema.$ref.split('/').slice(1).reduce((at, key) => at[key], api);
  return schema || {};
}

function typeWords(raw) {
  const s = resolve(raw);
  if (s.oneOf || s.anyOf) return (s.oneOf || s.anyOf).map((x) => (x.$ref ? x.$ref.split('/').pop() : typeWords(x))).join(' | ');
  if (s.type === 'array') return 'list of ' + typeWords(s.items || {});
  let words = [].concat(s.type || 'any').join(' or ');
  if (raw.$ref) words = raw.$ref.split('/').pop();
  if (s.format) words += ' (' + s.format + ')';
  return words;
}

function limits(s) {
  const out = [];
  const range = (least, most, what) => {
    if (s[least] !== undefined && s[most] !== undefined) out.push(s[least] + '–' + s[most] + what);
    else if (s[least] !== undefined) out.push('at least ' + s[least] + what);
    else if (s[most] !== undefined && s[most] < 2 ** 53) out.push('at most ' + s[most] + what);
  };
  range('minimum', 'maximum', '');
  range('minLength', 'maxLength', ' characters');
  range('minItems', 'maxItems', ' entries');
  if (s.default !== undefined) out.push('default ' + JSON.stringify(s.default));
  if (s.enum) out.push(s.enum.join(' · '));
  return out.join('; ');
}

function fieldRows(schema, depth, rows) {
  const s = resolve(schema);
  const branches = s.oneOf || s.anyOf;
  if (branches && depth < 3) {
    for (const b of branches) {
      rows.push(el('tr', {}, el('th', {colspan: 3}, 'either ' + typeWords(b))));
      fieldRows(b, depth + 1, rows);
    }
    return rows;
  }
  const inner = s.type === 'array' ? resolve(s.items) : s;
  for (const [name, raw] of Object.entries(inner.properties || {})) {
    const f = resolve(raw);
    const required = (inner.required || []).includes(name);
    rows.push(el('tr', {},
      el('td', {class: depth ? 'deep' : ''}, el('code', {}, '· '.repeat(depth) + name), required ? el('small', {}, ' required') : null),
      el('td', {}, typeWords(raw), el('br'), el('small', {}, limits(f))),
      el('td', {}, raw.description || f.description || '')));
    if (depth < 3 && (f.properties || (f.items && resolve(f.items).properties))) fieldRows(raw, depth + 1, rows);
  }
  return rows;
}

function fields(title, schema) {
  const rows = fieldRows(schema, 0, []);
  if (!rows.length) return null;
  return el('div', {}, el('h3', {}, title), el('table', {}, el('tbody', {}, ...rows)));
}

// Something to start from: the example, or the required members.
function sample(raw, depth = 0) {
  const s = resolve(raw);
  if (s.default !== undefined) return s.default;
  if (s.enum) return s.enum[0];
  if (s.oneOf) return sample(s.oneOf[0], depth);
  const type = [].concat(s.type || 'object')[0];
  if (type === 'object') {
    const out = {};
    for (const name of s.required || []) if (depth < 4) out[name] = sample(s.properties[name], depth + 1);
    return out;
  }
  return {string: '', integer: s.minimum || 0, number: 0, boolean: false, array: []}[type];
}

const quoted = (text) => "'" + text.replaceAll("'", "'\\''") + "'";

function tryIt(path, method, op) {
  const inputs = [];
  const rows = (op.parameters || []).map((p) => {
    const s = resolve(p.schema);
    const id = 'p-' + op.operationId + '-' + p.name;
    const words = s.enum || (s.type === 'boolean' ? ['true', 'false'] : null);
    const input = words ? el('select', {id}, el('option', {value: ''}, ''), ...words.map((w) => el('option', {}, w)))
      : el('input', {id, placeholder: limits(s), required: p.required});
    inputs.push([p, input]);
    return el('tr', {}, el('td', {}, el('label', {for: id}, el('code', {}, p.name)), el('br'), el('small', {}, p.in)),
      el('td', {}, input), el('td', {}, p.description || ''));
  });
  const media = op.requestBody ? Object.keys(op.requestBody.content)[0] : null;
  const content = media && op.requestBody.content[media];
  const body = content ? el('textarea', {'aria-label': 'Body', spellcheck: 'false'}) : null;
  if (body) body.value = JSON.stringify(content.example || sample(content.schema), null, 2);
  const curl = el('pre', {}), answer = el('pre', {role: 'status', hidden: true});

  function request() {
    let target = path;
    const query = new URLSearchParams(), headers = {};
    for (const [p, input] of inputs) {
      if (p.in === 'path') target = target.replace('{' + p.name + '}', encodeURIComponent(input.value) || '{' + p.name + '}');
      else if (input.value && p.in === 'query') query.set(p.name, input.value);
      else if (input.value) headers[p.name] = input.value;
    }
    if (body && body.value.trim()) headers['Content-Type'] = media;
    if ($('token').value) headers.Authorization = 'Bearer ' + $('token').value.trim();
    return {url: target + (query.size || String(query) ? '?' + query : ''), headers, body: body && body.value.trim() ? body.value : undefined};
  }
  function showCurl() {
    const r = request();
    const lines = ['curl ' + (method === 'GET' ? '' : '-X ' + method + ' ') + quoted(location.origin + r.url)];
    for (const [k, v] of Object.entries(r.headers))
      lines.push('-H ' + (k === 'Authorization' ? '"Authorization: Bearer $TOKEN"' : quoted(k + ': ' + v)));
    if (r.body) lines.push('-d ' + quoted(r.body));
    curl.textContent = lines.join(' \\\n  ');
  }
  async function send() {
    const r = request();
    answer.hidden = false;
    answer.textContent = 'One moment …';
    try {
      const credentials = r.headers.Authorization ? 'omit' : 'same-origin';
      const stop = new AbortController();
      const got = await fetch(r.url, {method, headers: r.headers, body: r.body, credentials, signal: stop.signal});
      let text;
      if ((got.headers.get('content-type') || '').startsWith('text/event-stream')) {
        const part = await Promise.race([got.body.getReader().read(), new Promise((go) => setTimeout(go, 15000, {}))]);
        text = (part.value ? new TextDecoder().decode(part.value) : '') + '\n… the stream goes on';
        stop.abort();
      } else text = await got.text();
      try { text = JSON.stringify(JSON.parse(text), null, 2); } catch { /* as it is */ }
      const shown = ['etag', 'location', 'retry-after', 'x-request-id'].filter((h) => got.headers.get(h))
        .map((h) => h + ': ' + got.headers.get(h) + '\n').join('');
      answer.textContent = got.status + ' ' + got.statusText + '\n' + shown + '\n' + text;
      if (op.operationId === 'postAuthLogin' && got.ok) $('token').value = JSON.parse(text).accessToken || '';
    } catch (e) { answer.textContent = 'The server did not answer: ' + e.message; }
  }
  const box = el('div', {on: {input: showCurl}},
    rows.length ? el('h3', {}, 'Parameters') : null, rows.length ? el('table', {}, el('tbody', {}, ...rows)) : null,
    body ? el('h3', {}, 'Body') : null, body,
    el('h3', {}, 'Try it'), curl,
    el('button', {type: 'button', on: {click: send}}, 'Send'), ' ',
    el('button', {type: 'button', class: 'plain', on: {click: () => { showCurl(); navigator.clipboard?.writeText(curl.textContent); }}}, 'Copy curl'),
    answer);
  showCurl();
  return box;
}

function answers(op) {
  const out = el('div', {});
  const problems = [];
  for (const [status, raw] of Object.entries(op.responses)) {
    if (status >= 400 && raw.$ref) { problems.push(status); continue; }
    const content = Object.entries(resolve(raw).content || {})[0];
    out.append(el('h3', {}, 'Answer ' + status + (content ? ' · ' + content[0] : '')), el('small', {}, resolve(raw).description || ''));
    const table = content && fields('', content[1].schema);
    if (table) out.append(table);
  }
  if (problems.length) out.append(el('h3', {}, 'Problems'), ...problems.map((s) => el('small', {}, s + ' ' + resolve(op.responses[s]).description + ' ')));
  return out;
}

function fill(box, path, method, op) {
  if (box.childElementCount) return;
  const content = op.requestBody && Object.values(op.requestBody.content)[0];
  box.append(el('p', {}, op.summary, ' ', el('small', {}, op['x-action'] ? 'Needs ' + op['x-action'] + '.' : '')),
    tryIt(path, method, op));
  const table = content && fields('Members of the body', content.schema);
  if (table) box.append(table);
  box.append(answers(op));
}

function show() {
  const groups = new Map();
  for (const [path, methods] of Object.entries(api.paths))
    for (const [method, op] of Object.entries(methods)) {
      const tag = op.tags[0];
      if (!groups.has(tag)) groups.set(tag, []);
      groups.get(tag).push([path, method.toUpperCase(), op]);
    }
  for (const [tag, list] of groups) {
    const section = el('section', {}, el('h2', {}, tag)), links = el('div', {}, el('h2', {}, tag));
    for (const [path, method, op] of list) {
      const head = () => [el('span', {class: 'method ' + method}, method), ' ', el('code', {}, path.replace('/api/v1', ''))];
      const inside = el('div', {class: 'inside'});
      const box = el('details', {id: op.operationId, 'data-words': (method + ' ' + path + ' ' + op.summary).toLowerCase(),
        on: {toggle: () => box.open && fill(inside, path, method, op)}},
      el('summary', {}, ...head(), ' ', el('small', {}, op.summary)), inside);
      section.append(box);
      links.append(el('a', {href: '#' + op.operationId, 'data-for': op.operationId, on: {click: () => { box.open = true; }}}, ...head()));
    }
    $('operations').append(section);
    $('index').append(links);
  }
  const wanted = location.hash && $(location.hash.slice(1));
  if (wanted) { wanted.open = true; wanted.scrollIntoView(); }
}

$('find').addEventListener('input', () => {
  const words = $('find').value.toLowerCase().split(' ');
  for (const box of document.querySelectorAll('details[data-words]')) {
    box.hidden = !words.every((w) => box.dataset.words.includes(w));
    document.querySelector('[data-for="' + box.id + '"]').hidden = box.hidden;
  }
  for (const group of document.querySelectorAll('section, #index > div'))
    group.hidden = !group.querySelector('details:not([hidden]), a:not([hidden])');
});

fetch('/openapi.json').then((r) => r.json()).then((document_) => {
  api = document_;
  $('version').textContent = api.info.version;
  $('state').remove();
  show();
}).catch((e) => { $('state').textContent = 'The description could not be read: ' + e.message; });

// Solvers: for each task the next action, from the instruction and what is on the page now.
// An action is an array of a name and arguments; elements stand for their names.
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const one = (selector, root = document) => root.querySelector(selector);
  const text = (element) => element.textContent.trim();
  const shown = (element) => element !== null && element.getClientRects().length > 0;
  const withText = (selector, wanted) => all(selector).find((element) => text(element) === wanted);
  const quoted = (goal) => [...goal.matchAll(/"([^"]*)"/g)].map((match) => match[1]);
  const number = (goal) => Number(goal.match(/-?\d+/)[0]);
  const click = (element) => ['click', element];
  const wait = (milliseconds) => ['noop', milliseconds];
  const centre = (element) => {
    const box = element.getBoundingClientRect();
    return [box.x + box.width / 2, box.y + box.height / 2];
  };
  const submit = () => click(one('#subbtn') || one('#submit') || all('#area button').at(-1));
  // The first field that does not hold its value is filled; then the form is sent.
  const fill = (pairs, send = submit) => {
    const open = pairs.find(([field, value]) => field.value !== value);
    return open ? ['fill', ...open] : send();
  };
  const tick = (boxes) => {
    const open = boxes.find((box) => !box.checked);
    return open ? click(open) : submit();
  };
  const link = (goal) => {
    const bare = (words) => words.replace(/[.,]+$/, '').toLowerCase();
    const wanted = quoted(goal)[0];
    return withText('.alink', wanted) || all('.alink').find((element) => bare(text(element)) === bare(wanted));
  };

  const clickQuoted = (goal) => click(all('#area button, #area input[type=button]').find(
    (element) => (text(element) || element.value) === quoted(goal)[0]));
  const clickOne = () => click(withText('#area button', 'ONE') || one('#subbtn'));
  const pickChoices = (goal) => {
    const wanted = goal.match(/^Select (.*) and click/)[1].split(', ');
    return tick(all('#area label').filter((label) => wanted.includes(text(label))).map((label) => one('input', label)));
  };
  const chooseFromList = (goal) => {
    const wanted = goal.match(/^Select (.*) from the/)[1].split(', '), list = one('#area select');
    const chosen = [...list.selectedOptions].map((option) => option.label);
    return chosen.sort().join() === [...wanted].sort().join() ? submit() : ['select_option', list, wanted];
  };
  const expand = (goal) => {
    const section = goal.includes('link') ? link(goal) : one('#subbtn');
    const content = section.closest('.ui-accordion-content') || one('.ui-accordion-content');
    const header = content.previousElementSibling;
    if (header.getAttribute('aria-expanded') !== 'true') return click(header);
    return jQuery(content).is(':animated') ? wait(300) : click(section);
  };
  const switchTab = (goal) => {
    const target = link(goal), panel = target.closest('.ui-tabs-panel');
    return shown(target) ? click(target) : click(one(`a[href="#${panel.id}"]`));
  };
  const describe = (element) => {
    const letter = element.tagName === 'text' ? text(element) : null;
    const size = {
      text: () => parseFloat(element.getAttribute('font-size')),
      rect: () => Number(element.getAttribute('width')),
      circle: () => 2 * Number(element.getAttribute('r')),
      polygon: () => element.getBBox().width,
    }[element.tagName]();
    const shape = {rect: 'rectangle', circle: 'circle', polygon: 'triangle'}[element.tagName];
    return {
      size: size > 15 ? 'large' : 'small', colour: element.getAttribute('fill'),
      names: ['item', letter ?? shape, letter === null ? 'shape' : /\d/.test(letter) ? 'digit' : 'letter'],
    };
  };
  const figures = (words) => {
    const rest = words.split(' '), kind = rest.pop();
    return all('#area_svg > *').filter((element) => {
      const {size, colour, names} = describe(element);
      return names.includes(kind) && rest.every((word) => word === size || word === colour);
    });
  };
  const credentials = (goal) => {
    const [user, password] = quoted(goal);
    const popup = one('#popup-cancel') || one('#popup-ok');
    return popup && shown(popup) ? click(popup) : fill([[one('#username'), user], [one('#password'), password]]);
  };
  const cased = (goal) => {
    const word = quoted(goal)[0];
    return goal.includes('upper case') ? word.toUpperCase() : goal.includes('lower case') ? word.toLowerCase() : word;
  };
  const cells = () => Object.fromEntries(all('#area tr').map((row) => all('td', row).map(text)));
  const calculate = () => {
    const [, left, sign, right] = text(one('#math-problem')).match(/(\S+)\s*(\S)\s*(\S+)/);
    const results = {'+': +left + +right, '-': left - right, 'x': left * right, '*': left * right, '×': left * right};
    return String(results[sign]);
  };
  const solve = () => {
    const [, left, sign, right, sum] = text(one('#math-problem')).match(/(\S+) (\S) (\S+) = (\S+)/);
    if (sign === '+') return String(sum - (left === 'x' ? right : left));
    return String(left === 'x' ? +sum + +right : left - sum);
  };
  const guess = () => {
    const low = text(one('#higher span')), high = text(one('#lower span'));
    const next = shown(one('#higher')) ? +low + 1 : shown(one('#lower')) ? high - 1 : 5;
    return fill([[one('#tt'), String(next)]]);
  };
  const email = (goal) => {
    const find = goal.match(/by (\S+) and|email from (\S+?)\.?$|from (\S+) to|(\S+)'s email/);
    const sender = goal.match(/email by (\S+)/)?.[1];
    const body = one('#email');
    if (!body || !body.isConnected) {
      return click(one('.email-sender', all('#main .email-thread').find((row) => text(one('.email-sender', row)) === sender)));
    }
    if (goal.includes('delete')) return click(one('#email .trash'));
    if (goal.includes('important')) return click(one('#email .star'));
    if (goal.includes('reply')) {
      const field = one('#reply-text');
      return field ? fill([[field, quoted(goal)[0]]], () => click(one('#send-reply'))) : click(one('#email .email-reply'));
    }
    const field = one('.forward-sender');
    const to = goal.match(/to (\S+?)\.?$/)[1];
    return field ? fill([[field, to]], () => click(one('#send-forward'))) : click(one('#email .email-forward'));
  };
  const actionNames = () => Object.entries(ACTIONS);
  const social = (goal) => {
    const [, user, label] = goal.match(/user (\S+), click on the "(.*)" button/);
    const post = all('.media').find((media) => text(one('.username', media)) === user);
    const kind = actionNames().find(([, name]) => name === label)[0];
    const target = one(`.${kind}`, post);
    return shown(target) ? click(target) : click(one('.more', post));
  };
  const socialMany = (goal) => {
    const [, label, count, user] = goal.match(/Click the "(.*)" button on (all|\d+) posts? by (\S+) and/);
    const kind = actionNames().find(([, name]) => name === label)[0];
    const buttons = all('.media').filter((media) => text(one('.username', media)) === user)
      .map((media) => one(`.${kind}`, media)).slice(0, count === 'all' ? undefined : Number(count));
    const open = buttons.find((button) => !button.classList.contains('active'));
    return click(open || one('#submitRow button'));
  };
  const tree = (goal) => {
    const target = withText('#tree span', quoted(goal)[0]);
    for (let item = target.closest('li'), outer; (outer = item.parentElement.closest('li')); item = outer) {
      if (shown(item)) break;
      if (shown(outer)) return click(one(':scope > span', outer));
    }
    return click(target);
  };
  const pages = (list, next) => list.find(shown) || one(next);
  const search = (goal) => {
    const rank = number(goal.replace(/".*?"/, '')) - 1, field = one('#search-text'), result = one(`[data-result="${rank}"]`);
    if (field.value !== quoted(goal)[0]) return ['fill', field, quoted(goal)[0]];
    if (!all('#page-content a').length) return click(one('#search'));
    return click(result || withText('#pagination a', String(Math.floor(rank / 3) + 1)));
  };
  const contact = (goal) => {
    const [, person, detail] = goal.match(/Find (\S+) in the contact book and click on their (\w+)/);
    return click(text(one('#contact .name')) === person ? one(`#contact .${detail}`) : withText('#pagination a', '>'));
  };
  const slide = (slider, value, wanted) => {
    const handle = one('.ui-slider-handle', slider);
    if (document.activeElement !== handle) return ['focus', handle];
    return ['press', handle, wanted > value ? 'ArrowRight' : 'ArrowLeft'];
  };
  const ordinal = (goal, what) => Number(goal.match(new RegExp(`(\\d)\\w\\w ${what}`))[1]);
  const pickDate = (goal) => {
    const [, month, day, year] = goal.match(/(\d+)\/(\d+)\/(\d+)/).map(Number), field = one('#datepicker');
    const wanted = goal.match(/\d+\/\d+\/\d+/)[0];
    const picker = one('#ui-datepicker-div');
    if (jQuery(picker).is(':animated')) return wait(200);
    if (field.value === wanted) return submit();
    if (!shown(picker)) return click(field);
    const first = new Date(`${text(one('.ui-datepicker-month'))} 1, ${text(one('.ui-datepicker-year'))}`);
    const apart = (year - first.getFullYear()) * 12 + month - 1 - first.getMonth();
    if (apart) return click(one(apart > 0 ? '.ui-datepicker-next' : '.ui-datepicker-prev'));
    return click(withText('.ui-datepicker-calendar td a', String(day)));
  };
  const complete = (goal) => {
    const [start, end = ''] = quoted(goal), field = one('#tags');
    const fits = (word) => word.startsWith(start) && word.endsWith(end);
    if (fits(field.value) && field.value !== start) return submit();
    const item = all('.ui-autocomplete li').find((entry) => shown(entry) && fits(text(entry)));
    if (item) return click(item);
    return field.value === start ? wait(300) : ['fill', field, start];
  };
  const menu = (goal) => {
    const path = goal.match(/^Select (.*)/)[1].split('>');
    let items = all('#menu > li'), item;
    for (const [depth, name] of path.entries()) {
      item = items.find((entry) => text(entry.firstElementChild || entry) === name || entry.firstChild.textContent.trim() === name);
      if (depth === path.length - 1) return click(item);
      const inner = one(':scope > ul', item);
      if (!shown(inner)) return item.matches(':hover') ? wait(300) : ['hover', item];
      items = all(':scope > li', inner);
    }
  };
  const paragraph = () => text(one('#area p'));
  const shell = (goal) => {
    const ending = goal.match(/extension (\.[\w.]+\w)/)?.[1] ?? null;
    const line = (command) => ['keyboard_type', `${command}\n`];
    if (!/\$\s*ls\b/.test(text(one('#terminal')))) return line('ls');
    const output = text(all('.terminal-output').at(-1)).split(/\s+/);
    const file = output.find((word) => (ending ? word.endsWith(ending) : word && !word.includes('.')));
    return line(`rm ${file}`);
  };
  const movies = (goal) => {
    const [, genre, name, year] = goal.match(/for (.+) movies directed by (.+) from year (\d+)/);
    const entries = all('#area input[type=text], #area input:not([type])');
    const label = (field) => {
      const labels = [field.placeholder, field.className, field.id, field.name];
      for (let around = field.parentElement; around.id !== 'area'; around = around.parentElement) labels.push(text(around));
      labels.push(document.evaluate('preceding::text()[normalize-space()][1]', field, null, 2).stringValue);
      return labels.find((words) => /genre|director|year/i.test(words))?.toLowerCase() ?? '';
    };
    const values = {genre, director: name, year};
    return fill(entries.map((field) => [field, values[Object.keys(values).find((key) => label(field).includes(key))]]),
      () => click(all('#area *').filter((element) => /^(Search|Submit)$/.test(text(element) || element.value)).at(-1)));
  };

  return {
    'ascending-numbers': () => click(one('svg rect') || withText('svg text', '1')),
    'button-delay': (goal) => {
      if (!buttonsPushed.length) return click(one('#subbtn'));
      const left = number(goal) * 1000 - (Date.now() - currentTime);
      return left > 100 ? wait(left - 100) : click(one('#subbtn2'));
    },
    'choose-date': pickDate, 'choose-date-easy': pickDate, 'choose-date-medium': pickDate, 'choose-date-nodelay': pickDate,
    'choose-list': chooseFromList,
    'click-button': clickQuoted,
    'click-button-sequence': () => click(one(buttonsPushed.length ? '#subbtn2' : '#subbtn')),
    'click-checkboxes': pickChoices, 'click-checkboxes-large': pickChoices, 'click-checkboxes-transfer': pickChoices,
    'click-collapsible': expand, 'click-collapsible-nodelay': expand,
    'click-collapsible-2': expand, 'click-collapsible-2-nodelay': expand,
    'click-color': (goal) => click(one(`#area [data-color="${goal.match(/the (\S+) colored/)[1]}"]`)),
    'click-dialog': () => click(one('.ui-dialog-titlebar-close')),
    'click-dialog-2': (goal) => click(quoted(goal)[0] === 'x' ? one('.ui-dialog-titlebar-close')
      : withText('.ui-dialog-buttonpane button', quoted(goal)[0])),
    'click-link': (goal) => click(link(goal)),
    'click-menu': menu,
    'click-option': pickChoices,
    'click-scroll-list': chooseFromList,
    'click-shades': (goal) => {
      const colour = goal.match(/shades of (\w+)/)[1];
      return click(all(`#area span[data-color=${colour}]`).find((span) => span.className !== 'selected') || one('#area button'));
    },
    'click-shape': (goal) => click(figures(goal.match(/Click on a (.*)/)[1])[0]),
    'click-tab': (goal) => click(withText('.ui-tabs-anchor', goal.match(/Tab #\d+/)[0])),
    'click-tab-2': switchTab, 'click-tab-2-easy': switchTab, 'click-tab-2-hard': switchTab,
    'click-test': clickOne, 'click-test-2': clickOne, 'click-test-transfer': clickOne,
    'click-widget': (goal) => click(one(`#area [data-type="${quoted(goal)[0]}"]`)),
    'copy-paste': () => fill([[one('#answer-input'), one('#area textarea').value]]),
    'copy-paste-2': (goal) => fill([[one('#answer-input'), one(`#text-${ordinal(goal, 'text')}`).value]]),
    'count-shape': (goal) => click(withText('#count-buttons button', String(figures(goal.match(/How many (.*)s are/)[1]).length))),
    'email-inbox-delete': email, 'email-inbox-forward': email, 'email-inbox-important': email,
    'email-inbox-noscroll': email, 'email-inbox-reply': email, 'email-inbox-star-reply': email, 'email-inbox': email,
    'enter-date': (goal) => fill([[one('#tt'), goal.replace(/.*?(\d+)\/(\d+)\/(\d+).*/, '$3-$1-$2')]]),
    'enter-password': (goal) => fill([[one('#password'), quoted(goal)[0]], [one('#verify'), quoted(goal)[0]]]),
    'enter-text': (goal) => fill([[one('#tt'), quoted(goal)[0]]]),
    'enter-text-2': (goal) => fill([[one('#tt'), cased(goal)]]),
    'enter-text-dynamic': (goal) => fill([[one('#tt'), quoted(goal)[0]]]),
    'enter-time': (goal) => {
      const [, hour, minute, half] = goal.match(/(\d+):(\d+) ([AP])M/);
      return fill([[one('#tt'), `${String(hour % 12 + (half === 'P' ? 12 : 0)).padStart(2, '0')}:${minute}`]]);
    },
    'find-greatest': () => {
      const value = (card) => Number(text(one('.card-value', card)));
      const best = all('.card').reduce((a, b) => (value(b) > value(a) ? b : a));
      return best.classList.contains('hidden') ? click(best) : submit();
    },
    'find-word': (goal) => fill([[one('#answer-input'), paragraph().split(' ')[number(goal) - 1].replace(/[.,]/g, '')]]),
    'focus-text': () => click(one('#tt')),
    'focus-text-2': (goal) => click(all('#area input')[number(goal) - 1]),
    'form-sequence': (goal) => {
      const box = one(`#checkbox-${ordinal(goal, 'checkbox')}`), value = Number(text(one('#val')));
      if (value !== number(goal)) return slide(one('#slider'), value, number(goal));
      return tick([box]);
    },
    'form-sequence-2': (goal) => {
      const radio = all('#area input[type=radio]')[ordinal(goal, 'radio') - 1];
      return radio.checked ? fill([[one(`#input-${ordinal(goal, 'textbox')}`), quoted(goal)[0]]]) : click(radio);
    },
    'form-sequence-3': (goal) => {
      const [, choice, button] = goal.match(/Choose (.*) from the dropdown, then click the button labeled "(.*)"/);
      if (one('.selectric-open')) return click(withText('.selectric-items li', choice));
      const chosen = one('#dropdown').selectedOptions[0].label === choice;
      return click(chosen ? withText('#buttons button', button) : one('.selectric .button'));
    },
    'generate-number': (goal) => {
      const value = parseInt(text(one('#display-number')), 10), limit = Number(goal.match(/-?\d+/)?.[0]);
      const fits = goal.includes('odd') ? value % 2 === 1 : goal.includes('even') ? value % 2 === 0
        : goal.includes('less') ? value < limit : value > limit;
      return fits ? submit() : click(one('#generate'));
    },
    'grid-coordinate': (goal) => click(document.getElementById(goal.match(/\(.*\)/)[0])),
    'guess-number': guess,
    'identify-shape': () => {
      const names = describe(one('#area_svg > *')).names;
      return click(all('#area-buttons button').find((button) => names.includes(button.dataset.type)));
    },
    'login-user': credentials, 'login-user-popup': credentials,
    'multi-orderings': movies,
    'navigate-tree': tree,
    'number-checkboxes': (goal) => {
      const boxes = all('#checkboxes input'), pattern = PATTERNS[number(goal.match(/"(\d)"/)[1])].flat();
      const open = boxes.find((box, place) => box.checked !== Boolean(pattern[place]));
      return open ? click(open) : submit();
    },
    'odd-or-even': () => {
      for (const row of all('.row')) {
        const kind = Number(text(one('.display-number', row))) % 2 ? '.odd' : '.even';
        if (!one(kind, row).classList.contains('selected')) return click(one(kind, row));
      }
      return submit();
    },
    'phone-book': contact,
    'read-table': (goal) => fill([[one('#tt'), cells()[goal.match(/value of (.*) into/)[1]]]]),
    'read-table-2': () => fill([1, 2].map((place) => [one(`#tt${place}`), cells()[text(one(`#ll${place}`)).replace(':', '')]])),
    'scroll-text': () => fill([[one('#answer-input'), one('#text-area').value.trim().split(/\s+/).at(-1).replace('.', '')]]),
    'scroll-text-2': (goal) => {
      const area = one('#text-area'), end = goal.includes('bottom') ? area.scrollHeight - area.clientHeight : 0;
      return Math.abs(area.scrollTop - end) < 3 ? submit() : ['scroll_at', ...centre(area), 0, end - area.scrollTop];
    },
    'search-engine': search,
    'sign-agreement': (goal) => {
      const area = one('#area textarea'), end = area.scrollHeight - area.clientHeight;
      const field = one('#area input[type=text]'), [name, button] = quoted(goal).slice(-2);
      if (goal.startsWith('Scroll') && area.scrollTop < end - 2) return ['scroll_at', ...centre(area), 0, end - area.scrollTop];
      const wanted = quoted(goal).at(-1) || goal.match(/the (\w+) button/)[1];
      const press = () => click(all('#area button').find((element) => text(element).toLowerCase() === wanted.toLowerCase()));
      return quoted(goal).length > 1 ? fill([[field, name]], press) : press();
    },
    'simple-algebra': () => fill([[one('#math-answer'), solve()]]),
    'simple-arithmetic': () => fill([[one('#math-answer'), calculate()]]),
    'social-media': social, 'social-media-all': socialMany, 'social-media-some': socialMany,
    'stock-market': (goal) => {
      const limit = Number(goal.match(/\$([\d.]+\d)/)[1]), price = Number(text(one('#stock-price')).slice(1));
      return price < limit ? click(one('#buy')) : wait(100);
    },
    'terminal': shell,
    'text-transform': () => fill([[one('#tt'), text(one('#captcha'))]]),
    'unicode-test': clickQuoted,
    'use-autocomplete': complete, 'use-autocomplete-nodelay': complete,
    'use-slider': (goal) => {
      const value = Number(text(one('#val')));
      return value === number(goal) ? submit() : slide(one('#slider'), value, number(goal));
    },
    'use-slider-2': (goal) => {
      const wanted = JSON.parse(goal.match(/\[.*\]/)[0]);
      const open = wanted.findIndex((value, place) => Number(text(one(`#val-${place + 1}`))) !== value);
      return open < 0 ? submit() : slide(one(`#slider-${open + 1}`), Number(text(one(`#val-${open + 1}`))), wanted[open]);
    },
    'use-spinner': (goal) => fill([[one('#spinner'), String(number(goal))]]),
    'visual-addition': () => fill([[one('#math-answer'), String(all('.addition-block').length)]]),
  };
})()

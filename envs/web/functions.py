"""What actions run in the page: functions in JavaScript, called on an element or with a place."""

# Selects what an editable element holds, or says why it cannot be filled; `true` means that the value is set already.
PREPARE_FILL = """function(value) {
  const kind = this.tagName === 'INPUT' ? this.type : this.tagName.toLowerCase();
  const setter = ['color', 'date', 'datetime-local', 'month', 'range', 'time', 'week'].includes(kind);
  const typed = ['text', 'email', 'number', 'password', 'search', 'tel', 'url', 'textarea'].includes(kind);
  if (!setter && !typed && !this.isContentEditable) return 'it is not a field for text';
  if (this.disabled) return 'it is disabled';
  if (this.readOnly) return 'it is read-only';
  this.focus();
  if (setter) {
    this.value = value;
    if (this.value !== value) return `it does not take ${JSON.stringify(value)}`;
    this.dispatchEvent(new Event('input', {bubbles: true, composed: true}));
    this.dispatchEvent(new Event('change', {bubbles: true}));
    return true;
  }
  if (kind === 'number' && value !== '' && isNaN(Number(value))) return 'it takes a number';
  if (typed) this.select();
  else this.ownerDocument.getSelection().selectAllChildren(this);
  return false;
}"""
SELECT = """function(wanted) {
  if (this.tagName !== 'SELECT') return 'it is not a list to select from';
  if (this.disabled) return 'it is disabled';
  const options = [...this.options], chosen = [];
  for (const name of wanted) {
    const option = options.find(o => o.value === name || o.label.trim() === name.trim());
    if (!option) return `it has no option ${JSON.stringify(name)}; there are ` +
      options.slice(0, 30).map(o => JSON.stringify(o.label.trim())).join(', ');
    if (option.disabled) return `its option ${JSON.stringify(name)} is disabled`;
    chosen.push(option);
  }
  if (chosen.length > 1 && !this.multiple) return 'only one of its options can be selected';
  this.focus();
  for (const option of options) option.selected = chosen.includes(option);
  this.dispatchEvent(new Event('input', {bubbles: true, composed: true}));
  this.dispatchEvent(new Event('change', {bubbles: true}));
  return null;
}"""
CHECKED = """function() {
  const box = this.matches('input[type=checkbox], input[type=radio]') ? this : this.control;
  if (box) return box.checked;
  const state = this.getAttribute('aria-checked');
  return state === null ? null : state === 'true';
}"""
# A part of the element, as [box, x, y] with x and y from 0 to 1, where nothing else lies on top; or what does.
UNCOVERED = """function() {
  const element = this.nodeType === 1 ? this : this.parentElement ?? this.documentElement;
  element.scrollIntoViewIfNeeded();
  const range = element.ownerDocument.createRange();
  if (this.nodeType === 3) range.selectNode(this);
  const boxes = (this.nodeType === 3 ? range : element).getClientRects(), root = element.getRootNode();
  let cover = null;
  for (const [x, y] of [[.5, .5], [.2, .5], [.8, .5], [.5, .2], [.5, .8], [.1, .1], [.9, .1], [.1, .9], [.9, .9]]) {
    for (const [number, box] of [...boxes].entries()) {
      if (!box.width || !box.height) continue;
      const hit = root.elementFromPoint(box.x + x * box.width, box.y + y * box.height);
      if (hit && (element.contains(hit) || hit.closest('label')?.control === element)) return [number, x, y];
      cover ??= hit;
    }
  }
  // An ancestor in its place means that the element lets the mouse through.
  if (!cover || cover.contains(element)) return [0, .5, .5];
  return `${cover.tagName.toLowerCase()} ${JSON.stringify(cover.textContent.trim().slice(0, 40))}`;
}"""
# A wheel event of the browser's own is answered by its compositor, which frames on demand can leave waiting for ever.
SCROLL = """(x, y, dx, dy) => {
  let target = document.elementFromPoint(x, y);
  while (target?.contentDocument) {
    const box = target.getBoundingClientRect();
    x -= box.x + target.clientLeft;
    y -= box.y + target.clientTop;
    target = target.contentDocument.elementFromPoint(x, y);
  }
  if (!target) return;
  const wheel = {deltaX: dx, deltaY: dy, clientX: x, clientY: y, bubbles: true, cancelable: true, composed: true};
  if (!target.dispatchEvent(new WheelEvent('wheel', wheel))) return;
  for (let box = target; box; box = box.parentElement ?? box.ownerDocument.defaultView.frameElement) {
    const root = box === box.ownerDocument.scrollingElement;
    const style = getComputedStyle(box), turns = (overflow) => root || ['auto', 'scroll'].includes(overflow);
    const left = box.scrollLeft, top = box.scrollTop;
    box.scrollBy(turns(style.overflowX) ? dx : 0, turns(style.overflowY) ? dy : 0);
    if (box.scrollLeft !== left || box.scrollTop !== top) return;
  }
}"""
FOCUS = "function() { this.focus(); }"
# Texts and documents stand for the element around or inside them.
ON_ELEMENT = "function(...given) { return (FUNCTION).apply(ELEMENT, given); }".replace(
    "ELEMENT", "this.nodeType === 1 ? this : this.parentElement ?? this.documentElement"
)

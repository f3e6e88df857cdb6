"""The clock that a page sees, wound back for each episode, since that of a tab only ever goes on."""

from __future__ import annotations

EPOCH = 1_700_000_000.0
"""The date on a new page's clock, in seconds since 1970: 14 November 2023."""

# What counts from the beginning of the document is read from `Date`, too: the browser takes that beginning from the
# machine's clock.
_SCRIPT = """(() => {
  const key = Symbol.for('palestra.clock');
  if (!Date[key]) {
    const Real = Date, now = Real.now.bind(Real), clock = {offset: 0, origin: 0};
    const Wound = function Date(...given) {
      if (!new.target) return new Real(now() - clock.offset).toString();
      return Reflect.construct(Real, given.length ? given : [now() - clock.offset], new.target);
    };
    Object.defineProperties(Wound, Object.getOwnPropertyDescriptors(Real));
    Wound.now = function now_() { return now() - clock.offset; };
    Object.defineProperty(Wound, key, {value: {clock, now}});
    Real.prototype.constructor = Wound;
    globalThis.Date = Wound;
    const passed = () => now() - clock.offset - clock.origin, request = globalThis.requestAnimationFrame;
    Performance.prototype.now = function now() { return passed(); };
    Object.defineProperty(Performance.prototype, 'timeOrigin', {get: () => clock.origin, configurable: true});
    Object.defineProperty(Event.prototype, 'timeStamp', {get: passed, configurable: true});
    globalThis.requestAnimationFrame = function requestAnimationFrame(callback) {
      return request(typeof callback === 'function' ? () => callback(passed()) : callback);
    };
  }
  const {clock, now} = Date[key];
  clock.offset = OFFSET;
  clock.origin = now() - clock.offset;
})()"""


def winding(offset: float) -> str:
    """JavaScript that sets a document's clock ``offset`` milliseconds back, and lets its time begin."""
    return _SCRIPT.replace("OFFSET", str(round(offset)))

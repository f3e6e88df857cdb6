from __future__ import annotations

import threading
import time
import weakref

import pytest

from palestra.sandbox.lane import Lane


def test_calls_run_in_order_in_one_thread_of_their_own() -> None:
    lane = Lane("shop")
    seen: list[int] = []
    threads = [lane.submit(lambda n: (seen.append(n), threading.current_thread())[1], n) for n in range(20)]
    workers = {future.result() for future in threads}
    assert seen == list(range(20))
    assert len(workers) == 1
    (worker,) = workers
    assert worker is not threading.current_thread()
    assert (worker.name, worker.daemon) == ("shop", True)


def test_an_exception_comes_with_its_future_and_the_lane_goes_on() -> None:
    lane = Lane()

    def leave() -> None:
        raise SystemExit(3)

    broken, left, fine = lane.submit(int, "x"), lane.submit(leave), lane.submit(int, "3")
    with pytest.raises(ValueError, match="invalid literal"):
        broken.result()
    assert isinstance(left.exception(), SystemExit)
    assert fine.result() == 3


def test_close_ends_the_thread_after_what_is_queued() -> None:
    lane, go = Lane(), threading.Event()
    worker = lane.submit(threading.current_thread).result()
    stuck, last = lane.submit(go.wait), lane.submit(int, "7")
    lane.close()
    assert not stuck.done()
    go.set()
    assert last.result() == 7
    worker.join()
    assert not worker.is_alive()


def test_a_stuck_lane_does_not_hold_another() -> None:
    stuck, other, go = Lane(), Lane(), threading.Event()
    waiting = stuck.submit(go.wait)
    assert other.submit(int, "1").result() == 1
    assert not waiting.done()
    go.set()
    assert waiting.result()


def test_join_waits_for_the_end() -> None:
    lane, go = Lane(), threading.Event()
    lane.submit(go.wait)
    lane.close()
    assert not lane.join(0.01)
    go.set()
    assert lane.join(60)


def test_an_idle_lane_keeps_nothing_alive() -> None:
    class Heavy:
        def work(self) -> None: ...

    lane, heavy = Lane(), Heavy()
    lane.submit(heavy.work).result()
    gone = weakref.ref(heavy)
    del heavy
    until = time.monotonic() + 60  # the lane lets go just after it has answered
    while gone() is not None and time.monotonic() < until:
        time.sleep(0.001)
    assert gone() is None

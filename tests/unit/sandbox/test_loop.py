"""The launcher's loop: what is due is done, in order, and what was cancelled is not."""

import os
import selectors

from lambent.sandbox.launcher.loop import Loop


def test_what_is_due_is_done_in_its_order() -> None:
    """Nothing runs before `wait`; a timer may start another."""
    loop = Loop()
    done: list[str] = []

    def second() -> None:
        done.append("second")
        loop.after(0, lambda: done.append("third"))

    loop.after(0, lambda: done.append("first"))
    loop.after(0, second)
    loop.after(3600, lambda: done.append("later"))
    assert done == []
    assert loop.wait(None) == []
    loop.wait(0)
    assert done == ["first", "second", "third"]


def test_what_was_cancelled_is_not_done() -> None:
    """And the loop does not wait for it."""
    loop = Loop()
    done: list[str] = []
    timer = loop.after(0, lambda: done.append("cancelled"))
    timer.cancel()
    timer.cancel()
    loop.after(0, lambda: done.append("due"))
    loop.wait(None)
    assert done == ["due"]
    loop.after(3600, lambda: None).cancel()
    assert loop.wait(0) == []


def test_descriptors_are_registered_with_a_callback() -> None:
    """Whatever is due at the same time."""
    loop = Loop()
    done: list[str] = []
    read, write = os.pipe()
    try:
        loop.register(read, selectors.EVENT_READ, lambda: done.append("read"))
        os.write(write, b"x")
        loop.after(0, lambda: done.append("due"))
        (key,) = loop.wait(None)
        key.data()
        assert sorted(done) == ["due", "read"]
    finally:
        os.close(read)
        os.close(write)

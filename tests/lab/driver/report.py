"""Says what happens, counts the checks, prints tables. The last line of a run is `N passed, M failed`."""

import time


class Report:
    def __init__(self) -> None:
        self.passed = 0
        self.failed = 0
        self._start = time.monotonic()

    def stage(self, title: str) -> None:
        print(f"\n== {title} ({time.monotonic() - self._start:.0f} s)")

    def say(self, text: str) -> None:
        print(f"   {text}")

    def check(self, claim: str, holds: bool, seen: object = "") -> bool:
        """Counts a claim; prints what was seen instead when it does not hold."""
        if holds:
            self.passed += 1
            print(f"ok {claim}")
        else:
            self.failed += 1
            print(f"FAILED {claim}" + (f": {seen}" if seen != "" else ""))
        return holds

    def table(self, head: list[str], rows: list[list[str]]) -> str:
        """Prints a Markdown table with aligned columns, so that it can be pasted into the README; returns it, too."""
        widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
        text = "".join(
            "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |\n"
            for row in [head, ["-" * width for width in widths], *rows]
        )
        print(f"\n{text}")
        return text

    def finish(self) -> int:
        took = time.monotonic() - self._start
        print(f"\n{took:.0f} s\n{self.passed} passed, {self.failed} failed")
        return 1 if self.failed or not self.passed else 0

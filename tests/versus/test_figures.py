"""The arithmetic of a comparison, on figures made up by hand: python3 -m unittest discover tests/versus."""

import pathlib
import sys
import tempfile
import unittest

import figures
from lanes import Framework, GpuBench, Lane, Missing, Worker


def lane(name, step_s, losses=(2.3, 2.2), own=False):
    made = GpuBench(name, "gpubench", "0", "data", []) if own else Framework(name, "", ((), ()), [])
    made.step_durations_s, made.losses = list(step_s), list(losses)
    return made


class Figures(unittest.TestCase):
    def test_other_losses_are_other_mathematics(self):
        own, same, other = (
            lane("gpubench", [1.0], own=True),
            lane("same", [1.0], losses=(2.3, 2.200001)),
            lane("other", [1.0]),
        )
        self.assertTrue(figures.same_mathematics([own, same], own)[0])
        other.losses = [2.3, 2.21]
        agreed, sentence = figures.same_mathematics([own, same, other], own)
        self.assertFalse(agreed)
        self.assertIn("same mathematics: NO", sentence)
        self.assertIn("trains something else", other.reason)
        for losses in ([2.3, float("nan")], [2.3]):
            other.losses, other.reason = losses, None
            self.assertFalse(figures.same_mathematics([own, other], own)[0])

    def test_targets_are_met_or_missed(self):
        lanes = [lane("gpubench", [0.4, 0.3, 0.2], own=True), lane("slow", [3.0]), lane("fast", [0.5]), lane("none", [])]
        told = [each["outcome"] for each in figures.ratio_targets(lanes, lanes[0], 10)]
        self.assertEqual(told[:2], ["met", "missed"])
        self.assertTrue(told[2].startswith("n/a"))

    def test_a_lane_without_figures_is_a_row_with_its_reason(self):
        own, gone = lane("gpubench", [1.0, 3.0], own=True), lane("gone", [])
        gone.reason = "it is not installed"
        text = figures.step_table([own, gone], own)
        self.assertIn("n/a 1", text)
        self.assertIn("1) it is not installed", text)
        self.assertIn("2,000", text.splitlines()[2])


class Workers(unittest.TestCase):
    def worker(self, code):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        return Worker([sys.executable, "-c", code], {}, pathlib.Path(folder.name) / "worker.log")

    def test_a_worker_that_ends_leaves_its_last_words(self):
        with self.assertRaisesRegex(Missing, "no CUDA device"):
            self.worker("raise SystemExit('no CUDA device')")

    def test_an_error_is_a_reason(self):
        code = "print('{}', flush=True); input(); print('{\"error\": \"out of memory\"}', flush=True); input()"
        worker = self.worker(code)
        failed = Lane("failed")
        failed.close = worker.close
        failed.attempt(lambda: worker.ask("train", seed=1))
        self.assertEqual(failed.reason, "out of memory")
        self.assertIsNotNone(worker.process.poll())


if __name__ == "__main__":
    unittest.main()

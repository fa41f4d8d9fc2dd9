"""The arithmetic of a comparison, on figures made up by hand: python3 -m unittest discover tests/versus."""

import pathlib
import sys
import tempfile
import unittest

import figures
from lanes import Framework, GpuBench, Lane, Missing, Worker


def result(dispatches, steps, epochs):
    """As much of a result as the recorded command stream is read from."""
    kernel = {"dispatches_per_step": 4, "bytes_per_step": 3_350_000, "flop_per_step": 66_900_000}
    commands = {"dispatches": dispatches, "submissions": 30, "timestamps": 0}
    repeat = {"commands": commands, "epochs": [{}] * epochs, "samples": [[1, 0, steps, 1.0]]}
    adapter = {"adapter": {"name": "NVIDIA H100 80GB HBM3"}}
    return {"plan": {"name": "fused", "kernels": [kernel]}, "repeats": [repeat], "environment": adapter}


def lane(name, train_s, error_pct=0.9, losses=(2.3, 2.2), own=False):
    made = GpuBench(name, "gpubench", "0", "data", []) if own else Framework(name, "", ((), ()), [])
    made.trainings = [{"train_s": seconds, "error_pct": error_pct} for seconds in train_s]
    made.losses, made.warm_up_s = list(losses), 1.0
    return made


def outcomes(targets):
    return {each["target"]: each["outcome"] for each in targets}


class Figures(unittest.TestCase):
    def test_counts_of_the_network(self):
        self.assertEqual(figures.EXACT_MACS, 1_239_936)
        # 1.49 and 2.64 TFLOP for 600,000 images.
        self.assertAlmostEqual(2 * figures.EXACT_MACS * 600_000 / 1e12, 1.49, 2)
        self.assertAlmostEqual(2 * figures.DENSE_MACS * 600_000 / 1e12, 2.64, 2)

    def test_dispatches_of_a_step_are_told_from_those_of_an_evaluation(self):
        # 4 a step, 474 an evaluation.
        long, short = result(4 * 4690 + 10 * 474, 4690, 10), result(4 * 10 + 474, 10, 1)
        self.assertEqual(figures.commands_per_step(long, short), 4)
        self.assertIsNone(figures.commands_per_step(short, short))

    def test_the_stream_states_the_least_time_of_a_step(self):
        text = figures.stream(result(4 * 4690 + 10 * 474, 4690, 10), result(4 * 10 + 474, 10, 1))
        self.assertIn("1.0 us: bytes 1.0, FLOP 1.0", text)
        self.assertIn("H100 SXM", text)
        self.assertNotIn("H200", text)

    def test_targets_are_met_or_missed(self):
        own, slow, fast = lane("gpubench", [0.4, 0.3, 0.2], own=True), lane("slow", [3.0]), lane("fast", [0.5])
        own.result, own.short = result(4 * 4690 + 10 * 474, 4690, 10), result(4 * 10 + 474, 10, 1)
        own.profiled = {"account": {"kernels_s": 0.27, "gaps_s": 0.01, "wall_s": 0.3}}
        told = outcomes(figures.gpu_targets([own, slow, fast], own, True))
        self.assertEqual(list(told.values()), ["met", "missed", "met", "missed", "met", "met"])
        told = outcomes(figures.gpu_targets([own], own, False))
        self.assertTrue(list(told.values())[0].startswith("n/a"))
        self.assertEqual(told["at least 2 times as fast as the fastest framework"], "n/a (no framework was measured)")

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

    def test_a_lane_without_figures_is_a_row_with_its_reason(self):
        own, gone = lane("gpubench", [1.0, 3.0], own=True), lane("gone", [])
        gone.reason = "it is not installed"
        text = figures.training_table([own, gone], own, 100)
        self.assertIn("n/a 1", text)
        self.assertIn("1) it is not installed", text)
        self.assertIn("20", text.splitlines()[2])


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

"""What a comparison says: its table, its targets, and what gpubench's recorded command stream needs of a GPU."""

import math
import statistics

# Bytes per second and float32 operations per second that vendors' data sheets state.
CLASSES = {
    "H100": ("H100 SXM", 3.35e12, 66.9e12),
    "H200": ("H200 SXM", 4.8e12, 66.9e12),
    "A100": ("A100 80GB", 2.04e12, 19.5e12),
    "L40S": ("L40S", 0.864e12, 91.6e12),
    "4090": ("RTX 4090", 1.008e12, 82.6e12),
}
# Multiply-adds of an image: as frameworks count them, and those that the pools' gradients, one position in four, leave over.
DENSE_MACS = 2_202_496
EXACT_MACS = (
    24 * 24 * 32 * 16  # conv1 forward, at the positions that pool1 sees
    + 10 * 10 * 16 * 288  # conv2 forward
    + 3 * (400 * 128 + 128 * 64 + 64 * 10)  # dense layers, forward and backward
    + 2 * 5 * 5 * 16 * 288  # conv2 backward, at the positions that pool2 chose
    + 12 * 12 * 32 * 16  # conv1's weights, at those that pool1 chose
)
BATCH = 128
# What 10 epochs in half a second leave for one of 4,690 steps.
STEP_S = 0.5 / 4690


def table(header, rows):
    """Columns as wide as they must be; the first to the left, the others to the right."""
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]
    line = lambda row: "  ".join(
        cell.ljust(width) if column == 0 else cell.rjust(width) for column, (cell, width) in enumerate(zip(row, widths))
    )
    return "\n".join(
        [line(header).rstrip(), "─" * (sum(widths) + 2 * len(widths) - 2), *(line(row).rstrip() for row in rows)]
    )


def number(value, digits=3):
    """Three significant digits, without an exponent."""
    if value == 0:
        return "0"
    text = f"{value:.{digits}g}"
    return f"{float(text):,.0f}" if "e" in text or abs(value) >= 100 else text


def missing(reason):
    """How a missing value is shown."""
    return f"n/a ({reason})"


def median_train_s(lane):
    return statistics.median(training["train_s"] for training in lane.trainings)


def median_error_pct(lane):
    return statistics.median(training["error_pct"] for training in lane.trainings)


def measured(lane):
    """Whether the lane was timed to the end."""
    return lane.reason is None and bool(lane.trainings or lane.step_durations_s)


def footnoted(lanes, row, columns):
    """Rows of the table, those without figures with a mark, and the reasons under it."""
    rows, notes = [], []
    for lane in lanes:
        if measured(lane):
            rows.append(row(lane))
        else:
            notes.append(f"{len(notes) + 1}) {lane.reason}")
            rows.append([" ".join((lane.name, lane.version)).strip(), *([f"n/a {len(notes)})"] + [""] * (columns - 2))])
    return rows, notes


def training_table(lanes, own, steps):
    """Lanes that trained: their times beside those of `own`."""

    def row(lane):
        median = median_train_s(lane)
        ratio = number(median / median_train_s(own)) if measured(own) else "n/a"
        return [
            f"{lane.name} {lane.version}",
            number(median),
            number(min(training["train_s"] for training in lane.trainings)),
            str(len(lane.trainings)),
            number(1e3 * median / steps),
            ratio,
            f"{median_error_pct(lane):.2f}",
            number(lane.warm_up_s),
        ]

    header = ["tool", "median [s]", "best [s]", "of", "ms/step", "x gpubench", "error %", "warm-up [s]"]
    rows, notes = footnoted(lanes, row, len(header))
    return "\n".join([table(header, rows), *notes])


def step_table(lanes, own):
    """Lanes whose steps were timed."""
    median = lambda lane: statistics.median(lane.step_durations_s)

    def row(lane):
        ratio = number(median(lane) / median(own)) if measured(own) else "n/a"
        best = min(lane.step_durations_s)
        first = f"{lane.losses[0]:.6f}" if lane.losses else "n/a"
        return [
            f"{lane.name} {lane.version}",
            number(1e3 * median(lane)),
            number(1e3 * best),
            str(len(lane.step_durations_s)),
            ratio,
            first,
        ]

    header = ["tool", "median [ms/step]", "best [ms/step]", "of", "x gpubench", "first loss"]
    rows, notes = footnoted(lanes, row, len(header))
    return "\n".join([table(header, rows), *notes])


def same_mathematics(lanes, own):
    """Whether all lanes came by the losses of `own`, and the sentence that says so; lanes that disagree get that as a reason."""
    if not own.losses:
        return True, f"same mathematics: {missing(own.reason or 'gpubench gave no losses')}"
    told, agreed = [], True
    for lane in lanes:
        if lane is own or not lane.losses:
            continue
        differences = [abs(a - b) for a, b in zip(own.losses, lane.losses)]
        # A NaN would get lost in a maximum, and so would losses that were not told.
        whole = len(differences) == len(own.losses) and all(map(math.isfinite, differences))
        difference = max(differences) if whole else math.inf
        told.append(f"{lane.name} {difference:.1e}")
        if not difference <= lane.tolerance:
            agreed = False
            lane.reason = f"its losses of {len(own.losses)} steps differ by {difference:.1e} from gpubench's: it trains something else"
    if not told:
        return True, f"same mathematics: {missing('no other tool was measured')}"
    words = "yes" if agreed else "NO"
    return agreed, (
        f"same mathematics: {words}: losses of the first steps from the same weights, in the same order, without dropout, "
        f"differ from gpubench's by at most: {', '.join(told)}"
    )


def commands_per_step(long, short):
    """Dispatches of one training step, from the recorded counts of two runs, which share those of an evaluation."""

    def counts(result):
        repeat = result["repeats"][-1]
        steps = sum(sample[2] for sample in repeat["samples"])
        return repeat["commands"], steps, len(repeat["epochs"])

    (first, first_steps, first_epochs), (second, second_steps, second_epochs) = counts(long), counts(short)
    determinant = first_steps * second_epochs - second_steps * first_epochs
    if determinant == 0:
        return None
    return (first["dispatches"] * second_epochs - second["dispatches"] * first_epochs) / determinant


def stream(result, short):
    """The recorded command stream of a training, and the least time a step of it takes on some GPUs."""
    plan, repeat = result["plan"], result["repeats"][-1]
    bytes_, flop = (sum(kernel[key] for kernel in plan["kernels"]) for key in ("bytes_per_step", "flop_per_step"))
    commands, epochs = repeat["commands"], len(repeat["epochs"])
    per_step = commands_per_step(result, short)
    rows = [
        ["dispatches a step, of the plan", str(sum(kernel["dispatches_per_step"] for kernel in plan["kernels"]))],
        ["dispatches a step, recorded", missing("one run has too few steps") if per_step is None else number(per_step)],
        [
            "submissions an epoch, its evaluation included (fewer where steps are faster)",
            number(commands["submissions"] / epochs),
        ],
        ["timestamps", str(commands["timestamps"])],
        ["bytes a step, each value once", f"{bytes_:,}"],
        ["FLOP a step, of the plan", f"{flop:,}"],
        ["FLOP a step, dense count", f"{2 * BATCH * DENSE_MACS:,}"],
        ["FLOP a step, exact: a pool's gradient in one position of four", f"{2 * BATCH * EXACT_MACS:,}"],
    ]
    name = result["environment"]["adapter"]["name"]
    classes = [spec for key, spec in CLASSES.items() if key in name] or [CLASSES["H100"], CLASSES["H200"]]
    for gpu, bandwidth, rate in classes:
        floor_us = 1e6 * max(bytes_ / bandwidth, flop / rate)
        rows.append(
            [
                f"least time of a step on {gpu}, by its data sheet",
                f"{floor_us:.1f} us: bytes {1e6 * bytes_ / bandwidth:.1f}, FLOP {1e6 * flop / rate:.1f}",
            ]
        )
    rows.append(["time of a step that 10 epochs in 0.5 s leave", f"{1e6 * STEP_S:.1f} us"])
    return f"Recorded command stream of plan {plan['name']}\n\n" + table(["what", "figure"], rows)


def target(name, met, figure):
    """One line: met, missed, or why neither can be said."""
    return {"target": name, "outcome": met if isinstance(met, str) else "met" if met else "missed", "figure": figure}


def gpu_targets(lanes, own, standard):
    """What a data-centre GPU should reach."""
    if not measured(own):
        return [target("gpubench trains", False, own.reason)]
    asked = "n/a (not the standard run)"
    train_s, error_pct = median_train_s(own), median_error_pct(own)
    told = [
        target("10 epochs in at most 0.5 s", train_s <= 0.5 if standard else asked, f"{number(train_s)} s"),
        target("stretch: 10 epochs in at most 0.25 s", train_s <= 0.25 if standard else asked, f"{number(train_s)} s"),
        target("test error at most 1.0 %", error_pct <= 1.0 if standard else asked, f"{error_pct:.2f} %"),
    ]
    others = [lane for lane in lanes if not lane.is_gpubench and measured(lane)]
    fastest = min(others, key=median_train_s, default=None)
    name = "at least 2 times as fast as the fastest framework"
    if fastest:
        ratio = median_train_s(fastest) / train_s
        told.append(
            target(name, ratio >= 2.0, f"{number(ratio)} times ({fastest.name}: {number(median_train_s(fastest))} s)")
        )
    else:
        told.append(target(name, missing("no framework was measured"), ""))
    per_step = commands_per_step(own.result, own.short) if own.result and own.short else None
    name = "at most 4 dispatches a step"
    told.append(
        target(
            name,
            missing("not recorded") if per_step is None else per_step <= 4,
            "" if per_step is None else number(per_step),
        )
    )
    told.append(busy_target(own))
    return told


def busy_target(own):
    """The share of the training's time in which kernels were at work, by gpubench's account of it."""
    name = "GPU busy at least 80 % of the train time"
    account = (own.profiled or {}).get("account", {"missing": "no profile was taken"})
    if "missing" in account:
        return target(name, missing(account["missing"]), "")
    busy_pct = 100.0 * account["kernels_s"] / account["wall_s"]
    gaps_pct = 100.0 * account["gaps_s"] / account["wall_s"]
    return target(name, busy_pct >= 80.0, f"{busy_pct:.1f} % in kernels, {gaps_pct:.1f} % between them")


def ratio_targets(lanes, own, least):
    """`least` times as fast as each of the other lanes, by the medians of their steps or trainings."""
    value = lambda lane: statistics.median(
        lane.step_durations_s or [training["train_s"] for training in lane.trainings]
    )
    told = []
    for lane in lanes:
        if lane.is_gpubench:
            continue
        name = f"at least {least} times as fast as {lane.name}"
        if measured(lane) and measured(own):
            ratio = value(lane) / value(own)
            told.append(target(name, ratio >= least, f"{number(ratio)} times"))
        else:
            told.append(target(name, missing(lane.reason or own.reason), ""))
    return told


def targets_text(targets):
    return "Targets\n\n" + table(["target", "outcome", "figure"], [list(each.values()) for each in targets])

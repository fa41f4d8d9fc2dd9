"""What a comparison says: its table and its targets."""

import math
import statistics

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


def measured(lane):
    """Whether the lane was timed to the end."""
    return lane.reason is None and bool(lane.step_durations_s)


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


def target(name, met, figure):
    """One line: met, missed, or why neither can be said."""
    return {"target": name, "outcome": met if isinstance(met, str) else "met" if met else "missed", "figure": figure}


def ratio_targets(lanes, own, least):
    """`least` times as fast as each of the other lanes, by the medians of their steps."""
    value = lambda lane: statistics.median(lane.step_durations_s)
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

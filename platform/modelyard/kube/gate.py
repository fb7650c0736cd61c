"""Whether a canary may go on: what it answered against what the stable track answered at the same time.

Requests are dealt to both tracks without regard to what they are, so whatever differs is the canary's doing. A
difference counts where it is larger than what somebody would mind *and* larger than chance: with few requests the first
alone cries wolf, with many the second alone does. Kayenta's judge asks for both (a Mann-Whitney test and an effect
size), while Argo Rollouts and Flagger hold one number against a limit and leave the noise to the person who sets it.
As with Argo's `inconclusive`, too little to go by is neither good nor bad; here it ends the rollout all the same.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

from modelyard.config.models import RolloutSettings
from modelyard.monitoring.readings import Reading

__all__ = ["Finding", "Observed", "Outcome", "Verdict", "judge", "stability_index"]

Outcome = Literal["pass", "fail", "inconclusive"]

# a step is looked at some dozens of times, and each look may be wrong
CHANCE = 0.001
Z = NormalDist().inv_cdf(1 - CHANCE)
SLOWEST = 0.01
# the same as in the rules for drift: an empty bin must not make the index infinite
FLOOR = 1e-4
FEW, OTHERS = 5, "the rare ones"
SHOWN = 3


@dataclass(frozen=True)
class Observed:
    """What a track did during a step.

    Attributes:
        reading: What it answered.
        restarts: How often its containers were started again.
    """

    reading: Reading
    restarts: int = 0


@dataclass(frozen=True)
class Finding:
    """What is to be said of one thing that was looked at.

    Attributes:
        outcome: What it speaks for.
        reason: Why, in a sentence without a full stop.
    """

    outcome: Outcome
    reason: str


@dataclass(frozen=True)
class Verdict:
    """What is to be said of a canary.

    Attributes:
        findings: What was looked at.
        share: Of all requests, those that the canary answered; none where there was none.
    """

    findings: tuple[Finding, ...]
    share: float | None

    @property
    def outcome(self) -> Outcome:
        """The worst of the findings; what nobody asked to look at is good."""
        outcomes = {finding.outcome for finding in self.findings}
        return "fail" if "fail" in outcomes else "inconclusive" if "inconclusive" in outcomes else "pass"

    @property
    def reason(self) -> str:
        """Why, from the findings that decided."""
        return "; ".join(finding.reason for finding in self.findings if finding.outcome == self.outcome)


def judge(stable: Observed, canary: Observed, limits: RolloutSettings) -> Verdict:
    """Compares two tracks over the same time.

    Args:
        stable: What the stable track did.
        canary: What the canary did.
        limits: What is too few, and what is too much.
    """
    requests, beside = canary.reading.requests, stable.reading.requests
    share = requests / (requests + beside) if requests + beside else None
    findings = [] if limits.max_errors is None else _restarts(stable, canary)
    if min(requests, beside) < limits.min_requests:
        few = f"too few requests to judge it: {requests} of its own and {beside} of the stable track"
        return Verdict((*findings, Finding("inconclusive", f"{few}, at least {limits.min_requests} each")), share)
    if limits.max_errors is not None:
        findings.append(_errors(stable.reading, canary.reading, limits.max_errors))
    if limits.max_slowdown is not None:
        findings.append(_latency(stable.reading, canary.reading, limits.max_slowdown))
    if limits.max_shift is not None:
        findings.append(_predictions(stable.reading, canary.reading, limits))
    return Verdict(tuple(findings), share)


def stability_index(expected: Mapping[str, int], found: Mapping[str, int]) -> dict[str, float]:
    """Returns what each bin adds to the population stability index, sum((p - q) * ln(p / q)).

    Args:
        expected: Count by bin.
        found: Count by bin; a bin that is in one of them only is empty in the other.
    """
    whole, part = sum(expected.values()), sum(found.values())
    shares = {
        name: (max(found.get(name, 0) / part, FLOOR), max(expected.get(name, 0) / whole, FLOOR))
        for name in {**expected, **found}
    }
    return {name: (p - q) * math.log(p / q) for name, (p, q) in shares.items()}


def _restarts(stable: Observed, canary: Observed) -> list[Finding]:
    """A pod that ends under way cannot count what it did not answer."""
    if not canary.restarts or stable.restarts:
        return []
    return [Finding("fail", f"its containers ended and were started again {canary.restarts} times")]


def _errors(stable: Reading, canary: Reading, most: float) -> Finding:
    """Everything but an answer is an error here, 4xx too: clients ask both tracks the same."""
    here, there = _failed(canary), _failed(stable)
    share, beside = here.total() / canary.requests, there.total() / stable.requests
    told = ", ".join(f"{count} with status {code}" for code, count in here.most_common(SHOWN))
    figures = (
        f"{share:.3g} of its {canary.requests} requests have no prediction{f' ({told})' if told else ''}, "
        f"{beside:.3g} of the stable track's {stable.requests}"
    )
    if share - beside > most and _exceeds(here.total(), canary.requests, there.total(), stable.requests):
        return Finding("fail", f"errors: {figures}")
    return Finding("pass", f"errors: {figures}")


def _latency(stable: Reading, canary: Reading, most: float) -> Finding:
    """A quantile is known about, from a histogram; how many took longer than one of its bounds is known exactly."""
    p99, usual = _p99(canary), _p99(stable)
    if p99 is None or usual is None:
        return Finding("inconclusive", "p99: no request was timed")
    figures = f"p99: {_ms(p99)}, the stable track's is {_ms(usual)}"
    bounds = sorted(bound for bound in canary.by_bound if not math.isinf(bound))
    bound = max((bound for bound in bounds if bound <= most * usual), default=bounds[0])
    (slow, timed), (beside, of) = (
        (reading.by_bound[math.inf] - reading.by_bound[bound], reading.by_bound[math.inf])
        for reading in (canary, stable)
    )
    if p99 > most * usual and _exceeds(slow, timed, beside, of):
        longer = f"{slow / timed:.3g} of its requests take more than {_ms(bound)}, and {beside / of:.3g} there"
        return Finding("fail", f"{figures}; {longer}")
    return Finding("pass", figures)


def _predictions(stable: Reading, canary: Reading, limits: RolloutSettings) -> Finding:
    """Holds the population stability index against what is minded, and against what chance gives.

    Where both tracks predict alike, the index times 1 / (1/n + 1/m) is distributed as chi-square with one degree of
    freedom less than bins: B. Yurdakul, Statistical Properties of Population Stability Index (2018).
    """
    found, expected = canary.predictions, stable.predictions
    # rows of one request may be alike, and count as one
    n, m = min(found.total(), canary.requests), min(expected.total(), stable.requests)
    if not n or not m:
        return Finding("inconclusive", f"predictions: {n} of its own were counted, and {m} of the stable track")
    if set(canary.by_edge) != set(stable.by_edge):
        return Finding("inconclusive", "predictions: the tracks do not count them in the same bins")
    expected, found = _fold(expected, found, min(n, m))
    parts = stability_index(expected, found)
    index = sum(parts.values())
    chance = _chi_square(len(parts) - 1) * (1 / n + 1 / m) if len(parts) > 1 else 0.0
    figures = f"predictions: population stability index {index:.3g}"
    if index > max(limits.max_shift or 0.0, chance):
        worst = max(parts, key=lambda name: parts[name])
        here, there = found[worst] / found.total(), expected[worst] / expected.total()
        return Finding("fail", f"{figures}, {worst!r} is {here:.3g} of its own and {there:.3g} of the stable track's")
    return Finding("pass", figures)


def _fold(expected: Counter[str], found: Counter[str], rows: int) -> tuple[Counter[str], Counter[str]]:
    """Puts bins together in which so few rows are to be expected that their number is mostly chance.

    Fewer than five in the smaller of two samples, if both were alike: W. G. Cochran, Some methods for strengthening the
    common chi-square tests (1954).
    """
    whole = expected.total() + found.total()
    rare = {name for name in {**expected, **found} if (expected[name] + found[name]) * rows < FEW * whole}
    folded: list[Counter[str]] = []
    for counts in (expected, found):
        kept = Counter({name: count for name, count in counts.items() if name not in rare})
        folded.append(kept + Counter({OTHERS: sum(counts[name] for name in rare)}))
    return folded[0], folded[1]


def _failed(reading: Reading) -> Counter[str]:
    return Counter({code: count for code, count in reading.by_code.items() if count and not code.startswith("2")})


def _p99(reading: Reading) -> float | None:
    """Returns the seconds that all but the slowest took at most; infinity past the last bound."""
    p99 = reading.quantile(1 - SLOWEST)
    last = max((bound for bound in reading.by_bound if not math.isinf(bound)), default=0.0)
    beyond = reading.by_bound[math.inf] - reading.by_bound[last]
    return math.inf if p99 is not None and beyond > SLOWEST * reading.by_bound[math.inf] else p99


def _ms(seconds: float) -> str:
    return "longer than is told apart" if math.isinf(seconds) else f"{1000 * seconds:.3g} ms"


def _exceeds(here: int, of: int, there: int, among: int) -> bool:
    """Whether one share is larger than another, and not by chance: Fisher's exact test, one-sided.

    With all margins fixed, the count follows the hypergeometric distribution: R. A. Fisher, Statistical Methods for
    Research Workers, section 21.02. It holds for a handful of errors, where intervals by approximation do not.
    """
    every, both = here + there, of + among
    whole = _log_choose(both, every)
    chances = (
        math.exp(_log_choose(of, count) + _log_choose(among, every - count) - whole)
        for count in range(here, min(every, of) + 1)
    )
    return here * among > there * of and sum(chances) < CHANCE


def _log_choose(of: int, count: int) -> float:
    return math.lgamma(of + 1) - math.lgamma(count + 1) - math.lgamma(of - count + 1)


def _chi_square(freedom: int) -> float:
    """Returns the value that chi-square exceeds with probability CHANCE, to 3 %, by Wilson and Hilferty (1931)."""
    part = 2 / (9 * freedom)
    return freedom * float((1 - part + Z * math.sqrt(part)) ** 3)

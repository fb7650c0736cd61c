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
    exceeds = _exceeds(here.total(), canary.requests, there.total(), stable.requests)
    if share - beside > most and exceeds:
        return Finding("fail", f"errors: {figures}")
    return Finding("pass", f"errors: {figures}")


def _latency(stable: Reading, canary: Reading, most: float) -> Finding:
    """Counts requests beyond a bound, because a histogram knows these exactly and a quantile only about."""
    p99, usual = canary.quantile(1 - SLOWEST), stable.quantile(1 - SLOWEST)
    if p99 is None or usual is None:
        return Finding("inconclusive", "p99: no request was timed")
    figures = f"p99: {1000 * p99:.3g} ms, the stable track's is {1000 * usual:.3g} ms"
    # rounding up only: what is still allowed is never refused
    bound = min(bound for bound in canary.by_bound if bound >= most * usual)
    if math.isinf(bound):
        return Finding("pass", f"{figures}; slower than that is not told apart")
    slow, beside = (reading.by_bound[math.inf] - reading.by_bound[bound] for reading in (canary, stable))
    share = slow / canary.by_bound[math.inf]
    if share > SLOWEST and _exceeds(slow, canary.by_bound[math.inf], beside, stable.by_bound[math.inf]):
        return Finding("fail", f"{figures}; {share:.3g} of its requests take more than {1000 * bound:g} ms")
    return Finding("pass", figures)


def _predictions(stable: Reading, canary: Reading, limits: RolloutSettings) -> Finding:
    """Holds the population stability index against what is minded, and against what chance gives.

    Where both tracks predict alike, the index times 1 / (1/n + 1/m) is distributed as chi-square with one degree of
    freedom less than bins: B. Yurdakul, Statistical Properties of Population Stability Index (2018).
    """
    found, expected = canary.predictions, stable.predictions
    # rows of one request may be alike, and count as one
    n, m = min(found.total(), canary.requests), min(expected.total(), stable.requests)
    if min(n, m) < limits.min_requests:
        few = f"{n} of its own and {m} of the stable track"
        return Finding("inconclusive", f"predictions: too few to judge how they are spread: {few}")
    if set(canary.by_edge) != set(stable.by_edge):
        return Finding("inconclusive", "predictions: the tracks do not count them in the same bins")
    parts = stability_index(expected, found)
    index, bins = sum(parts.values()), sum(bool(found[name] or expected[name]) for name in parts)
    chance = _chi_square(bins - 1) * (1 / n + 1 / m) if bins > 1 else 0.0
    figures = f"predictions: population stability index {index:.3g}"
    if index > max(limits.max_shift or 0.0, chance):
        worst = max(parts, key=lambda name: parts[name])
        here, there = found[worst] / found.total(), expected[worst] / expected.total()
        return Finding("fail", f"{figures}, {worst!r} is {here:.3g} of its own and {there:.3g} of the stable track's")
    return Finding("pass", figures)


def _failed(reading: Reading) -> Counter[str]:
    return Counter({code: count for code, count in reading.by_code.items() if count and not code.startswith("2")})


def _exceeds(here: int, of: int, there: int, among: int) -> bool:
    """Whether one share is larger than another, and not by chance.

    The lower end of the interval for the difference of two proportions lies above 0, by the hybrid of Wilson's scores:
    R. G. Newcombe, Interval estimation for the difference between independent proportions (1998), method 10.
    """
    p, q = here / of, there / among
    return p - q - math.hypot(p - _wilson(here, of, -Z), _wilson(there, among, Z) - q) > 0


def _wilson(count: int, of: int, z: float) -> float:
    share = count / of
    spread = z * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    return (share + z * z / (2 * of) + spread) / (1 + z * z / of)


def _chi_square(freedom: int) -> float:
    """Returns the value that chi-square exceeds with probability CHANCE, to 3 %, by Wilson and Hilferty (1931)."""
    part = 2 / (9 * freedom)
    return freedom * float((1 - part + Z * math.sqrt(part)) ** 3)

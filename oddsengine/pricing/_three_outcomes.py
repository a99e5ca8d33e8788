"""The solvers of `margin` written out for three outcomes, the market that football is priced in.

They do step for step what the general solvers do, in plain variables: `python -m bench pricing` paid for them with 1.4 to
1.9 times the speed. A property test holds them equal to the general ones.
"""

from __future__ import annotations

from math import fsum, log, sqrt


def power(values: tuple[float, float, float], target: float, last_step: float, most_steps: int) -> tuple[float, list[float]]:
    """Find k with sum(v^k) = target; give it and the powers."""
    a, b, c = values
    log_a, log_b, log_c = log(a), log(b), log(c)
    wanted = log(target)
    k = 1.0
    power_a, power_b, power_c = a, b, c
    for _ in range(most_steps):
        total = fsum((power_a, power_b, power_c))
        step = (log(total) - wanted) * total / fsum((power_a * log_a, power_b * log_b, power_c * log_c))
        k -= step
        power_a, power_b, power_c = a**k, b**k, c**k
        if -last_step * k <= step <= last_step * k:
            break
    return k, [power_a, power_b, power_c]


def odds_ratio(values: tuple[float, float, float], target: float, last_step: float, most_steps: int) -> list[float] | None:
    """Find c with sum(v / (v + c (1 - v))) = target; None where Newton's method alone does not get there."""
    first, second, third = values
    rest_1, rest_2, rest_3 = 1.0 - first, 1.0 - second, 1.0 - third
    slope_1, slope_2, slope_3 = first * rest_1, second * rest_2, third * rest_3
    ratio = fsum(values) / target
    for _ in range(most_steps):
        divisor_1, divisor_2, divisor_3 = first + ratio * rest_1, second + ratio * rest_2, third + ratio * rest_3
        total = fsum((first / divisor_1, second / divisor_2, third / divisor_3))
        slope = fsum((slope_1 / (divisor_1 * divisor_1), slope_2 / (divisor_2 * divisor_2), slope_3 / (divisor_3 * divisor_3)))
        step = (target - total) * total / (target * slope)
        ratio -= step
        if ratio <= 0.0:
            return None
        if -last_step * ratio <= step <= last_step * ratio:
            return [first / (first + ratio * rest_1), second / (second + ratio * rest_2), third / (third + ratio * rest_3)]
    return None


def shin_insiders(inverse: tuple[float, float, float], last_step: float, most_steps: int) -> float:
    """Find the share z of insiders in sum(sqrt(z^2 + 4 (1-z) q^2/B)) = 2 - (2-n) z for n = 3."""
    factor = 4.0 / fsum(inverse)
    a, b, c = inverse
    square_a, square_b, square_c = factor * a * a, factor * b * b, factor * c * c
    half_a, half_b, half_c = square_a / 2, square_b / 2, square_c / 2
    z = 0.0
    for _ in range(most_steps):
        rest, square_z = 1.0 - z, z * z
        root_a, root_b, root_c = (
            sqrt(square_z + rest * square_a),
            sqrt(square_z + rest * square_b),
            sqrt(square_z + rest * square_c),
        )
        excess = fsum((root_a, root_b, root_c)) - z - 2.0
        step = excess / (fsum(((z - half_a) / root_a, (z - half_b) / root_b, (z - half_c) / root_c)) - 1.0)
        z -= step
        if -last_step <= step <= last_step:
            break
    return z

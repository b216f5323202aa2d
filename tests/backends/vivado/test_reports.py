"""Vivado's reports, in the forms that its versions have: excerpts of both families, and of what is missing in some of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from penni_hls.backends.vivado import reports
from penni_hls.errors import ToolError
from penni_hls.target.resources import Resources


def excerpt(name: str, **values: object) -> str:
    text = (Path(__file__).with_name("excerpts") / f"{name}.rpt").read_text()
    for key, value in values.items():
        text = text.replace(f"@{key.upper()}@", str(value))
    return text


# With the columns of 2021 and later; half block RAMs; parts of a resource without a number of their own.
SERIES7 = excerpt("utilization_7series")
# Without the column Prohibited (2020 and before), after synthesis: an asterisk, a share below the resolution.
ULTRASCALE = excerpt("utilization_ultrascale")


def test_utilization_of_7_series() -> None:
    found = reports.utilization(SERIES7)
    assert found.used == Resources(58520, 9249, 194, 96.5) and found.available == Resources(53200, 106400, 220, 140)
    assert found.over == ("LUT 58,520 of 53,200 (110 %)",)


def test_utilization_of_ultrascale() -> None:
    found = reports.utilization(ULTRASCALE)
    assert found.used == Resources(26291, 25859, 1, 2.5, 16) and found.available == Resources(
        117120, 234240, 1248, 144, 64
    )
    assert found.over == ()


def test_hierarchy() -> None:
    rows = {row.path: row for row in reports.hierarchy(excerpt("hierarchy"))}
    assert rows.keys() == {
        ("design_1_wrapper",), ("design_1_wrapper", "design_1_i"), ("design_1_wrapper", "design_1_i", "penni"),
        ("design_1_wrapper", "design_1_i", "penni", "u_top"), ("design_1_wrapper", "design_1_i", "dma"),
    }  # fmt: skip
    found = rows["design_1_wrapper", "design_1_i", "penni", "u_top"]
    assert (found.module, found.used) == ("penni_top", Resources(38000, 46000, 194, 94.5, 4))


def test_timing() -> None:
    found = reports.timing(excerpt("timing", wns="-0.333", whs="0.082", failing=0, wpws="2.225"))
    assert (found.setup, found.hold, found.pulse_width, found.failing_endpoints, found.met) == (
        -0.333,
        0.082,
        2.225,
        57,
        False,
    )
    assert found.problem == (
        "setup slack -0.333 ns from design_1_i/penni/u_top/acc_q_reg[3]/C to design_1_i/penni/u_top/out_q_reg[7]/D, "
        "14 levels of logic"
    )
    assert found.hold_path == reports.Path(0.082, "a_reg/C", "b_reg/D", None)
    assert found.fmax(125) == pytest.approx(1000 / 8.333)


@pytest.mark.parametrize(
    ("slacks", "problem"),
    [
        ({"wns": "0.100", "whs": "-0.050", "wpws": "2"}, "hold slack -0.05 ns from a_reg/C to b_reg/D"),
        ({"wns": "0.100", "whs": "0.050", "wpws": "-0.2"}, "pulse width slack -0.2 ns"),
        ({"wns": "0.100", "whs": "0.050", "wpws": "0.000"}, None),
        ({"wns": "NA", "whs": "NA", "wpws": "NA"}, None),
    ],
)
def test_what_is_wrong_with_the_timing(slacks: dict[str, str], problem: str | None) -> None:
    text = excerpt("timing", failing=1, **slacks)
    found = reports.timing(text if slacks["wns"] != "NA" else text[: text.index("Max Delay")])
    assert (found.problem, found.met) == (problem, problem is None)


def test_power() -> None:
    assert (
        reports.power("| Total On-Chip Power (W)  | 2.391        |\n| Dynamic (W)              | 2.213        |")
        == 2.391
    )


@pytest.mark.parametrize("read", [reports.utilization, reports.hierarchy, reports.timing, reports.power])
@pytest.mark.parametrize("text", ["", "ERROR: nothing", SERIES7[:400]])
def test_a_report_without_its_numbers_is_an_error(read, text: str) -> None:
    with pytest.raises(ToolError, match="^Vivado's "):
        read(text)

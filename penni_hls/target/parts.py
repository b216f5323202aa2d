"""What bare parts have: the devices that `--part` knows, for a part on no board that is known here."""

from __future__ import annotations

import re

from ..errors import BoardError
from .fabric import SERIES7, ULTRASCALE
from .resources import Resources

# (6-input LUTs, DSP slices, 36-kbit block RAMs, UltraRAMs) of the whole device, as Vivado counts them; each LUT has two
# flip-flops. Written down without the data sheets at hand: compare with DS180 and DS190 (7 series, Zynq-7000), DS890 and
# DS891 (UltraScale+). Found again elsewhere: xc7z020, xc7a35t and xc7a100t (and LUTs of xc7z010) as available in Vivado's
# reports of public designs (Xilinx/BNN-PYNQ, epsilon537/boxlambda); xczu3 and xczu7 in necst/faber_fpga; xczu9's block RAMs
# and DSPs in Xilinx/finn; xck26 in raulest50/z-scan-propagation-kernel.
_SERIES7 = {
    "xc7z007s": (14400, 66, 50), "xc7z010": (17600, 80, 60), "xc7z012s": (34400, 120, 72), "xc7z014s": (40600, 170, 107),
    "xc7z015": (46200, 160, 95), "xc7z020": (53200, 220, 140), "xc7z030": (78600, 400, 265), "xc7z035": (171900, 900, 500),
    "xc7z045": (218600, 900, 545), "xc7z100": (277400, 2020, 755),
    "xc7s25": (14600, 80, 45), "xc7s50": (32600, 120, 75), "xc7s75": (48000, 140, 90), "xc7s100": (64000, 160, 120),
    "xc7a15t": (10400, 45, 25), "xc7a35t": (20800, 90, 50), "xc7a50t": (32600, 120, 75), "xc7a75t": (47200, 180, 105),
    "xc7a100t": (63400, 240, 135), "xc7a200t": (134600, 740, 365),
    "xc7k70t": (41000, 240, 135), "xc7k160t": (101400, 600, 325), "xc7k325t": (203800, 840, 445),
    "xc7k410t": (254200, 1540, 795), "xc7vx485t": (303600, 2800, 1030), "xc7vx690t": (433200, 3600, 1470),
}  # fmt: skip
_ULTRASCALE = {
    "xczu2": (47232, 240, 150, 0), "xczu3": (70560, 360, 216, 0), "xczu4": (87840, 728, 128, 48),
    "xczu5": (117120, 1248, 144, 64), "xczu7": (230400, 1728, 312, 96), "xczu9": (274080, 2520, 912, 0),
    "xczu11": (298560, 2928, 600, 80), "xczu15": (341280, 3528, 744, 112), "xczu19": (522720, 1968, 984, 128),
    "xck24": (70560, 360, 216, 0), "xck26": (117120, 1248, 144, 64), "xcau15p": (77760, 576, 144, 0),
    "xcku3p": (162720, 1368, 360, 48), "xcku5p": (216960, 1824, 480, 64), "xcku15p": (522720, 1968, 984, 128),
    "xcvu9p": (1182240, 6840, 2160, 960),
}  # fmt: skip
_FORM = re.compile(r"xc7\w+-\d\w*|xc(?:zu|k|au|ku|vu)\w+-\w+-\d\w*(?:-\w+)?")
CLOCKS = {SERIES7.name: 125.0, ULTRASCALE.name: 150.0}  # MHz, those of the boards


def device_of(part: str) -> tuple[str, Resources]:
    """The family of `part`, as fabric.FABRICS names it, and what its device has. BoardError where it is not known."""
    known = {name: (SERIES7.name, counts) for name, counts in _SERIES7.items()}
    known |= {name: (ULTRASCALE.name, counts) for name, counts in _ULTRASCALE.items()}
    if not _FORM.fullmatch(part):
        raise BoardError(
            f"part '{part[:60]}': give a part as Vivado names it, with package and speed grade, "
            "such as xc7a100tcsg324-1 or xczu3eg-sbva484-1-e"
        )
    # The name of a device may begin another's (xczu1, xczu15); what follows it is a letter.
    names = [name for name in known if re.match(rf"{name}(?!\d)", part)]
    if not names:
        raise BoardError(
            f"part '{part}': its device is not known here; there are {', '.join(known)} "
            "(a board file of your own may name any)"
        )
    family, (lut, dsp, bram36, *uram) = known[max(names, key=len)]
    return family, Resources(lut, 2 * lut, dsp, bram36, sum(uram))

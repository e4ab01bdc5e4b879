"""Whether an image shows a head: a header that names a knee is no proof that there is none."""

from __future__ import annotations

from pathlib import Path

from lethe.errors import Refused

from .engine import make_plan

_NMI_HEAD = 1.08  # without a brain that the image shows by itself the match must be good


def shows_head(source: Path) -> bool:
    """Say whether an image certainly shows a head with a brain in it.

    Parameters
    ----------
    source : Path

    Returns
    -------
    bool
        False also where the engine refuses the image.
    """
    try:
        plan = make_plan(source)
    except Refused:
        return False
    sure = plan.head.brain is not None or plan.pose.nmi > _NMI_HEAD
    unlike = {"weak-match", "brain-not-confirmed", "implausible-size"}
    return sure and not unlike & set(plan.doubts)

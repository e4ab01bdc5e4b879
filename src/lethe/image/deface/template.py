"""The average head that every image is compared with."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files

import numpy as np
import scipy.ndimage as ndi

from .grid import Affine, Array3
from .morph import Mask

NAME = "template.npz"


@dataclass(frozen=True, slots=True)
class Template:
    """Head, brain and field of view on one 2 mm grid in MNI152 millimetres.

    Attributes
    ----------
    head : ndarray of float32
        T1 brightness of an average head with a face, 0 to 1.
    brain : ndarray of float32
        Probability of brain, 0 to 1.
    fov : ndarray of bool
        Where `head` has data: it ends slanted below the chin.
    affine : ndarray, shape (4, 4)
        Grid indices to MNI millimetres.
    """

    head: Array3
    brain: Array3
    fov: Mask
    affine: Affine

    @classmethod
    def load(cls) -> Template:
        """Read the asset that ships with the package (made by ``scripts/make-template``)."""
        with (files(__package__) / NAME).open("rb") as stream, np.load(stream) as asset:
            shape = asset["head"].shape
            fov = np.unpackbits(asset["fov"], count=int(np.prod(shape))).reshape(shape).astype(bool)
            return cls(
                head=asset["head"].astype(np.float32) / np.float32(255),
                brain=asset["brain"].astype(np.float32) / np.float32(255),
                fov=fov,
                affine=np.asarray(asset["affine"], np.float64),
            )

    def skin(self) -> Mask:
        """Solid head of the template."""
        return np.asarray(ndi.binary_opening(self.head > 0.12, iterations=1))

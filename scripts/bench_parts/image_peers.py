"""What the peers of the image benchmark do; run by the Python that holds them.

``serve`` answers one JSON line per JSON line: brain masks (deepbet), faces on pictures (MTCNN, dlib,
MediaPipe, Haar cascades) and how alike two pictures of a face are (dlib). ``quickshear`` and ``template``
de-face one file and end, so that their seconds and megabytes can be measured.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

SURE = {"mtcnn": 0.9, "dlib": 0.0, "mediapipe": 0.5, "haar": 5.0}


def _mtcnn() -> Callable[[Any], list[float]]:
    finder = import_module("facenet_pytorch").MTCNN(keep_all=True, device="cpu", min_face_size=30)
    to_image = import_module("PIL.Image").fromarray

    def find(picture: Any) -> list[float]:
        _, scores = finder.detect(to_image(picture))
        return [float(s) for s in scores if s is not None]

    return find


def _dlib() -> Callable[[Any], list[float]]:
    finder = import_module("dlib").get_frontal_face_detector()
    return lambda picture: [float(s) for s in finder.run(picture, 1, 0.0)[1]]


def _mediapipe() -> Callable[[Any], list[float]]:
    solutions = import_module("mediapipe").solutions.face_detection
    finders = [solutions.FaceDetection(model_selection=n, min_detection_confidence=0.5) for n in (0, 1)]

    def find(picture: Any) -> list[float]:
        found = [finder.process(picture).detections or [] for finder in finders]
        return [float(one.score[0]) for each in found for one in each]

    return find


def _haar() -> Callable[[Any], list[float]]:
    cv2 = import_module("cv2")
    finder = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_default.xml")

    def find(picture: Any) -> list[float]:
        grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
        _, _, weights = finder.detectMultiScale3(grey, 1.1, 5, minSize=(80, 80), outputRejectLevels=True)
        return [float(w) for w in weights]

    return find


DETECTORS = {"mtcnn": _mtcnn, "dlib": _dlib, "mediapipe": _mediapipe, "haar": _haar}


class Likeness:
    """Where the parts of a face lie, and how far another picture is from it in dlib's 128 dimensions."""

    def __init__(self) -> None:
        dlib = import_module("dlib")
        package = find_spec("face_recognition_models")
        if package is None or package.origin is None:
            raise SystemExit("face_recognition_models is not installed")
        models = Path(package.origin).parent / "models"  # its own code needs modules that are gone
        self._finder = dlib.get_frontal_face_detector()
        self._parts = dlib.shape_predictor(str(models / "shape_predictor_68_face_landmarks.dat"))
        self._describe = dlib.face_recognition_model_v1(
            str(models / "dlib_face_recognition_resnet_model_v1.dat")
        )
        self._rectangle = dlib.rectangle
        self._mtcnn = import_module("facenet_pytorch").MTCNN(device="cpu", min_face_size=30)

    def compare(self, before: str, others: list[str]) -> dict[str, Any]:
        """Look at the face of one picture, and at the same box of others."""
        image, np = import_module("PIL.Image"), import_module("numpy")
        whole, *rest = (np.array(image.open(path).convert("RGB")) for path in (before, *others))
        boxes, scores, five = self._mtcnn.detect(image.fromarray(whole), landmarks=True)
        seen = boxes is not None and scores[0] >= SURE["mtcnn"]
        rectangles = self._finder(whole, 1)
        if not rectangles and not seen:
            return {}
        rectangle = rectangles[0] if rectangles else self._rectangle(*(round(float(n)) for n in boxes[0]))
        corners = (rectangle.left(), rectangle.top(), rectangle.right(), rectangle.bottom())
        parts = self._parts(whole, rectangle)
        one, *other = (np.array(self._describe_box(each, rectangle)) for each in (whole, *rest))
        return {
            "box": [float(n) for n in (boxes[0] if seen else corners)],
            "five": five[0].tolist() if seen else [],
            "many": [[parts.part(n).x, parts.part(n).y] for n in range(27, 68)],
            "distances": [round(float(np.linalg.norm(one - each)), 3) for each in other],
        }

    def _describe_box(self, picture: Any, rectangle: Any) -> Any:
        return self._describe.compute_face_descriptor(picture, self._parts(picture, rectangle))


class Server:
    """Holds what takes long to load."""

    def __init__(self) -> None:
        self._finders: dict[str, Callable[[Any], list[float]]] = {}
        self._brain: Any = None
        self._likeness: Likeness | None = None

    def faces(self, pictures: list[str]) -> list[dict[str, float]]:
        """Return the best score of each detector that is sure of a face, picture by picture."""
        image, array = import_module("PIL.Image"), import_module("numpy").array
        if not self._finders:
            self._finders = {name: make() for name, make in DETECTORS.items()}
        answer = []
        for path in pictures:
            picture = array(image.open(path).convert("RGB"))
            scores = {name: max(find(picture), default=-1.0) for name, find in self._finders.items()}
            answer.append({name: round(s, 2) for name, s in scores.items() if s >= SURE[name]})
        return answer

    def likeness(self, before: str, others: list[str]) -> dict[str, Any]:
        """Return box and parts of the face on the picture before, and how far the others are from it."""
        self._likeness = self._likeness or Likeness()
        return self._likeness.compare(before, others)

    def brain(self, source: str, target: str) -> None:
        """Write the brain mask of an MR image."""
        if self._brain is None:
            self._brain = import_module("deepbet").BrainExtraction(no_gpu=True)
        self._brain.run(source, mask_path=target)


def serve() -> None:
    """Answer requests until the input ends."""
    server = Server()
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the libraries print must not get among the answers
    for line in sys.stdin:
        request = json.loads(line)
        result = getattr(server, request.pop("do"))(**request)
        answers.write(json.dumps(result) + "\n")
        answers.flush()


def quickshear(source: str, brain: str, target: str) -> None:
    """De-face with quickshear, which is given the brain mask."""
    nib = import_module("nibabel")
    made = import_module("quickshear").quickshear(nib.load(source), nib.load(brain))
    nib.save(made, target)


def template(source: str, wheel: str, target: str) -> None:
    """De-face as pydeface does: its average head is matched to the image, its face mask is carried over.

    pydeface calls FLIRT (affine, mutual information); here the same is done with SimpleITK.
    """
    import tempfile
    import zipfile

    np, nib, sitk = import_module("numpy"), import_module("nibabel"), import_module("SimpleITK")
    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(wheel) as content:
            names = ("pydeface/data/mean_reg2mean.nii.gz", "pydeface/data/facemask.nii.gz")
            average, face = (sitk.ReadImage(content.extract(n, folder), sitk.sitkFloat32) for n in names)
        fixed = sitk.ReadImage(source, sitk.sitkFloat32)
    start = sitk.CenteredTransformInitializer(
        fixed, average, sitk.AffineTransform(3), sitk.CenteredTransformInitializerFilter.MOMENTS
    )
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(32)
    method.SetMetricSamplingStrategy(method.REGULAR)
    method.SetMetricSamplingPercentage(0.1)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsGradientDescent(0.5, 150, 1e-6, 10)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel([4, 2, 1])
    method.SetSmoothingSigmasPerLevel([3, 1.5, 0])
    method.SmoothingSigmasAreSpecifiedInPhysicalUnitsOn()
    method.SetInitialTransform(start, True)
    method.Execute(fixed, average)
    keep = sitk.GetArrayFromImage(sitk.Resample(face, fixed, start, sitk.sitkLinear, 1.0)).T > 0.5
    image = nib.load(source)
    values = np.asanyarray(image.dataobj)
    nib.save(
        image.__class__(np.where(keep, values, 0).astype(values.dtype), image.affine, image.header), target
    )


if __name__ == "__main__":
    work: dict[str, Callable[..., None]] = {"serve": serve, "quickshear": quickshear, "template": template}
    work[sys.argv[1]](*sys.argv[2:])

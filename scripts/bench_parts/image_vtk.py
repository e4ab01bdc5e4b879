"""A second renderer for the face detectors, so that our own one is not fitted: VTK's marching cubes.

It has nothing in common with `lethe.image.deface.render`: triangles instead of rays, a perspective camera
that also looks from above and below, lights of its own, other thresholds. Run by the Python that holds the
peers, in a process of its own: the detectors' graphics and VTK's do not bear one another.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from typing import Any

# yaw, pitch (degrees; from above is positive), and how far the threshold lies from air to the usual one
VIEWS = (
    (-60.0, 0.0, 1.0),
    (-40.0, -10.0, 1.0),
    (-20.0, 0.0, 0.6),
    (0.0, 0.0, 1.0),
    (0.0, 15.0, 1.2),
    (0.0, -15.0, 1.0),
    (0.0, 0.0, 0.6),
    (20.0, 0.0, 1.2),
    (40.0, 10.0, 1.0),
    (60.0, 0.0, 1.0),
)
_SIZE, _ANGLE, _FRAME = (640, 640), 24.0, 1.15


def _surface(vtk: Any, data: Any, level: float) -> Any:
    smooth = vtk.vtkImageGaussianSmooth()
    smooth.SetInputData(data)
    smooth.SetStandardDeviation(0.6)
    skin = vtk.vtkFlyingEdges3D()
    skin.SetInputConnection(smooth.GetOutputPort())
    skin.SetValue(0, level)
    skin.ComputeNormalsOn()
    mapper = vtk.vtkPolyDataMapper()
    mapper.SetInputConnection(skin.GetOutputPort())
    mapper.ScalarVisibilityOff()
    actor = vtk.vtkActor()
    actor.SetMapper(mapper)
    looks = actor.GetProperty()
    looks.SetColor(0.85, 0.85, 0.85)
    looks.SetAmbient(0.12)
    looks.SetDiffuse(0.85)
    looks.SetSpecular(0.12)
    looks.SetSpecularPower(12.0)
    return actor


def _lights(vtk: Any, scene: Any) -> None:
    scene.RemoveAllLights()
    for place, strength in (((0.9, 0.8, 1.6), 0.75), ((-1.4, 0.2, 1.2), 0.3), ((0.0, 0.0, 1.0), 0.15)):
        light = vtk.vtkLight()
        light.SetLightTypeToCameraLight()
        light.SetPosition(*place)
        light.SetFocalPoint(0.0, 0.0, 0.0)
        light.SetIntensity(strength)
        scene.AddLight(light)


def render(source: str, folder: str, name: str, box: list[list[float]]) -> list[str]:
    """Write pictures of a head and return their paths.

    Parameters
    ----------
    source : str
        ``.npz`` with `values` on an upright grid (right, anterior, superior), `spacing`, `level`, `air`.
    folder, name : str
    box : list of list of float
        Lowest and highest corner of the head, voxels: before and after are framed alike.
    """
    vtk, np = import_module("vtk"), import_module("numpy")
    to_vtk = import_module("vtk.util.numpy_support").numpy_to_vtk
    vtk.vtkObject.GlobalWarningDisplayOff()
    held = np.load(source)
    values = np.pad(held["values"], 2, constant_values=float(held["air"]))
    spacing, air, level = float(held["spacing"]), float(held["air"]), float(held["level"])
    data = vtk.vtkImageData()
    data.SetDimensions(values.shape)
    data.SetSpacing(spacing, spacing, spacing)
    data.GetPointData().SetScalars(to_vtk(values.ravel(order="F"), deep=True))
    low, high = ((np.asarray(corner) + 2.0) * spacing for corner in box)
    middle, reach = (low + high) / 2.0, float((high - low).max()) / 2.0 * _FRAME
    window, scene = vtk.vtkRenderWindow(), vtk.vtkRenderer()
    window.SetOffScreenRendering(1)
    window.SetSize(*_SIZE)
    window.SetMultiSamples(0)
    window.AddRenderer(scene)
    scene.SetBackground(0.0, 0.0, 0.0)
    _lights(vtk, scene)
    surfaces = {share: _surface(vtk, data, air + share * (level - air)) for share in {v[2] for v in VIEWS}}
    camera = scene.GetActiveCamera()
    paths: list[str] = []
    camera.SetViewAngle(_ANGLE)
    away = reach / np.tan(np.deg2rad(_ANGLE / 2.0))
    for yaw, pitch, share in VIEWS:
        scene.RemoveAllViewProps()
        scene.AddActor(surfaces[share])
        turn, tip = np.deg2rad(yaw), np.deg2rad(pitch)
        towards = np.array([np.sin(turn) * np.cos(tip), np.cos(turn) * np.cos(tip), np.sin(tip)])
        camera.SetFocalPoint(*middle)
        camera.SetPosition(*(middle + away * towards))
        camera.SetViewUp(0.0, 0.0, 1.0)
        scene.ResetCameraClippingRange()
        window.Render()
        grab, out = vtk.vtkWindowToImageFilter(), vtk.vtkPNGWriter()
        grab.SetInput(window)
        grab.ReadFrontBufferOff()
        paths.append(f"{folder}/{name}_vtk{len(paths)}.png")
        out.SetFileName(paths[-1])
        out.SetInputConnection(grab.GetOutputPort())
        out.Write()
    window.Finalize()
    return paths


if __name__ == "__main__":
    source, folder, name, box = sys.argv[1:]
    print(json.dumps(render(source, folder, name, json.loads(box))))

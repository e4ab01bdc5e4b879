"""What is in an image: a small program that lists it inside, and the CycloneDX document made of that."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

INVENTORY = """
import importlib.metadata as m, json, pathlib, platform
python = sorted([d.metadata['Name'].lower(), d.version, d.metadata.get('License-Expression') or '']
                for d in m.distributions())
status = pathlib.Path('/var/lib/dpkg/status')
entries = status.read_text().split('\\n\\n') if status.exists() else []
fields = [dict(line.split(': ', 1) for line in entry.splitlines() if ': ' in line and line[0] != ' ')
          for entry in entries]
system = sorted([f['Package'], f['Version'], f['Architecture']] for f in fields
                if f.get('Status', '').endswith(' installed'))
release = dict(line.rstrip().split('=', 1) for line in open('/etc/os-release') if '=' in line)
print(json.dumps({'python': python, 'system': system, 'interpreter': platform.python_version(),
                  'distribution': release.get('ID', '').strip('"')}))
"""


def bill_of_materials(image: dict[str, Any], inventory: dict[str, Any]) -> dict[str, Any]:
    """Return all packages of an image, the base's included, as CycloneDX; no time, no chance in it."""
    components = [
        {"type": "library", "name": name, "version": version, "purl": f"pkg:pypi/{name}@{version}"}
        | ({"licenses": [{"expression": licence}]} if licence else {})
        for name, version, licence in inventory["python"]
    ]
    origin = inventory["distribution"]
    components += [
        {
            "type": "library",
            "name": name,
            "version": version,
            "purl": f"pkg:deb/{origin}/{quote(name)}@{quote(version)}?arch={architecture}",
        }
        for name, version, architecture in inventory["system"]
    ]
    version = inventory["interpreter"]
    components.append(
        {"type": "platform", "name": "python", "version": version, "purl": f"pkg:generic/python@{version}"}
    )
    components.sort(key=lambda component: str(component["purl"]))
    for component in components:
        component["bom-ref"] = component["purl"]
    about = {"type": "container", "name": image["image"], "version": image["digest"]}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": about},
        "components": components,
    }

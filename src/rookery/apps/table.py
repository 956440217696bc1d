"""Every application there is: a new one is its folder and a row here."""

from __future__ import annotations

from collections.abc import Mapping

from rookery.apps.app import App
from rookery.apps.backup.app import BACKUP
from rookery.apps.catalogue.app import CATALOGUE
from rookery.apps.cdn.app import CDN
from rookery.apps.database.app import DATABASE
from rookery.apps.streaming.app import STREAMING
from rookery.design.app import Placers
from rookery.design.change import Obstacles
from rookery.spec.parse import SettingsTable

APPS: Mapping[str, App] = {app.name: app for app in (DATABASE, STREAMING, CATALOGUE, CDN, BACKUP)}

SETTINGS: SettingsTable = {name: app.settings for name, app in APPS.items()}
OBSTACLES: Obstacles = {name: app.obstacle for name, app in APPS.items() if app.obstacle is not None}
PLACERS: Placers = {name: app.place for name, app in APPS.items()}


def document_path() -> str:
    """Return the path at which the site has the design document, empty where no application has one."""
    contents = (app.content for app in APPS.values() if app.content is not None)
    return next((content.document for content in contents if content.document), "")

"""The routes of the Container Service below ``/xapi``."""

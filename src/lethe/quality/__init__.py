"""Header and image checks, visual-inspection sampling."""

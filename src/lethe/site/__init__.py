"""What a hospital gets and does: the site kit, its check, and sending without CTP."""
